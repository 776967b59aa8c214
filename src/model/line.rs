//! A line that code writes beside its run's log.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::Payload;
use super::failure::cut_to;
use super::limits::{LINE_BYTES_MAX, LINE_FIELD_BYTES_MAX, LINE_FIELDS_MAX, LINE_TARGET_BYTES_MAX};

/// How much a line matters; the lesser one is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Every detail.
    Trace,
    /// For whoever looks for a bug.
    Debug,
    /// For whoever reads along.
    Info,
    /// Something is wrong and the code goes on.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Every level, the least first.
    pub const ALL: [Level; 5] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];

    /// Returns its name, in capitals.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No level is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no level: expected trace, debug, info, warn or error")]
pub struct UnknownLevel {
    /// The text.
    pub text: String,
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Reads a level's name, in capitals or not.
    fn from_str(text: &str) -> Result<Level, UnknownLevel> {
        let level = Level::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text));
        level.ok_or_else(|| UnknownLevel { text: text.to_owned() })
    }
}

/// What a line says. Whatever is too long is cut with a visible mark; a NUL becomes `␀`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// Where it comes from: the target of a `tracing` event, or the file and line of a `cx.log()`.
    pub target: String,
    /// The text.
    pub message: String,
    /// What goes with it, as a JSON object.
    pub fields: Option<Payload>,
}

impl Line {
    /// Makes a line of at most [`LINE_BYTES_MAX`] bytes of text, with at most [`LINE_FIELDS_MAX`] fields of at most
    /// [`LINE_FIELD_BYTES_MAX`] bytes each.
    pub fn new(level: Level, target: &str, message: String, fields: Map<String, Value>) -> Line {
        Line {
            level,
            target: cut_to(target.to_owned(), LINE_TARGET_BYTES_MAX),
            message: cut_to(message, LINE_BYTES_MAX),
            fields: if fields.is_empty() { None } else { bounded(fields) },
        }
    }
}

fn bounded(fields: Map<String, Value>) -> Option<Payload> {
    let left_out = fields.len().saturating_sub(LINE_FIELDS_MAX);
    let mut kept: Map<String, Value> = fields
        .into_iter()
        .take(LINE_FIELDS_MAX)
        .map(|(name, value)| (cut_to(name, 128), small(value)))
        .collect();
    if left_out > 0 {
        kept.insert("…".to_owned(), Value::from(format!("{left_out} fields left out")));
    }
    Payload::of(&kept).ok()
}

/// Keeps a value of a size that a line may have; a larger one becomes the beginning of its text.
fn small(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(cut_to(text, LINE_FIELD_BYTES_MAX)),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            // What escapes a NUL would be refused by whoever reads it.
            if text.len() > LINE_FIELD_BYTES_MAX || Payload::parse(text.as_str()).is_err() {
                Value::String(cut_to(text, LINE_FIELD_BYTES_MAX))
            } else {
                value
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
