//! What a schedule looks like.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::body::{Sight, Time};
use crate::model::Payload;
use crate::store::ScheduleRow;

/// A schedule.
#[derive(Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(in crate::http::routes) struct ScheduleBody {
    /// Its name, unique in the namespace.
    name: String,
    /// Whose it is, and its runs.
    namespace: String,
    /// Which workflow it starts.
    workflow: String,
    /// When, again and again.
    cron: Option<String>,
    /// On which wall clock `cron` is read.
    zone: Option<String>,
    /// When, once.
    at: Option<Time>,
    /// What each run is given; left out without `read_payload`, and where it is large.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    input: Option<Payload>,
    /// Bytes of it.
    input_bytes: usize,
    /// Tags of each run.
    metadata: BTreeMap<String, String>,
    /// Of each run.
    priority: i16,
    /// What becomes of missed occurrences: `skip`, `once` or `all:N`.
    misfire: String,
    /// `active`, `paused` or `ended`.
    state: &'static str,
    /// The next occurrence, if one comes and it is not paused.
    next_at: Option<Time>,
    /// The occurrence that was started last.
    last_due: Option<Time>,
    /// Its run.
    last_run: Option<String>,
    /// How many runs it has started.
    fired: u64,
    /// Why the next occurrence could not be started; it is tried again.
    error: Option<String>,
    /// How often in a row.
    failures: u32,
    /// Since when it is paused.
    paused_at: Option<Time>,
    /// Who paused it.
    paused_by: Option<String>,
    /// Whether code declares it.
    declared: bool,
    /// When it was made.
    created_at: Time,
    /// Who made it or changed it last.
    created_by: Option<String>,
    /// When its last occurrence was over; a one-off schedule is listed for a week after that.
    ended_at: Option<Time>,
}

impl ScheduleBody {
    pub(super) fn new(row: &ScheduleRow, sight: Sight) -> ScheduleBody {
        let spec = &row.spec;
        let input = sight.show(&spec.input);
        let state = match (row.paused_at, row.next_at) {
            (Some(_), _) => "paused",
            (None, Some(_)) => "active",
            (None, None) => "ended",
        };
        ScheduleBody {
            name: spec.name.to_string(),
            namespace: spec.namespace.to_string(),
            workflow: spec.workflow.to_string(),
            cron: spec.times.expression().map(ToOwned::to_owned),
            zone: spec.times.zone().map(ToOwned::to_owned),
            at: spec.times.once().map(Time),
            input: input.value,
            input_bytes: input.bytes,
            metadata: spec.metadata.clone(),
            priority: spec.priority,
            misfire: spec.misfire.to_string(),
            state,
            next_at: row.next_at.filter(|_| row.paused_at.is_none()).map(Time),
            last_due: row.last_due.map(Time),
            last_run: row.last_run.map(|run| run.to_string()),
            fired: row.fired,
            error: row.failure.clone(),
            failures: row.failures,
            paused_at: row.paused_at.map(Time),
            paused_by: row.paused_by.clone(),
            declared: row.declared,
            created_at: Time(row.created_at),
            created_by: row.created_by.clone(),
            ended_at: row.ended_at.map(Time),
        }
    }
}
