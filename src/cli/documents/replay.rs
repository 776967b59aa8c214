//! What a replay takes over.

use serde::Deserialize;

use super::Run;

/// A replay, or what one would do.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Replayed {
    pub(in crate::cli) run: Option<Run>,
    pub(in crate::cli) plan: ReplayPlan,
}

/// What a replay takes over, and what it does not.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ReplayPlan {
    pub(in crate::cli) of: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) reused: Vec<String>,
    #[serde(default)]
    pub(in crate::cli) skipped: Vec<String>,
    pub(in crate::cli) resumed: Vec<Resumed>,
    pub(in crate::cli) rerun: Vec<String>,
    pub(in crate::cli) not_reused: Vec<NotReused>,
}

/// A task that goes on.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Resumed {
    pub(in crate::cli) task: String,
    pub(in crate::cli) ops: Vec<String>,
}

/// A task whose work is not taken over.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct NotReused {
    pub(in crate::cli) task: String,
    pub(in crate::cli) reason: String,
}
