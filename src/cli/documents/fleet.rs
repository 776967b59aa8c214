//! What is served, by whom, and who did what.

use serde::Deserialize;

use crate::model::Timestamp;

/// A workflow's version.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Workflow {
    pub(in crate::cli) name: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) nodes: u32,
    pub(in crate::cli) registered_at: Timestamp,
    pub(in crate::cli) timeout_ms: Option<u64>,
    #[serde(default)]
    pub(in crate::cli) paused: Vec<Pause>,
    pub(in crate::cli) tasks: Vec<Planned>,
}

/// Where a workflow is paused.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Pause {
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) since: Timestamp,
    pub(in crate::cli) by: Option<String>,
    pub(in crate::cli) reason: Option<String>,
}

/// A workflow's limit.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Limit {
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) slots: u32,
    pub(in crate::cli) starts: Option<u32>,
    pub(in crate::cli) window_ms: Option<u64>,
    pub(in crate::cli) quiet_ms: Option<u64>,
    pub(in crate::cli) max_wait_ms: Option<u64>,
    pub(in crate::cli) policy: String,
    pub(in crate::cli) by: String,
    pub(in crate::cli) at: Option<String>,
    pub(in crate::cli) since: Timestamp,
}

/// How a key stands.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct LimitKey {
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) key: String,
    pub(in crate::cli) running: u32,
    pub(in crate::cli) waiting: u32,
}

/// What pausing or resuming came to.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Paused {
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) paused: bool,
    pub(in crate::cli) changed: bool,
}

/// A task of a workflow.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Planned {
    pub(in crate::cli) name: String,
}

/// A process that executes runs.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Node {
    pub(in crate::cli) id: i32,
    pub(in crate::cli) name: String,
    pub(in crate::cli) pid: u32,
    pub(in crate::cli) release: String,
    pub(in crate::cli) alive: bool,
    pub(in crate::cli) joined_at: Timestamp,
    pub(in crate::cli) left_at: Option<Timestamp>,
    pub(in crate::cli) slots: Option<u32>,
    pub(in crate::cli) runs: u64,
    pub(in crate::cli) served: Vec<Served>,
}

/// A workflow's version that a node serves.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Served {
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) version: String,
}

/// What somebody did.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Deed {
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) who: String,
    pub(in crate::cli) action: String,
    pub(in crate::cli) run: Option<String>,
    pub(in crate::cli) reason: Option<String>,
    pub(in crate::cli) outcome: String,
}
