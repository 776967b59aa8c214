//! What can go wrong when the REST interface is asked, and which exit code it is.

use axum::http::StatusCode;
use serde::Deserialize;

use crate::cli::exit::Exit;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Failure {
    /// The arguments cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers.
    #[error("{what} does not answer: {why}")]
    Unreachable {
        /// Who.
        what: String,
        /// What the attempt said.
        why: String,
    },
    /// The answer is a refusal.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The answer is none of ours.
    #[error("the answer cannot be read: {0}; is there a runlog of this release at that address?")]
    Answer(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Nobody reads what is printed, or a file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// A refusal as RFC 9457 has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Problem {
    pub(in crate::cli) status: u16,
    pub(in crate::cli) code: String,
    pub(in crate::cli) title: String,
    pub(in crate::cli) detail: String,
    /// Where a filter does not parse: a character's place, from 1.
    pub(in crate::cli) column: Option<usize>,
    pub(in crate::cli) suggestion: Option<String>,
    pub(in crate::cli) request_id: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "{text}")?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "\ndid you mean {suggestion}?")?;
        }
        if self.status >= 500 {
            write!(f, " ({}, request {})", self.code, self.request_id)?;
        }
        Ok(())
    }
}

impl Failure {
    /// Reads a refusal.
    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Failure {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) if !problem.code.is_empty() => Failure::Refused(Box::new(problem)),
            _ => Failure::Answer(format!("HTTP status {status}")),
        }
    }

    pub(super) fn answer(error: serde_json::Error) -> Failure {
        Failure::Answer(error.to_string())
    }

    /// Returns the exit code.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) => Exit::Usage,
            Failure::Unreachable { .. } => Exit::Unreachable,
            Failure::NotFound(_) => Exit::NotFound,
            Failure::Answer(_) | Failure::Io(_) | Failure::Other(_) => Exit::Error,
            Failure::Refused(problem) => match problem.status {
                400 | 422 => Exit::Usage,
                401 | 403 => Exit::Access,
                404 | 410 => Exit::NotFound,
                409 => Exit::Conflict,
                503 => Exit::Unreachable,
                _ => Exit::Error,
            },
        }
    }
}
