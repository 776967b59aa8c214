//! What follows from the passing of time.

use super::settle::{self, AttemptOutcome};
use super::{attempt_started, task_event};
use crate::model::command::Now;
use crate::model::event::{
    AttemptFailed, Event, RunCancelled, RunEvent, RunSucceeded, RunTimedOut, SignalTimedOut, TaskEvent,
    Timeout, TimerFired,
};
use crate::model::failure::{Failure, TASK_TIMED_OUT};
use crate::model::retry::Verdict;
use crate::model::state::{OpState, RunState, TaskState};
use crate::model::status::{Status, TaskStatus};

/// Returns what is due at `now`: an end of the run first, for nothing may follow it.
pub(super) fn decide(state: &RunState, now: Now<'_>) -> Vec<Event> {
    if let Some(end) = overdue_end(state, now) {
        return vec![end.into()];
    }
    if state.status != Status::Running {
        return Vec::new();
    }
    if state.is_complete() {
        return vec![RunEvent::from(RunSucceeded {}).into()];
    }
    // Retries and timeouts are the code's: without it, attempts neither end nor begin.
    let has_code = |at: usize| at < now.rules.tasks.len();
    let mut events = Vec::new();
    for (at, task) in state.tasks.iter().enumerate().filter(|(_, task)| task.status == TaskStatus::Running) {
        fire(task, now, &mut events);
        if has_code(at) && times_out(state, at, task, now, &mut events) {
            // One end of an attempt a decision: what follows from it is decided on the state before it. For the
            // same reason no retry begins beside it: the run may come to rest.
            return events;
        }
    }
    for (at, task) in state.tasks.iter().enumerate() {
        if has_code(at) && task.retry_at.is_some_and(|retry_at| retry_at <= now.at) {
            events.extend(retry(state, at, task, now));
        }
    }
    events
}

fn overdue_end(state: &RunState, now: Now<'_>) -> Option<RunEvent> {
    let passed = |deadline: Option<crate::model::Timestamp>| deadline.filter(|deadline| *deadline <= now.at);
    let timed_out = |timeout, deadline| RunTimedOut { timeout, deadline }.into();
    match state.status {
        Status::Queued => passed(state.origin.start_deadline).map(|at| timed_out(Timeout::Start, at)),
        Status::Running => {
            let cancel = state.cancel.as_ref().filter(|cancel| cancel.abort_at <= now.at);
            let cancelled =
                cancel.map(|cancel| RunCancelled { reason: cancel.reason.clone(), by: cancel.by.clone() });
            cancelled.map(RunEvent::from).or_else(|| {
                passed(state.deadline.filter(|_| state.cancel.is_none()))
                    .map(|at| timed_out(Timeout::Run, at))
            })
        }
        Status::Succeeded | Status::Failed | Status::Cancelled | Status::TimedOut => None,
    }
}

/// Fires the sleeps and signal deadlines that are due. A step's retry needs no event: the code is told.
fn fire(task: &TaskState, now: Now<'_>, events: &mut Vec<Event>) {
    for (_, key) in task.due.iter().take_while(|(at, _)| *at <= now.at) {
        let event = match task.ops.get(key).map(|op| &op.state) {
            Some(OpState::Timer { fired: false, .. }) => TaskEvent::from(TimerFired { op: key.clone() }),
            Some(OpState::Signal { outcome: None, .. }) => SignalTimedOut { op: key.clone() }.into(),
            _ => continue,
        };
        events.push(task_event(&task.name, task.attempt(), event));
    }
}

fn times_out(state: &RunState, at: usize, task: &TaskState, now: Now<'_>, events: &mut Vec<Event>) -> bool {
    let Some(attempt) = task.attempts.last() else { return false };
    let Some(deadline) = attempt.deadline.filter(|deadline| *deadline <= now.at) else { return false };
    // The deadline counts from the decision to begin, a little before the beginning was committed; code may have moved it.
    let took = u128::try_from((deadline - attempt.started_at).num_milliseconds()).unwrap_or_default();
    let rule =
        now.rules.tasks.get(at).and_then(|rules| rules.timeout).map_or(0, |timeout| timeout.as_millis());
    let message = format!("attempt {} took longer than its {} ms", task.attempt(), took.max(rule));
    let error = Failure::new(TASK_TIMED_OUT, message);
    let retry_at = settle::retry_at(state, at, task.attempt(), Verdict::Retry, now);
    let outcome = AttemptOutcome::failed(error.clone(), retry_at);
    let allowed = settle::allowed(at, Verdict::Retry, now);
    events.push(task_event(&task.name, task.attempt(), AttemptFailed { error, retry_at, allowed }));
    settle::after_attempt(state, at, outcome, now, events);
    true
}

/// Begins the next attempt, unless another task failed for good meanwhile: then the task stays where it is.
fn retry(state: &RunState, at: usize, task: &TaskState, now: Now<'_>) -> Option<Event> {
    let gives_up = task.role == crate::model::plan::Role::Task && state.first_failure().is_some();
    (!gives_up && state.cancel.is_none()).then(|| attempt_started(&task.name, at, task.attempt() + 1, now))
}
