//! What a replay took over, seen as what it stands for.

use std::collections::BTreeSet;

use super::course::{Lane, ending};
use crate::model::event::{ReusedOp, TaskEvent};
use crate::model::fingerprint::normalised;
use crate::model::{Event, Recorded, TaskName};

/// What replays among two logs took over.
pub(super) struct Reuse<'a> {
    /// Whether there is any: signals that it took over did not come to it.
    any: bool,
    /// Tasks whose output was taken over: their operations were not.
    tasks: BTreeSet<&'a TaskName>,
}

impl<'a> Reuse<'a> {
    pub(super) fn of(events: impl Iterator<Item = &'a Recorded>) -> Reuse<'a> {
        let mut reuse = Reuse { any: false, tasks: BTreeSet::new() };
        for recorded in events.filter(|recorded| is_reused(recorded)) {
            reuse.any = true;
            if let Event::Task(place, TaskEvent::TaskReused(_)) = &recorded.event {
                reuse.tasks.insert(&place.task);
            }
        }
        reuse
    }

    /// Says whether a lane of one log can have no like in the other.
    pub(super) fn hides(&self, lane: &Lane<'_>) -> bool {
        match lane {
            Lane::Run | Lane::Task(_) => false,
            Lane::Signal(_) => self.any,
            Lane::Op(task, _) => self.tasks.contains(task),
        }
    }
}

/// Says whether a replay took over what the event is about.
pub(super) fn is_reused(recorded: &Recorded) -> bool {
    matches!(&recorded.event, Event::Task(_, TaskEvent::TaskReused(_) | TaskEvent::OpReused(_)))
}

/// Returns the kind of the event that recorded the outcome, and what that says of its course.
pub(super) fn course(recorded: &ReusedOp) -> (&'static str, String) {
    match recorded {
        ReusedOp::Step { .. } => ("step_completed", String::new()),
        ReusedOp::FailedStep { error, .. } => ("step_failed", ending(error, false)),
        ReusedOp::BegunStep { .. } => ("step_started", String::new()),
        ReusedOp::Sleep { .. } => ("timer_fired", String::new()),
        ReusedOp::Signal { signal, .. } => ("signal_awaited", signal.to_string()),
        ReusedOp::MissedSignal { .. } => ("signal_timed_out", String::new()),
        ReusedOp::Child { outcome, .. } => ("child_finished", outcome.status.to_string()),
        ReusedOp::ReplayedChild { .. } => ("child_started", String::new()),
        ReusedOp::Race { winner, .. } => ("race_won", winner.to_string()),
        ReusedOp::Now { .. } => ("time_read", String::new()),
        ReusedOp::Abandoned => ("wait_abandoned", String::new()),
    }
}

/// Writes what the event that recorded the outcome carried.
pub(super) fn carried(recorded: &ReusedOp) -> String {
    let hash = |hash: &Option<String>| hash.clone().unwrap_or_default();
    match recorded {
        ReusedOp::Step { input_hash, output, .. } => format!("{} {output}", hash(input_hash)),
        ReusedOp::FailedStep { input_hash, error, .. } => {
            format!("{} {}", hash(input_hash), normalised(&error.message))
        }
        ReusedOp::BegunStep { input_hash, .. } => hash(input_hash),
        ReusedOp::ReplayedChild { input_hash, .. } => input_hash.clone(),
        ReusedOp::Child { outcome, .. } => {
            let output = outcome.output.as_ref().map(ToString::to_string);
            let error = || outcome.error.as_ref().map(|error| normalised(&error.message));
            output.or_else(error).unwrap_or_default()
        }
        // The wait's own event does not carry what came.
        ReusedOp::Signal { .. }
        | ReusedOp::Sleep { .. }
        | ReusedOp::MissedSignal { .. }
        | ReusedOp::Race { .. }
        | ReusedOp::Now { .. }
        | ReusedOp::Abandoned => String::new(),
    }
}
