//! How long runs are kept.

use serde::Deserialize;

use crate::model::Timestamp;

/// The policies, and what the passes that see to them came to.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Retention {
    pub(in crate::cli) policies: Vec<Policy>,
    pub(in crate::cli) under_way_by: Option<String>,
    pub(in crate::cli) begun_at: Option<Timestamp>,
    pub(in crate::cli) ended_at: Option<Timestamp>,
    pub(in crate::cli) next_at: Timestamp,
    pub(in crate::cli) error: Option<String>,
    pub(in crate::cli) archived: u64,
    pub(in crate::cli) deleted: u64,
    pub(in crate::cli) archived_ever: u64,
    pub(in crate::cli) deleted_ever: u64,
}

/// How long some runs are kept.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Policy {
    pub(in crate::cli) namespace: Option<String>,
    pub(in crate::cli) workflow: Option<String>,
    pub(in crate::cli) archive_after_ms: Option<u64>,
    pub(in crate::cli) delete_after_ms: Option<u64>,
}

/// What became of exported runs.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Imported {
    pub(in crate::cli) data: Vec<ImportedRun>,
}

/// What became of one of them.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ImportedRun {
    pub(in crate::cli) run: String,
    #[serde(default)]
    pub(in crate::cli) redacted: bool,
}
