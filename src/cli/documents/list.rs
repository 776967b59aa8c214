//! Lists of runs, of failures, and of lines.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Timestamp;

/// A run of a list.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Listed {
    pub(in crate::cli) id: String,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) status: String,
    /// An older service does not say.
    #[serde(default)]
    pub(in crate::cli) archived: bool,
    pub(in crate::cli) created_at: Timestamp,
    pub(in crate::cli) execution_ms: Option<u64>,
    pub(in crate::cli) failure: Option<ListedFailure>,
}

/// Why a listed run failed.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ListedFailure {
    pub(in crate::cli) task: Option<String>,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) message: String,
}

/// Runs that failed, by their cause.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Failures {
    pub(in crate::cli) data: Vec<Group>,
    pub(in crate::cli) capped: bool,
}

/// Runs that failed for one cause.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Group {
    pub(in crate::cli) fingerprint: String,
    pub(in crate::cli) count: u64,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) task: Option<String>,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) message: String,
    pub(in crate::cli) first: Timestamp,
    pub(in crate::cli) last: Timestamp,
    pub(in crate::cli) newest: String,
}

/// Lines that a run's code wrote.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Logs {
    pub(in crate::cli) data: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(in crate::cli) next: Option<String>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct LogLine {
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) level: String,
    pub(in crate::cli) task: String,
    pub(in crate::cli) attempt: u32,
    pub(in crate::cli) dropped: u32,
    pub(in crate::cli) message: String,
}
