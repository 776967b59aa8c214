//! What starts runs from outside.

use serde::Deserialize;

use crate::model::Timestamp;

/// A trigger event, and what came of it.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct TriggerEvent {
    pub(in crate::cli) id: String,
    pub(in crate::cli) key: String,
    pub(in crate::cli) pushed_at: Timestamp,
    pub(in crate::cli) pushed_by: Option<String>,
    pub(in crate::cli) outcomes: Vec<Outcome>,
    pub(in crate::cli) created: Option<bool>,
}

/// What became of it at one subscription.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Outcome {
    pub(in crate::cli) subscription: String,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) run: Option<String>,
    pub(in crate::cli) refused: Option<String>,
}

/// A subscription.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Subscription {
    pub(in crate::cli) name: String,
    pub(in crate::cli) key: String,
    pub(in crate::cli) filter: Option<String>,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) declared: bool,
    pub(in crate::cli) created_by: Option<String>,
}

/// What became of a signal to many runs.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Signalled {
    pub(in crate::cli) sent: u64,
    pub(in crate::cli) ended: u64,
}
