//! Folds events into the state; refuses what the past forbids, and knows no policy.

mod run;
mod task;
mod reuse;
mod condition;

use super::event::{Event, Recorded, RunEvent, TaskEvent};
use super::ids::RunId;
use super::state::RunState;
use super::status::Status;

/// An event that cannot follow the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run {run}: event {seq} ({kind}) is illegal: {reason}")]
pub struct IllegalEvent {
    /// The run.
    pub run: RunId,
    /// Where in its log.
    pub seq: u32,
    /// The event's kind.
    pub kind: &'static str,
    /// What forbids it.
    pub reason: String,
}

/// Makes the state of a run from its first event.
///
/// # Errors
/// [`IllegalEvent`] unless that is RunCreated at seq 1.
pub fn born(run: RunId, first: &Recorded) -> Result<RunState, IllegalEvent> {
    match &first.event {
        Event::Run(RunEvent::Created(created)) if first.seq == 1 => Ok(run::created(run, first, created)),
        _ => Err(illegal(run, first, "a log begins with run_created at seq 1")),
    }
}

/// Folds one event into the state.
///
/// # Errors
/// [`IllegalEvent`] when the state forbids it: the log is damaged or was written by code with a bug, and the run
/// must not go on.
pub fn evolve(mut state: RunState, recorded: &Recorded) -> Result<RunState, IllegalEvent> {
    fold_in(&mut state, recorded)?;
    Ok(state)
}

/// As [`evolve`], in place: a state is some hundred bytes, and hot paths fold every event twice. After an error the state
/// is of no use.
pub(crate) fn fold_in(state: &mut RunState, recorded: &Recorded) -> Result<(), IllegalEvent> {
    let run = state.id;
    if recorded.seq != state.seq + 1 {
        return Err(illegal(run, recorded, format!("seq {} follows {}", recorded.seq, state.seq)));
    }
    if state.status.is_terminal() {
        return Err(illegal(run, recorded, format!("the run ended as {}", state.status)));
    }
    let folded = match &recorded.event {
        Event::Run(event) => run::evolve(state, recorded, event),
        Event::Task(place, TaskEvent::TaskReused(event)) => reuse::task(state, place, event),
        Event::Task(place, TaskEvent::TaskResumed(event)) => reuse::resume(state, place, event),
        Event::Task(place, TaskEvent::OpReused(event)) => reuse::op(state, place, event),
        Event::Task(place, TaskEvent::TaskSkipped(event)) if state.status == Status::Queued => {
            reuse::skip(state, place, event)
        }
        Event::Task(place, TaskEvent::ChildFinished(event)) if state.status == Status::Queued => {
            reuse::child_finished(state, place, event)
        }
        Event::Task(place, event) => task::evolve(state, recorded, place, event),
    };
    folded.map_err(|reason| illegal(run, recorded, reason))?;
    state.seq = recorded.seq;
    state.last_at = state.last_at.max(recorded.at);
    state.node = recorded.node.or(state.node);
    Ok(())
}

/// Folds a whole log.
///
/// # Errors
/// [`IllegalEvent`] at the first event that does not fit; `Ok(None)` for an empty log.
pub fn fold(run: RunId, log: &[Recorded]) -> Result<Option<RunState>, IllegalEvent> {
    let Some((first, rest)) = log.split_first() else { return Ok(None) };
    rest.iter().try_fold(born(run, first)?, evolve).map(Some)
}

fn illegal(run: RunId, recorded: &Recorded, reason: impl Into<String>) -> IllegalEvent {
    IllegalEvent { run, seq: recorded.seq, kind: recorded.event.kind(), reason: reason.into() }
}
