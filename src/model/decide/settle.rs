//! What follows when an attempt ends: the next tasks, a retry, the on-failure task, the run's end.

use super::{after, attempt_started};
use crate::model::Timestamp;
use crate::model::command::Now;
use crate::model::event::{Allowed, Event, RunCancelled, RunEvent, RunFailed, RunSucceeded};
use crate::model::failure::Failure;
use crate::model::ids::TaskName;
use crate::model::plan::{Plan, Role};
use crate::model::retry::Verdict;
use crate::model::state::{RunState, TaskState};
use crate::model::status::TaskStatus;

/// How an attempt ended, for its run.
pub(super) enum AttemptOutcome {
    /// The task has its output.
    Succeeded,
    /// The task is tried again later.
    Retried,
    /// The task failed for good.
    Failed(Failure),
}

impl AttemptOutcome {
    pub(super) fn failed(error: Failure, retry_at: Option<Timestamp>) -> AttemptOutcome {
        match retry_at {
            Some(_) => AttemptOutcome::Retried,
            None => AttemptOutcome::Failed(error),
        }
    }
}

/// Returns when the attempt after `attempt` begins; `None` when there is none: the policy is exhausted, the run is
/// being cancelled, or another task failed for good and the run only comes to rest.
pub(super) fn retry_at(
    state: &RunState,
    at: usize,
    attempt: u32,
    verdict: Verdict,
    now: Now<'_>,
) -> Option<Timestamp> {
    let role = state.tasks.get(at)?.role;
    if state.cancel.is_some() || (role == Role::Task && state.first_failure().is_some()) {
        return None;
    }
    let delay = now.rules.tasks.get(at)?.retry.delay(attempt, verdict, now.chance)?;
    Some(after(now.at, delay))
}

/// Returns what the code allowed an attempt at the task in place `at`, for people.
pub(super) fn allowed(at: usize, verdict: Verdict, now: Now<'_>) -> Option<Allowed> {
    now.rules.tasks.get(at).map(|rules| rules.retry.allowed(verdict))
}

/// Adds what follows from the end of the running attempt at the task in place `ended`.
pub(super) fn after_attempt(
    state: &RunState,
    ended: usize,
    outcome: AttemptOutcome,
    now: Now<'_>,
    events: &mut Vec<Event>,
) {
    let Some(plan) = &state.plan else { return };
    let others_run =
        state.tasks.iter().enumerate().any(|(at, task)| at != ended && task.status == TaskStatus::Running);
    if let Some(cancel) = &state.cancel {
        if !others_run {
            let (reason, by) = (cancel.reason.clone(), cancel.by.clone());
            events.push(RunEvent::from(RunCancelled { reason, by }).into());
        }
        return;
    }
    let Some(task) = state.tasks.get(ended) else { return };
    let failure = first_failure(state, task, &outcome);
    match (task.role, outcome, failure) {
        (Role::OnFailure, AttemptOutcome::Retried, _) => {}
        (Role::OnFailure, _, Some((task, error))) => events.push(failed(task, error)),
        (Role::Task, _, Some(first)) => come_to_rest(state, plan, ended, others_run, first, now, events),
        (Role::Task, AttemptOutcome::Succeeded, None) => go_on(state, plan, ended, now, events),
        (Role::Task | Role::OnFailure, _, None) => {}
    }
}

/// Starts the tasks that waited for `ended`, or ends the run when none is left.
fn go_on(state: &RunState, plan: &Plan, ended: usize, now: Now<'_>, events: &mut Vec<Event>) {
    if plan.is_conditional() {
        // What follows is decided on the state after the events, with the conditions.
        return;
    }
    let has_output = |at: usize| at == ended || state.tasks.get(at).is_some_and(TaskState::has_output);
    let tasks = || plan.tasks.iter().enumerate().filter(|(_, task)| task.role == Role::Task);
    if tasks().all(|(at, _)| has_output(at)) {
        events.push(RunEvent::from(RunSucceeded {}).into());
        return;
    }
    for (at, task) in tasks() {
        let waited = task.after.iter().any(|before| usize::from(*before) == ended);
        let ready = task.after.iter().all(|before| has_output(usize::from(*before)));
        let begun = state.tasks.get(at).is_none_or(|task| task.status != TaskStatus::Queued);
        if waited && ready && !begun {
            events.push(attempt_started(&task.name, at, 1, now));
        }
    }
}

/// Once nothing runs any more in a run with a failed task: begins the on-failure task, or ends the run.
fn come_to_rest(
    state: &RunState,
    plan: &Plan,
    ended: usize,
    others_run: bool,
    (task, error): (TaskName, Failure),
    now: Now<'_>,
    events: &mut Vec<Event>,
) {
    if others_run {
        return;
    }
    let handler =
        plan.tasks.iter().enumerate().find(|(at, task)| task.role == Role::OnFailure && *at != ended);
    let begun = handler.and_then(|(at, _)| state.tasks.get(at)).is_some_and(|task| task.attempt() > 0);
    match handler {
        Some((at, task)) if !begun => events.push(attempt_started(&task.name, at, 1, now)),
        _ => events.push(failed(task, error)),
    }
}

/// Returns the run's first failure, with the outcome that is just being decided.
fn first_failure(
    state: &RunState,
    ended: &TaskState,
    outcome: &AttemptOutcome,
) -> Option<(TaskName, Failure)> {
    let recorded = state.first_failure().map(|(task, error)| (task.name.clone(), error.clone()));
    recorded.or_else(|| match outcome {
        AttemptOutcome::Failed(error) if ended.role == Role::Task => {
            Some((ended.name.clone(), error.clone()))
        }
        AttemptOutcome::Failed(_) | AttemptOutcome::Succeeded | AttemptOutcome::Retried => None,
    })
}

fn failed(task: TaskName, error: Failure) -> Event {
    RunEvent::from(RunFailed { task: Some(task), error }).into()
}
