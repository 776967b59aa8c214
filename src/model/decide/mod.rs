//! Every rule of a run's life: which events a command leads to.

mod advance;
mod deliver;
mod settle;
mod tick;
mod conditions;

use std::time::Duration;

use super::Timestamp;
use super::command::{Command, MessageBody, Now, Rejection};
use super::event::RunEvent;
use super::event::{
    AttemptStarted, Event, Place, RunBlocked, RunCancelled, RunFailed, RunStarted, TaskEvent,
};
use super::failure::{Failure, LIMIT_KEY, LOG_FULL, POISON};
use super::ids::TaskName;
use super::limit::Limited;
use super::limits::{EVENTS_MAX, WAIT_MAX};
use super::plan::{PlannedTask, Role};
use super::state::RunState;
use super::status::{Status, TaskStatus};

/// Returns the events that `command` leads to; none when there is nothing to do.
///
/// # Errors
/// [`Rejection`] when the state forbids the command; nothing is to be written.
pub fn decide(state: &RunState, command: Command, now: Now<'_>) -> Result<Vec<Event>, Rejection> {
    if state.status.is_terminal() {
        return Err(Rejection::Finished { status: state.status });
    }
    if state.seq >= EVENTS_MAX && !ends(&command) {
        return Ok(vec![overflow(state)]);
    }
    let events = match command {
        Command::Start { plan, assigned_at } => start(state, plan, assigned_at, now)?,
        Command::Advance { task, attempt, reports } => advance::decide(state, task, attempt, reports, now)?,
        Command::Deliver { messages, live } => deliver::decide(state, messages, live, now),
        Command::Judge { task, verdicts } => conditions::judge(state, task, verdicts, now)?,
        Command::Tick => tick::decide(state, now),
        Command::Isolate { deaths } => return Ok(vec![isolate(state, deaths)]),
        Command::Block { report } => return Ok(block(state, report)),
    };
    Ok(conditions::follow(state, events, now))
}

/// Says whether the command can do nothing but end the run, or what is due.
fn ends(command: &Command) -> bool {
    match command {
        Command::Deliver { messages, .. } => {
            messages.iter().any(|message| matches!(message.body, MessageBody::Cancel { .. }))
        }
        Command::Tick | Command::Isolate { .. } => true,
        Command::Start { .. } | Command::Advance { .. } | Command::Judge { .. } | Command::Block { .. } => {
            false
        }
    }
}

/// The log is full: the run ends while it can still say so, as it was promised to if it was.
fn overflow(state: &RunState) -> Event {
    let message = format!(
        "the run has {} events, the limit is {EVENTS_MAX}: split its work into child runs",
        state.seq
    );
    give_up(state, None, Failure::new(LOG_FULL, message))
}

/// The run is not tried again: it would only kill the next node.
fn isolate(state: &RunState, deaths: i16) -> Event {
    let mut running = state.tasks.iter().filter(|task| task.status == TaskStatus::Running);
    let (task, others) = (running.next(), running.next());
    let task = task.filter(|_| others.is_none()).map(|task| task.name.clone());
    let message = format!(
        "{deaths} nodes in a row died while they ran it, and it got no further in between: look in its code for what \
         ends a process (abort, stack overflow, memory) or blocks its threads"
    );
    give_up(state, task, Failure::new(POISON, message))
}

/// Ends the run with an error, or as it was promised to end.
fn give_up(state: &RunState, task: Option<TaskName>, error: Failure) -> Event {
    if let Some(cancel) = &state.cancel {
        let (reason, by) = (cancel.reason.clone(), cancel.by.clone());
        return RunEvent::from(RunCancelled { reason, by }).into();
    }
    RunEvent::from(RunFailed { task, error }).into()
}

fn start(
    state: &RunState,
    plan: super::plan::Plan,
    assigned_at: Option<Timestamp>,
    now: Now<'_>,
) -> Result<Vec<Event>, Rejection> {
    if state.status != Status::Queued {
        return Err(Rejection::NotQueued { status: state.status });
    }
    let overdue = tick::decide(state, now);
    if !overdue.is_empty() || state.queued_until() > now.at {
        return Ok(overdue);
    }
    if let Some(Limited { name, problem: Some(problem), .. }) = state.origin.limit.as_deref() {
        let error = Failure::new(LIMIT_KEY, format!("the key of limit `{name}` cannot be found: {problem}"));
        return Ok(vec![RunEvent::from(RunFailed { task: None, error }).into()]);
    }
    if plan.is_conditional() {
        return Ok(vec![RunEvent::from(RunStarted { plan, assigned_at }).into()]);
    }
    let has_output = |task: &PlannedTask| task.role == Role::Task && state.takes_over_output(&task.name);
    let is_open = |place: &u16| !plan.tasks.get(usize::from(*place)).is_some_and(has_output);
    let first = plan
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| task.role == Role::Task && !has_output(task) && !task.after.iter().any(is_open))
        .map(|(at, task)| attempt_started(&task.name, at, 1, now))
        .collect::<Vec<_>>();
    let mut events = vec![RunEvent::from(RunStarted { plan, assigned_at }).into()];
    events.extend(first);
    Ok(events)
}

fn block(state: &RunState, report: String) -> Vec<Event> {
    if state.status != Status::Running || state.blocked.as_ref() == Some(&report) {
        return Vec::new();
    }
    vec![RunEvent::from(RunBlocked { report }).into()]
}

/// Makes the event that begins an attempt, with the deadline that the code's timeout gives it.
fn attempt_started(task: &TaskName, at: usize, attempt: u32, now: Now<'_>) -> Event {
    let timeout = now.rules.tasks.get(at).and_then(|rules| rules.timeout);
    let deadline = timeout.map(|timeout| after(now.at, timeout));
    task_event(task, attempt, AttemptStarted { deadline })
}

fn task_event(task: &TaskName, attempt: u32, event: impl Into<TaskEvent>) -> Event {
    Event::Task(Place { task: task.clone(), attempt }, event.into())
}

/// Adds a wait to an instant; the sum stays inside what the database can hold.
pub(crate) fn after(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = chrono::TimeDelta::from_std(wait.min(WAIT_MAX)).unwrap_or(chrono::TimeDelta::zero());
    at.checked_add_signed(wait).unwrap_or(at)
}
