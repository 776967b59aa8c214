//! One action on many runs.

use serde::{Deserialize, Serialize};

use super::ReplayPlan;
use crate::model::Timestamp;

/// An action.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Bulk {
    pub(in crate::cli) id: String,
    pub(in crate::cli) action: String,
    pub(in crate::cli) total: u32,
    pub(in crate::cli) done: u32,
    pub(in crate::cli) refused: u32,
    pub(in crate::cli) finished_at: Option<Timestamp>,
}

/// What an action would do.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct BulkPreview {
    pub(in crate::cli) count: u64,
    pub(in crate::cli) sample: Vec<BulkIntent>,
}

/// What it would do to one run.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct BulkIntent {
    pub(in crate::cli) run: String,
    pub(in crate::cli) run_status: Option<String>,
    pub(in crate::cli) plan: Option<ReplayPlan>,
    pub(in crate::cli) detail: Option<String>,
}

/// What it did to one run.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::cli) struct BulkItem {
    pub(in crate::cli) run: String,
    pub(in crate::cli) outcome: Option<String>,
    pub(in crate::cli) detail: Option<String>,
    pub(in crate::cli) new_run: Option<String>,
}
