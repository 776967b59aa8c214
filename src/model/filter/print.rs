//! Writes a filter in its canonical form, which is read as the same filter.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use chrono::SecondsFormat;

use super::value::UNITS;
use super::{Comparison, Field, Filter, Link, Moment, Pattern, Term, Test, When};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, term) in self.terms.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{term}")?;
        }
        Ok(())
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        match &self.test {
            Test::Status(all) => {
                list(f, "status", all, |f, status| write!(f, "{}", status.as_str().to_lowercase()))
            }
            Test::Text(Field::Fingerprint, all) => list(f, "fp", all, |f, pattern| match pattern {
                Pattern::Exact(text) | Pattern::Prefix(text) => f.write_str(text),
            }),
            Test::Text(field, all) => list(f, field.as_str(), all, pattern),
            Test::Metadata(name, all) => {
                f.write_str("meta.")?;
                text(f, name, |c| c == ':')?;
                list(f, "", all, pattern)
            }
            Test::Error(all) => list(f, "error", all, |f, words| value(f, words)),
            Test::Id(all) => list(f, "id", all, |f, digits| f.write_str(digits)),
            Test::Link(link, all) => list(f, link.as_str(), all, |f, run| write!(f, "{run}")),
            Test::Node(all) => list(f, "node", all, |f, node| write!(f, "{node}")),
            Test::Duration(all) => list(f, "duration", all, |f, (comparison, length)| {
                f.write_str(comparison.as_str())?;
                duration(f, *length)
            }),
            Test::Time(moment, all) => list(f, moment.as_str(), all, |f, (comparison, when)| {
                write!(f, "{}{when}", comparison.as_str())
            }),
            Test::Since(when) => write!(f, "since:{when}"),
            Test::Until(when) => write!(f, "until:{when}"),
            Test::Is(all) => list(f, "is", all, |f, property| f.write_str(property.as_str())),
        }
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            When::Ago(ago) => duration(f, *ago),
            When::At(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl Field {
    /// Returns the key of the grammar.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Workflow => "workflow",
            Field::Version => "version",
            Field::Task => "task",
            Field::FailedTask => "failed_task",
            Field::Kind => "kind",
            Field::Fingerprint => "fp",
            Field::Trigger => "trigger",
            Field::Event => "event",
            Field::TriggerKey => "trigger_key",
            Field::Key => "key",
        }
    }
}

impl Link {
    /// Returns the key of the grammar.
    pub fn as_str(self) -> &'static str {
        match self {
            Link::Parent => "parent",
            Link::ReplayOf => "replay_of",
            Link::CausedBy => "caused_by",
        }
    }
}

impl Moment {
    /// Returns the key of the grammar.
    pub fn as_str(self) -> &'static str {
        match self {
            Moment::Started => "started",
            Moment::Finished => "finished",
        }
    }
}

impl Comparison {
    /// Returns the sign.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
        }
    }
}

/// Writes `key:value,value`.
fn list<T>(
    f: &mut Formatter<'_>,
    key: &str,
    all: &[T],
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str(key)?;
    for (at, one) in all.iter().enumerate() {
        f.write_str(if at == 0 { ":" } else { "," })?;
        write(f, one)?;
    }
    Ok(())
}

fn pattern(f: &mut Formatter<'_>, pattern: &Pattern) -> fmt::Result {
    match pattern {
        Pattern::Exact(text) => value(f, text),
        Pattern::Prefix(text) => {
            value(f, text)?;
            f.write_str("*")
        }
    }
}

fn value(f: &mut Formatter<'_>, value: &str) -> fmt::Result {
    text(f, value, |c| c == ',')
}

/// Writes a value as a filter takes it.
#[cfg(feature = "dashboard")]
pub(crate) fn quoted(text: &str) -> String {
    fmt::from_fn(|f| value(f, text)).to_string()
}

/// Writes a text as it is, or in quotes where it would be read as something else.
fn text(f: &mut Formatter<'_>, text: &str, special: impl Fn(char) -> bool) -> fmt::Result {
    let needs_quotes = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '*') || special(c);
    if !text.is_empty() && !text.contains(needs_quotes) {
        return f.write_str(text);
    }
    f.write_str("\"")?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

/// Writes a duration as a whole number of the longest unit that gives one.
fn duration(f: &mut Formatter<'_>, duration: Duration) -> fmt::Result {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let whole = |(_, factor): &(&str, u64)| millis > 0 && millis % factor == 0;
    match UNITS.into_iter().find(whole) {
        Some((unit, factor)) => write!(f, "{}{unit}", millis / factor),
        None => write!(f, "{millis}ms"),
    }
}
