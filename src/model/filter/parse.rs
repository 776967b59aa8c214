//! Reads a filter.

use std::fmt;
use std::str::FromStr;

use super::keys::{KEYS, TRIGGERS, nearest};
use super::value::{Value, Wanted};
use super::{Comparison, Field, Filter, Link, Moment, Pattern, Property, Term, Test};
use crate::model::limits::{FILTER_CHARS_MAX, FILTER_TERMS_MAX};
use crate::model::status::Status;

/// Why a text is no filter: where, what was expected there, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct FilterError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What stands there.
    pub found: String,
    /// What would do.
    pub expected: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FilterError { column, found, expected, suggestion } = self;
        match found.as_str() {
            "" => write!(f, "filter, column {column}: it ends here, expected {expected}")?,
            found => write!(f, "filter, column {column}: {found:?} found, expected {expected}")?,
        }
        match suggestion {
            Some(suggestion) => write!(f, "; did you mean {suggestion:?}?"),
            None => Ok(()),
        }
    }
}

/// Characters of a wrong word that an error shows.
const FOUND_CHARS_MAX: usize = 40;

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        let chars = text.chars().count();
        if chars > FILTER_CHARS_MAX {
            let expected = format!("at most {FILTER_CHARS_MAX} characters, these are {chars}");
            return Err(error(FILTER_CHARS_MAX + 1, "…", expected));
        }
        if let Some(at) = text.chars().position(|c| c == '\0') {
            return Err(error(at + 1, "\0", "text, which no NUL is".to_owned()));
        }
        let mut reader = Reader { rest: text, column: 1 };
        let mut filter = Filter::default();
        loop {
            reader.skip_spaces();
            if reader.rest.is_empty() {
                return Ok(filter);
            }
            if filter.terms.len() == FILTER_TERMS_MAX {
                return Err(error(reader.column, reader.rest, format!("at most {FILTER_TERMS_MAX} terms")));
            }
            filter.terms.push(reader.term()?);
        }
    }
}

/// What is left to read.
struct Reader<'a> {
    rest: &'a str,
    column: usize,
}

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        let spaces = self.rest.len() - self.rest.trim_start().len();
        self.advance(spaces);
    }

    /// Takes `bytes`, which end at a character's edge.
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn takes(&mut self, c: char) -> bool {
        let begins = self.rest.starts_with(c);
        if begins {
            self.advance(c.len_utf8());
        }
        begins
    }

    fn term(&mut self) -> Result<Term, FilterError> {
        let negated = self.takes('-');
        let column = self.column;
        let at_end = self.rest.is_empty() || self.rest.starts_with(char::is_whitespace);
        if at_end {
            return Err(error(column, "", "a term after the minus".to_owned()));
        }
        let is_word = self.rest.starts_with('"');
        let length =
            self.rest.find(|c: char| c.is_whitespace() || c == ':' || c == '"').unwrap_or(self.rest.len());
        let head = self.rest.get(..length).unwrap_or_default();
        let is_key = self.rest.get(length..).is_some_and(|rest| rest.starts_with(':'));
        let test = if head.starts_with("meta.") && !is_word {
            self.metadata()?
        } else if is_key && !is_word {
            self.advance(length + 1);
            self.test(head, column)?
        } else {
            self.word()?
        };
        Ok(Term { negated, test })
    }

    /// Reads a term without a key: an id's beginning, or a text of the error.
    fn word(&mut self) -> Result<Test, FilterError> {
        let quoted = self.rest.starts_with('"');
        let text = match quoted {
            true => self.quoted()?,
            false => {
                let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
                self.advance(end).to_owned()
            }
        };
        let value = Value { text, column: self.column, prefix: false, comparison: None };
        match value.id().filter(|_| !quoted) {
            Some(id) => Ok(Test::Id(vec![id])),
            None => Ok(Test::Error(vec![value.text])),
        }
    }

    fn metadata(&mut self) -> Result<Test, FilterError> {
        self.advance("meta.".len());
        let column = self.column;
        let name = match self.rest.starts_with('"') {
            true => self.quoted()?,
            false => {
                let end = self.rest.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(self.rest.len());
                self.advance(end).to_owned()
            }
        };
        if name.is_empty() || !self.takes(':') {
            let expected = "the name of a metadata pair, a colon and a value, as in meta.team:payments";
            let found = if name.is_empty() { self.rest } else { &name };
            return Err(error(column, found, expected.to_owned()));
        }
        Ok(Test::Metadata(name, self.list(false, |value| Ok(value.pattern()))?))
    }

    fn test(&mut self, key: &str, column: usize) -> Result<Test, FilterError> {
        match key {
            "status" => Ok(Test::Status(self.list(false, Value::status)?)),
            "workflow" => self.texts(Field::Workflow),
            "version" => self.texts(Field::Version),
            "task" => self.texts(Field::Task),
            "key" => self.texts(Field::Key),
            "trigger" => self.texts(Field::Trigger),
            "event" => self.texts(Field::Event),
            "trigger_key" => self.texts(Field::TriggerKey),
            "failed_task" => self.texts(Field::FailedTask),
            "kind" => self.texts(Field::Kind),
            "fp" => self.texts(Field::Fingerprint),
            "error" => Ok(Test::Error(self.list(false, |value| Ok(value.text.clone()))?)),
            "id" => {
                let refused = |value: &Value| value.refused("6 to 32 hexadecimal digits of a run's id", None);
                let id = |value: &Value| value.id().ok_or_else(|| refused(value));
                Ok(Test::Id(self.list(false, id)?))
            }
            "parent" => self.links(Link::Parent),
            "replay_of" => self.links(Link::ReplayOf),
            "caused_by" => self.links(Link::CausedBy),
            "node" => Ok(Test::Node(self.list(false, Value::node)?)),
            "duration" => {
                Ok(Test::Duration(self.list(true, |value| Ok((value.compared(), value.duration()?)))?))
            }
            "since" => Ok(Test::Since(self.single(Value::when)?)),
            "until" => Ok(Test::Until(self.single(Value::when)?)),
            "started" => self.times(Moment::Started),
            "finished" => self.times(Moment::Finished),
            "is" => Ok(Test::Is(self.list(false, Value::property)?)),
            unknown => {
                let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
                let expected = format!("a key ({}) or a text in quotes", names.join(", "));
                let suggestion = nearest(unknown, names).map(str::to_owned);
                Err(FilterError { suggestion, ..error(column, unknown, expected) })
            }
        }
    }

    fn texts(&mut self, field: Field) -> Result<Test, FilterError> {
        Ok(Test::Text(field, self.list(false, |value| value.text_of(field))?))
    }

    fn links(&mut self, link: Link) -> Result<Test, FilterError> {
        Ok(Test::Link(link, self.list(false, Value::run)?))
    }

    fn times(&mut self, moment: Moment) -> Result<Test, FilterError> {
        Ok(Test::Time(moment, self.list(true, |value| Ok((value.compared(), value.when()?)))?))
    }

    fn single<T>(&mut self, read: impl Fn(&Value) -> Wanted<T>) -> Result<T, FilterError> {
        let value = self.value(false)?;
        let read = read(&value)?;
        match self.rest.starts_with(',') {
            true => Err(error(self.column, ",", "one value".to_owned())),
            false => Ok(read),
        }
    }

    fn list<T>(&mut self, compares: bool, read: impl Fn(&Value) -> Wanted<T>) -> Result<Vec<T>, FilterError> {
        let mut values = Vec::new();
        loop {
            let value = self.value(compares)?;
            values.push(read(&value)?);
            if !self.takes(',') {
                return Ok(values);
            }
        }
    }

    fn value(&mut self, compares: bool) -> Result<Value, FilterError> {
        let comparison = compares.then(|| self.comparison()).flatten();
        let column = self.column;
        let quoted = self.rest.starts_with('"');
        let text = match quoted {
            true => self.quoted()?,
            false => {
                let ends = |c: char| c.is_whitespace() || c == ',' || c == '"';
                let end = self.rest.find(ends).unwrap_or(self.rest.len());
                self.advance(end).to_owned()
            }
        };
        let (text, prefix) = match text.strip_suffix('*').filter(|_| !quoted) {
            Some(prefix) => (prefix.to_owned(), true),
            None => (text, quoted && self.takes('*')),
        };
        let ended = self.rest.is_empty() || self.rest.starts_with(|c: char| c.is_whitespace() || c == ',');
        if !ended {
            return Err(error(self.column, self.rest, "a space or a comma after the value".to_owned()));
        }
        if text.is_empty() && !quoted && !prefix {
            let found = self.rest.get(..1).filter(|rest| *rest == ",").unwrap_or_default();
            return Err(error(column, found, "a value".to_owned()));
        }
        Ok(Value { text, column, prefix, comparison })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let signs = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
        ];
        let (sign, comparison) = signs.into_iter().find(|(sign, _)| self.rest.starts_with(sign))?;
        self.advance(sign.len());
        Some(comparison)
    }

    /// Reads a text in quotes, in which `\"` is a quote and `\\` a backslash.
    fn quoted(&mut self) -> Result<String, FilterError> {
        let column = self.column;
        let (mut text, mut escaped) = (String::new(), false);
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => {
                    if !matches!(c, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.advance(at + 1);
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(error(column, self.rest, "a quote at the text's end".to_owned()))
    }
}

impl Value {
    fn status(&self) -> Wanted<Status> {
        let words = Status::ALL.map(|status| status.as_str().to_lowercase());
        let found = Status::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(&self.text));
        found.filter(|_| !self.prefix).ok_or_else(|| {
            let suggestion = match self.text.as_str() {
                "waiting" | "parked" => Some("is:waiting"),
                word => nearest(word, words.iter().map(String::as_str)),
            };
            self.refused(&format!("a status ({})", words.join(", ")), suggestion)
        })
    }

    fn property(&self) -> Wanted<Property> {
        let words = Property::ALL.map(Property::as_str);
        let found = Property::ALL.into_iter().find(|property| property.as_str() == self.text);
        found.filter(|_| !self.prefix).ok_or_else(|| {
            self.refused(&format!("what a run is ({})", words.join(", ")), nearest(&self.text, words))
        })
    }

    fn text_of(&self, field: Field) -> Wanted<Pattern> {
        const FINGERPRINT_DIGITS: usize = 12;
        match field {
            Field::Trigger if !self.prefix && !TRIGGERS.contains(&self.text.as_str()) => {
                let expected = format!("a trigger ({})", TRIGGERS.join(", "));
                Err(self.refused(&expected, nearest(&self.text, TRIGGERS)))
            }
            Field::Fingerprint => {
                let digits = self.text.len();
                let is_hex = self.text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !is_hex || digits == 0 || digits > FINGERPRINT_DIGITS {
                    return Err(self.refused("1 to 12 hexadecimal digits of a fingerprint", None));
                }
                Ok(match digits {
                    FINGERPRINT_DIGITS => Pattern::Exact(self.text.clone()),
                    _ => Pattern::Prefix(self.text.clone()),
                })
            }
            _ => Ok(self.pattern()),
        }
    }
}

pub(super) fn error(column: usize, found: &str, expected: String) -> FilterError {
    let mut shown: String = found.chars().take(FOUND_CHARS_MAX).collect();
    if shown.len() < found.len() {
        shown.push('…');
    }
    FilterError { column, found: shown, expected, suggestion: None }
}
