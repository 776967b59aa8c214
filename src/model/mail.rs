//! What a run tells other runs, in the commit of the event that makes it so.

use super::command::MessageBody;
use super::event::{ChildOutcome, Event, RunEvent, TaskEvent};
use super::ids::RunId;
use super::limits::CANCEL_GRACE_DEFAULT;
use super::state::RunState;
use super::status::{Status, TaskStatus};

/// A message from one run to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// To whom.
    pub to: RunId,
    /// What it says.
    pub body: MessageBody,
}

/// Returns what `events`, decided on `state`, tell other runs: a parent learns of its child's end, and children
/// learn that their parent was cancelled, failed or timed out.
pub fn mail(state: &RunState, events: &[Event]) -> Vec<Mail> {
    let mut mails = Vec::new();
    for event in events {
        if let Event::Run(event) = event {
            mails.extend(to_parent(state, events, event));
            mails.extend(to_children(state, events, event));
        }
    }
    mails
}

fn to_parent(state: &RunState, events: &[Event], event: &RunEvent) -> Option<Mail> {
    let parent = state.origin.parent.as_ref()?;
    let (status, output, error) = match event {
        RunEvent::Succeeded(_) => (Status::Succeeded, output(state, events), None),
        RunEvent::Failed(failed) => (Status::Failed, None, Some(failed.error.clone())),
        RunEvent::Cancelled(_) => (Status::Cancelled, None, None),
        RunEvent::TimedOut(_) => (Status::TimedOut, None, None),
        _ => return None,
    };
    let outcome = ChildOutcome { status, output, error };
    Some(Mail { to: parent.run, body: MessageBody::ChildFinished { run: state.id, outcome } })
}

/// Finds the run's output among the events that end it, or in a task that ended before.
fn output(state: &RunState, events: &[Event]) -> Option<super::payload::Payload> {
    let plan = state.plan.as_ref()?;
    let place = usize::from(plan.output);
    let name = &plan.tasks.get(place)?.name;
    let just_now = events.iter().find_map(|event| match event {
        Event::Task(at, TaskEvent::AttemptSucceeded(done)) if at.task == *name => Some(done.output.clone()),
        _ => None,
    });
    let skipped =
        |event: &Event| matches!(event, Event::Task(at, TaskEvent::TaskSkipped(_)) if at.task == *name);
    let task = state.tasks.get(place)?;
    let is_skipped = task.status == TaskStatus::Skipped || events.iter().any(skipped);
    just_now.or_else(|| task.output.clone()).or_else(|| is_skipped.then(super::payload::Payload::null))
}

fn to_children(state: &RunState, events: &[Event], event: &RunEvent) -> Vec<Mail> {
    let reason = match event {
        RunEvent::CancelRequested(_) => "its parent run was cancelled",
        RunEvent::Cancelled(_) if state.cancel.is_none() => "its parent run was cancelled",
        RunEvent::Failed(_) => "its parent run failed",
        RunEvent::TimedOut(_) => "its parent run timed out",
        _ => return Vec::new(),
    };
    let open = state.children.iter().filter(|(_, child)| child.outcome.is_none()).map(|(run, _)| *run);
    let new = events.iter().filter_map(|event| match event {
        Event::Task(_, TaskEvent::ChildStarted(child)) => Some(child.run),
        _ => None,
    });
    let cancel = |to| Mail {
        to,
        body: MessageBody::Cancel {
            reason: Some(reason.to_owned()),
            by: Some(format!("run {}", state.id)),
            grace_ms: u64::try_from(CANCEL_GRACE_DEFAULT.as_millis()).unwrap_or(u64::MAX),
        },
    };
    open.chain(new).map(cancel).collect()
}
