//! How a path is written.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::model::limits::REDACTED_STEPS_MAX;

/// The way to values of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) text: String,
    pub(super) steps: Vec<Step>,
}

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Whether it is looked for at any depth.
    pub(super) is_deep: bool,
    pub(super) pick: Pick,
}

/// Where a step goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// To the members of this name.
    Name(String),
    /// To the element in this place.
    At(usize),
    /// To every member and element.
    Any,
}

/// Why a path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path {path:?} cannot be used: character {at}: {problem}")]
pub struct RedactionError {
    /// The path.
    pub path: String,
    /// Where in it, in characters from 1.
    pub at: usize,
    /// What is wrong there, and what would do.
    pub problem: String,
}

/// A path that is being read.
struct Reader<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
}

impl Path {
    pub(super) fn parse(text: &str) -> Result<Path, RedactionError> {
        let mut reader = Reader { text, chars: text.char_indices().peekable() };
        if !reader.take('$') {
            return Err(reader.wrong("a path begins with $, which is the payload"));
        }
        let mut steps = Vec::new();
        while reader.chars.peek().is_some() {
            if steps.len() == REDACTED_STEPS_MAX {
                let problem = format!("it has over {REDACTED_STEPS_MAX} steps, and no payload is so deep");
                return Err(reader.wrong(problem));
            }
            steps.push(reader.step()?);
        }
        Ok(Path { text: text.to_owned(), steps })
    }

    /// Returns the name of the last member on the way.
    pub(super) fn last_name(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match &step.pick {
            Pick::Name(name) => Some(name.as_str()),
            Pick::At(_) | Pick::Any => None,
        })
    }
}

impl Reader<'_> {
    fn step(&mut self) -> Result<Step, RedactionError> {
        if self.take('[') {
            return Ok(Step { is_deep: false, pick: self.bracket()? });
        }
        if !self.take('.') {
            return Err(self.wrong("expected .name, ..name, [\"any name\"], [3] or [*]"));
        }
        let is_deep = self.take('.');
        if is_deep && self.take('[') {
            return Ok(Step { is_deep, pick: self.bracket()? });
        }
        let pick = if self.take('*') { Pick::Any } else { Pick::Name(self.name()?) };
        Ok(Step { is_deep, pick })
    }

    /// Reads a name without quotes.
    fn name(&mut self) -> Result<String, RedactionError> {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
        let mut name = String::new();
        while let Some((_, c)) = self.chars.next_if(|(_, c)| is_plain(*c)) {
            name.push(c);
        }
        if name.is_empty() {
            return Err(self.wrong(
                "expected a name or *; another name than of letters, digits, _ and - is [\"any name\"]",
            ));
        }
        Ok(name)
    }

    /// Reads what stands in brackets, and the bracket that ends it.
    fn bracket(&mut self) -> Result<Pick, RedactionError> {
        let pick = match self.chars.peek().copied() {
            Some((_, '*')) => {
                self.chars.next();
                Pick::Any
            }
            Some((_, quote @ ('"' | '\''))) => {
                self.chars.next();
                Pick::Name(self.quoted(quote)?)
            }
            Some((_, c)) if c.is_ascii_digit() => {
                let mut digits = String::new();
                while let Some((_, digit)) = self.chars.next_if(|(_, c)| c.is_ascii_digit()) {
                    digits.push(digit);
                }
                let place = digits.parse().map_err(|_| self.wrong("no list has so many elements"))?;
                Pick::At(place)
            }
            _ => {
                return Err(self.wrong(
                    "expected a name in quotes, a place from 0, or *; slices, filters and places from the end are not known here",
                ));
            }
        };
        if !self.take(']') {
            return Err(self.wrong("expected ]; one name or place stands in a pair of brackets"));
        }
        Ok(pick)
    }

    /// Reads a name to the quote that ends it.
    fn quoted(&mut self, quote: char) -> Result<String, RedactionError> {
        let mut name = String::new();
        loop {
            match self.chars.next() {
                Some((_, c)) if c == quote => return Ok(name),
                Some((_, '\\')) => match self.chars.next_if(|(_, c)| matches!(c, '"' | '\'' | '\\')) {
                    Some((_, c)) => name.push(c),
                    None => {
                        return Err(self.wrong(
                            "after \\ comes a quote or another \\: any other character stands for itself",
                        ));
                    }
                },
                Some((_, c)) => name.push(c),
                None => return Err(self.wrong(format!("expected {quote}, which ends the name"))),
            }
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    /// Says what is wrong where the reader stands.
    fn wrong(&mut self, problem: impl Into<String>) -> RedactionError {
        let byte = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        let before = self.text.char_indices().take_while(|(at, _)| *at < byte).count();
        RedactionError { path: self.text.to_owned(), at: before + 1, problem: problem.into() }
    }
}

/// Divides a text by white space and commas outside of brackets.
pub(super) fn divide(text: &str) -> Vec<&str> {
    let (mut quote, mut in_bracket, mut is_escaped) = (None, false, false);
    let divides = move |c: char| {
        match (quote, c) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if in_bracket => quote = Some(c),
            (None, '[') => in_bracket = true,
            (None, ']') => in_bracket = false,
            (None, c) => return !in_bracket && (c == ',' || c.is_whitespace()),
        }
        false
    };
    text.split(divides).filter(|path| !path.is_empty()).collect()
}
