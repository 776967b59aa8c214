//! What starts runs by the clock.

use serde::Deserialize;

use crate::model::Timestamp;

/// A schedule.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Schedule {
    pub(in crate::cli) name: String,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) cron: Option<String>,
    pub(in crate::cli) zone: Option<String>,
    pub(in crate::cli) at: Option<Timestamp>,
    pub(in crate::cli) misfire: String,
    pub(in crate::cli) state: String,
    pub(in crate::cli) next_at: Option<Timestamp>,
    pub(in crate::cli) last_due: Option<Timestamp>,
    pub(in crate::cli) last_run: Option<String>,
    pub(in crate::cli) fired: u64,
    pub(in crate::cli) error: Option<String>,
    pub(in crate::cli) paused_by: Option<String>,
}

/// What was done to many of them.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct SchedulesDone {
    pub(in crate::cli) done: u64,
}
