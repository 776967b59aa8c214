//! Lines that the code writes itself.

use std::fmt::Display;
use std::panic::Location;

use serde::Serialize;
use serde_json::{Map, Value};

use super::cx::Cx;
use crate::model::{Level, Line};
use crate::telemetry::Paper as _;

/// A line under construction: `cx.log().field("order", 42).warn("the card is refused")`.
///
/// Writing never waits and never fails. A line reaches the database within moments; those that a process had not written
/// when it died are lost. Of one attempt at a task 10,000 lines are kept; what is dropped then, or because more wait than a
/// process keeps, is counted in a line that says so.
///
/// Code that is run again from its beginning (after a crash, or when a parked run goes on) does not write again what it
/// wrote before the last recorded operation. What stood after that may be there twice; the later one has a higher
/// [`claims`](crate::store::LogLine::claims).
#[derive(Debug)]
#[must_use = "a line is written by its level: .info(…)"]
pub struct Log<'cx> {
    cx: &'cx Cx,
    fields: Map<String, Value>,
}

impl<'cx> Log<'cx> {
    pub(super) fn new(cx: &'cx Cx) -> Log<'cx> {
        Log { cx, fields: Map::new() }
    }

    /// Adds a value under a name; at most 32, of at most 1,024 bytes each. What cannot be written as JSON is named instead.
    pub fn field(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value);
        self.fields.insert(name.into(), value.unwrap_or_else(|error| Value::from(format!("({error})"))));
        self
    }

    /// Writes a line of a level; one below the runtime's [`log_level`](crate::RuntimeBuilder::log_level) is not kept.
    #[track_caller]
    pub fn at(self, level: Level, message: impl Display) {
        if self.cx.pen.takes(level) {
            let location = Location::caller();
            let target = format!("{}:{}", location.file(), location.line());
            self.cx.pen.write(Line::new(level, &target, message.to_string(), self.fields));
        }
    }

    /// Writes a line of level TRACE.
    #[track_caller]
    pub fn trace(self, message: impl Display) {
        self.at(Level::Trace, message);
    }

    /// Writes a line of level DEBUG.
    #[track_caller]
    pub fn debug(self, message: impl Display) {
        self.at(Level::Debug, message);
    }

    /// Writes a line of level INFO.
    #[track_caller]
    pub fn info(self, message: impl Display) {
        self.at(Level::Info, message);
    }

    /// Writes a line of level WARN.
    #[track_caller]
    pub fn warn(self, message: impl Display) {
        self.at(Level::Warn, message);
    }

    /// Writes a line of level ERROR.
    #[track_caller]
    pub fn error(self, message: impl Display) {
        self.at(Level::Error, message);
    }
}
