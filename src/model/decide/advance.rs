//! What follows from an attempt's own reports.

use std::time::Duration;

use super::settle::{self, AttemptOutcome};
use super::{after, task_event};
use crate::model::Timestamp;
use crate::model::command::{Now, Rejection, Report, WaitUntil};
use crate::model::event::{
    AttemptFailed, AttemptSucceeded, Event, PatchMarked, RaceWon, SignalAwaited, StepCompleted, StepFailed,
    StepStarted, TaskEvent, TimeRead, TimeoutExtended, TimerStarted, WaitAbandoned,
};
use crate::model::ids::{OpKey, TaskName};
use crate::model::state::{Op, OpState, RunState, TaskState};
use crate::model::status::TaskStatus;

pub(super) fn decide(
    state: &RunState,
    name: TaskName,
    attempt: u32,
    reports: Vec<Report>,
    now: Now<'_>,
) -> Result<Vec<Event>, Rejection> {
    let current = state.task(&name).filter(|(_, task)| is_current(task, attempt));
    let Some((at, task)) = current else { return Err(Rejection::Stale { task: name, attempt }) };
    let mut events = Vec::with_capacity(reports.len() + 2);
    for report in reports {
        if let Some((op, report)) = contradiction(task, attempt, &report) {
            return Err(Rejection::Contradicts { task: name, report, op: op.clone() });
        }
        let (event, outcome) = match report {
            Report::Succeeded { output } => {
                (TaskEvent::from(AttemptSucceeded { output }), Some(AttemptOutcome::Succeeded))
            }
            Report::Failed { error, verdict } => {
                let retry_at = settle::retry_at(state, at, attempt, verdict, now);
                let failure = error.clone();
                let outcome = AttemptOutcome::failed(failure, retry_at);
                let allowed = settle::allowed(at, verdict, now);
                (TaskEvent::from(AttemptFailed { error, retry_at, allowed }), Some(outcome))
            }
            // Nothing new begins any more; the code is told of the cancellation instead.
            Report::StartChild { .. } if state.cancel.is_some() => continue,
            Report::StartChild { child } => (child.into(), None),
            Report::PatchMarked { patch, .. } if task.patches.contains_key(&patch) => continue,
            report => (decide_op(task, attempt, report, now), None),
        };
        events.push(task_event(&name, attempt, event));
        if let Some(outcome) = outcome {
            settle::after_attempt(state, at, outcome, now, &mut events);
            break;
        }
    }
    Ok(events)
}

fn is_current(task: &TaskState, attempt: u32) -> bool {
    task.status == TaskStatus::Running && task.attempt() == attempt
}

fn decide_op(task: &TaskState, attempt: u32, report: Report, now: Now<'_>) -> TaskEvent {
    match report {
        Report::StepStarted { op, input_hash } => StepStarted { op, input_hash }.into(),
        Report::StepCompleted { op, input_hash, output, took } => {
            StepCompleted { op, input_hash, output, us: micros(took) }.into()
        }
        Report::StepFailed { op, input_hash, error, verdict, retry, took } => {
            let tries = tries_before(task, attempt, &op) + 1;
            let retry_at = retry.delay(tries, verdict, now.chance).map(|delay| after(now.at, delay));
            let allowed = Some(retry.allowed(verdict));
            StepFailed { op, input_hash, error, retry_at, allowed, us: micros(took) }.into()
        }
        Report::Sleep { op, until } => TimerStarted { op, fire_at: instant(until, now.at) }.into(),
        Report::AwaitSignal { op, signal, key, timeout } => {
            let deadline = timeout.map(|timeout| after(now.at, timeout));
            SignalAwaited { op, signal, key, deadline }.into()
        }
        Report::RaceWon { op, winner, lost, spawned } => RaceWon { op, winner, lost, spawned }.into(),
        Report::TimeRead { op, now } => TimeRead { op, now }.into(),
        Report::PatchMarked { patch, applies } => PatchMarked { patch, applies }.into(),
        Report::Abandon { op } => WaitAbandoned { op }.into(),
        Report::Extend { by } => TimeoutExtended { deadline: after(now.at, by) }.into(),
        Report::StartChild { child } => child.into(),
        Report::Succeeded { output } => AttemptSucceeded { output }.into(),
        Report::Failed { error, .. } => AttemptFailed { error, retry_at: None, allowed: None }.into(),
    }
}

fn instant(until: WaitUntil, now: Timestamp) -> Timestamp {
    match until {
        WaitUntil::After(wait) => after(now, wait),
        WaitUntil::At(at) => at,
    }
}

fn tries_before(task: &TaskState, attempt: u32, op: &OpKey) -> u32 {
    match task.ops.get(op) {
        Some(Op { attempt: at, state: OpState::StepFailed { times, .. }, .. }) if *at == attempt => {
            times.tries
        }
        _ => 0,
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// Returns the operation of a report that cannot follow what is recorded of it: `evolve` would refuse the event after
/// it was committed.
fn contradiction<'r>(
    task: &TaskState,
    attempt: u32,
    report: &'r Report,
) -> Option<(&'r OpKey, &'static str)> {
    let (op, what, begins) = match report {
        Report::StepStarted { op, .. } => (op, "the beginning of step", true),
        Report::StepCompleted { op, .. } => (op, "the outcome of step", false),
        Report::StepFailed { op, .. } => (op, "a failed try of step", false),
        Report::Sleep { op, .. } => (op, "the beginning of sleep", true),
        Report::AwaitSignal { op, .. } => (op, "the beginning of a wait for signal", true),
        Report::StartChild { child } => (&child.op, "the start of child", true),
        Report::RaceWon { op, .. } => (op, "the winner of race", true),
        Report::TimeRead { op, .. } => (op, "a reading of the clock", true),
        Report::PatchMarked { .. }
        | Report::Abandon { .. }
        | Report::Extend { .. }
        | Report::Succeeded { .. }
        | Report::Failed { .. } => return None,
    };
    let fits = match task.ops.get(op).map(|recorded| (recorded.attempt, &recorded.state)) {
        None => true,
        Some((at, OpState::Abandoned)) => begins && at < attempt,
        Some((at, OpState::StepFailed { .. })) => !begins || at < attempt,
        Some((_, OpState::StepStarted { .. })) => !begins,
        Some(_) => false,
    };
    (!fits).then_some((op, what))
}
