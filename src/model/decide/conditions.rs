//! What follows from the conditions of tasks: they are opened, their terms decided, and tasks begin or are skipped.

use std::time::Duration;

use super::settle::{self, AttemptOutcome};
use super::{after, attempt_started, task_event};
use crate::model::command::{Now, Rejection};
use crate::model::condition::{Conditions, Expr, SkipReason, Term, Verdict};
use crate::model::event::{
    AttemptFailed, CancelRequested, ConditionDecided, ConditionsOpened, Event, Recorded, RunCancelled,
    RunEvent, RunSucceeded, TaskSkipped,
};
use crate::model::evolve::fold_in;
use crate::model::failure::Failure;
use crate::model::ids::TaskName;
use crate::model::limits::CANCEL_GRACE_DEFAULT;
use crate::model::plan::{Plan, PlannedTask, Role};
use crate::model::state::{RunState, TaskState};
use crate::model::status::{Status, TaskStatus};

/// Adds what the conditions make of the decided `events`, step by step: a skipped task may let others be skipped, and the
/// last one ends the run. Plans without conditions pay nothing.
pub(super) fn follow(state: &RunState, mut events: Vec<Event>, now: Now<'_>) -> Vec<Event> {
    // Attempts begin where the code is at hand, and nowhere else.
    if now.rules.tasks.is_empty() || !is_conditional(state, &events) || events.iter().any(Event::is_terminal)
    {
        return events;
    }
    // In the commit that starts it no run ends: none is created at its end, and QUEUED does not become SUCCEEDED.
    let starts = state.status == Status::Queued;
    let mut ahead = state.clone();
    let mut folded = 0;
    loop {
        for event in events.iter().skip(folded) {
            let recorded = Recorded { seq: ahead.seq + 1, at: now.at, node: None, event: event.clone() };
            if fold_in(&mut ahead, &recorded).is_err() {
                // Whoever adopts the events says so.
                return events;
            }
        }
        folded = events.len();
        events.extend(next(&ahead, now, starts));
        if folded == events.len() {
            return events;
        }
    }
}

fn is_conditional(state: &RunState, events: &[Event]) -> bool {
    let started = events.iter().find_map(|event| match event {
        Event::Run(RunEvent::Started(started)) => Some(&started.plan),
        _ => None,
    });
    started.or(state.plan.as_ref()).is_some_and(Plan::is_conditional)
}

/// Returns what is next, each of it on its own: at most one event a task. A run that `starts` does not end, but is due at once.
fn next(state: &RunState, now: Now<'_>, starts: bool) -> Vec<Event> {
    let Some(plan) = state.plan.as_ref().filter(|_| state.goes_on()) else { return Vec::new() };
    let mut events = Vec::new();
    for (at, (planned, task)) in plan.tasks.iter().zip(&state.tasks).enumerate() {
        let waits = task.status == TaskStatus::Queued && task.attempts.is_empty();
        if planned.role == Role::OnFailure || !waits || !is_ready(state, planned) {
            continue;
        }
        match of_task(state, plan, at, planned, task, now) {
            // Nothing begins beside it.
            Some(Next::Cancel(condition)) => {
                return vec![cancel(state, &planned.name, condition, now, starts)];
            }
            Some(Next::Event(event)) => events.push(*event),
            None => {}
        }
    }
    let mut tasks = state.tasks.iter().filter(|task| task.role == Role::Task);
    if events.is_empty() && !starts && tasks.all(TaskState::lets_others_begin) {
        events.push(RunEvent::from(RunSucceeded {}).into());
    }
    events
}

/// Says whether the tasks before it came to rest.
fn is_ready(state: &RunState, planned: &PlannedTask) -> bool {
    let rests = |place: &u16| state.tasks.get(usize::from(*place)).is_some_and(TaskState::lets_others_begin);
    planned.after.iter().all(rests)
}

enum Next {
    Event(Box<Event>),
    /// The run ends, on this condition.
    Cancel(String),
}

/// Returns what is next for a task behind others that came to rest; `None` while it waits.
fn of_task(
    state: &RunState,
    plan: &Plan,
    at: usize,
    planned: &PlannedTask,
    task: &TaskState,
    now: Now<'_>,
) -> Option<Next> {
    let event = |event: Event| Some(Next::Event(Box::new(event)));
    let skip = |because| event(task_event(&planned.name, 0, TaskSkipped { because }));
    let needed = planned.after.iter().filter(|place| !planned.does_without(**place));
    let mut needed = needed.filter_map(|place| state.tasks.get(usize::from(*place)));
    if let Some(skipped) = needed.find(|task| task.status == TaskStatus::Skipped) {
        return skip(SkipReason::After { task: skipped.name.clone() });
    }
    // A replay goes on with what it took over: what let the task begin is past.
    let Some(conditions) = planned.conditions.as_deref().filter(|_| task.work.is_none()) else {
        return event(attempt_started(&planned.name, at, 1, now));
    };
    let Some(gate) = task.open_gate() else {
        return event(task_event(&planned.name, 0, opened(conditions, now)));
    };
    let due =
        gate.terms.iter().position(|known| known.met.is_none() && known.due.is_some_and(|due| due <= now.at));
    if let Some(term) = due.and_then(|term| u16::try_from(term).ok()) {
        return event(task_event(&planned.name, 0, ConditionDecided { term, met: true }));
    }
    let condition = |expr: &Expr| conditions.describe(expr, plan);
    match conditions.verdict(gate, !state.questions(at).is_empty()) {
        Verdict::Cancel(expr) => Some(Next::Cancel(condition(expr))),
        Verdict::Skip(expr) => skip(SkipReason::Condition { condition: condition(expr) }),
        Verdict::Never(expr) => skip(SkipReason::Unreachable { condition: condition(expr) }),
        Verdict::Begin => event(attempt_started(&planned.name, at, 1, now)),
        Verdict::Wait => None,
    }
}

fn opened(conditions: &Conditions, now: Now<'_>) -> ConditionsOpened {
    let due = (0..).zip(&conditions.terms).filter_map(|(at, term)| match term {
        Term::Elapsed { ms } => Some((at, after(now.at, Duration::from_millis(*ms)))),
        Term::Output { .. } | Term::Signal { .. } => None,
    });
    ConditionsOpened { due: due.collect() }
}

/// Ends the run as a person's wish would. One that starts is told, and ends with the next tick.
fn cancel(state: &RunState, task: &TaskName, condition: String, now: Now<'_>, starts: bool) -> Event {
    let (reason, by) = (Some(condition), Some(format!("the condition of task `{task}`")));
    if starts || state.has_running_attempt() {
        let grace = if state.has_running_attempt() { CANCEL_GRACE_DEFAULT } else { Duration::ZERO };
        let abort_at = after(now.at, grace);
        return RunEvent::from(CancelRequested { reason, by, abort_at }).into();
    }
    RunEvent::from(RunCancelled { reason, by }).into()
}

/// Takes the code's verdicts. Those that nobody asks for any more are left out.
pub(super) fn judge(
    state: &RunState,
    name: TaskName,
    verdicts: Result<Vec<(u16, bool)>, Failure>,
    now: Now<'_>,
) -> Result<Vec<Event>, Rejection> {
    let asked = state.task(&name).filter(|(at, _)| state.status == Status::Running && state.asks(*at));
    let Some((at, _)) = asked else { return Err(Rejection::Stale { task: name, attempt: 0 }) };
    let verdicts = match verdicts {
        Ok(verdicts) => verdicts,
        Err(error) => return Ok(failed(state, at, &name, error, now)),
    };
    let mut open: Vec<u16> = state.questions(at).into_iter().map(|(term, _)| term).collect();
    let mut events = Vec::new();
    for (term, met) in verdicts {
        let Some(place) = open.iter().position(|asked| *asked == term) else { continue };
        open.remove(place);
        if met {
            open.retain(|asked| *asked != term);
        }
        events.push(task_event(&name, 0, ConditionDecided { term, met }));
    }
    Ok(events)
}

/// The code could not judge: the task fails for good, as if it had begun.
fn failed(state: &RunState, at: usize, name: &TaskName, error: Failure, now: Now<'_>) -> Vec<Event> {
    let outcome = AttemptOutcome::failed(error.clone(), None);
    let failed = AttemptFailed { error, retry_at: None, allowed: None };
    let mut events = vec![attempt_started(name, at, 1, now), task_event(name, 1, failed)];
    settle::after_attempt(state, at, outcome, now, &mut events);
    events
}
