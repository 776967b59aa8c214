//! Why something failed: kind, message, chain and place, as kept in the log.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::{CHAIN_MAX, MESSAGE_BYTES_MAX};

/// What is known of a failure: everything a person reads at three in the morning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error's type without its path, or one of this module's constants.
    pub kind: Cow<'static, str>,
    /// What the error said, or the panic's payload; at most [`MESSAGE_BYTES_MAX`] bytes.
    pub message: String,
    /// What its sources said, outermost first; at most [`CHAIN_MAX`].
    pub chain: Vec<String>,
    /// `file:line` of the task or step, or of the panic when the embedder records panics.
    pub location: Option<String>,
}

/// The code panicked; the message is the panic's payload.
pub const PANIC: &str = "panic";
/// An attempt ran longer than its timeout.
pub const TASK_TIMED_OUT: &str = "task_timed_out";
/// A run took longer than its `timeout`.
pub const TIMED_OUT: &str = "timed_out";
/// A run was not started within its `start_timeout`.
pub const START_TIMED_OUT: &str = "start_timed_out";
/// An at-most-once step was started by a process that died before it recorded the outcome.
pub const INTERRUPTED: &str = "interrupted";
/// A value could not be kept or read.
pub const PAYLOAD: &str = "payload";
/// The code ended because its run was cancelled.
pub const CANCELLED: &str = "cancelled";
/// The run's log reached its limit.
pub const LOG_FULL: &str = "log_full";
/// The run killed its nodes, one after the other, and was not tried again.
pub const POISON: &str = "poison";
/// The code could not judge a condition of the task: it panicked, or could not read the value.
pub const CONDITION: &str = "condition";
/// The run's key under its workflow's limit could not be found.
pub const LIMIT_KEY: &str = "limit_key";
/// A child run ended without success.
pub const CHILD: &str = "child";

/// The type of an error of this crate's own that code passes on: its message names what failed, with the kind of that.
#[cfg(feature = "dashboard")]
const PASSED_ON: &str = "CxError";

/// Says a failure in one line: its kind and its message, or the message alone where that names a closer kind.
#[cfg(feature = "dashboard")]
pub(crate) fn in_one_line(kind: &str, message: &str) -> String {
    if kind == PASSED_ON { message.to_owned() } else { format!("{kind}: {message}") }
}

impl Failure {
    /// Makes a failure of a kind of ours.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Failure {
        Failure { kind: Cow::Borrowed(kind), message: cut(message.into()), chain: Vec::new(), location: None }
    }

    /// Describes an application's error; `kind` is its type's name, of which the path is dropped.
    pub fn of(kind: &str, error: &(dyn Error + 'static)) -> Failure {
        let mut chain = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source.filter(|_| chain.len() < CHAIN_MAX) {
            chain.push(cut(cause.to_string()));
            source = cause.source();
        }
        Failure {
            kind: Cow::Owned(short_type_name(kind)),
            message: cut(error.to_string()),
            chain,
            location: None,
        }
    }

    /// Describes a panic by what `std::panic::catch_unwind` returned.
    pub fn of_panic(payload: &(dyn std::any::Any + Send)) -> Failure {
        let message = payload
            .downcast_ref::<&'static str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "the panic's payload is no text".to_owned());
        Failure::new(PANIC, message)
    }

    /// Sets where it happened, unless that is known.
    #[must_use]
    pub fn at(mut self, location: impl fmt::Display) -> Failure {
        self.location.get_or_insert_with(|| location.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        for cause in &self.chain {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

/// Cuts a message to its limit.
fn cut(message: String) -> String {
    cut_to(message, MESSAGE_BYTES_MAX)
}

/// Cuts a text to `limit` bytes at a character's edge, and says so. A NUL, which Postgres' text refuses, becomes `␀`.
pub(crate) fn cut_to(text: String, limit: usize) -> String {
    let text = if text.contains('\0') { text.replace('\0', "␀") } else { text };
    if text.len() <= limit {
        return text;
    }
    let end = text.floor_char_boundary(limit);
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept}… ({} bytes cut)", text.len() - end)
}

/// Drops the path before a type's name, and keeps its parameters: `a::B<c::D>` → `B<D>`.
fn short_type_name(path: &str) -> String {
    let mut name = String::new();
    for part in path.split_inclusive(['<', '>', ',', ' ', '&', '(', ')', '[', ']']) {
        name.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    name
}
