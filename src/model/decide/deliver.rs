//! What follows from messages of the outside.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{after, task_event};
use crate::model::command::{Message, MessageBody, Now};
use crate::model::event::{CancelRequested, ChildFinished, Event, RunCancelled, RunEvent, SignalReceived};
use crate::model::ids::RunId;
use crate::model::state::RunState;

/// Turns each message into its event. A message that finds nothing to do (a second cancel, a child's end that is
/// recorded, anything after a cancel of a run that runs no code) leads to none and counts as delivered.
pub(super) fn decide(state: &RunState, messages: Vec<Message>, live: bool, now: Now<'_>) -> Vec<Event> {
    let mut events = Vec::with_capacity(messages.len());
    let mut cancelled = state.cancel.is_some();
    let mut ended: BTreeSet<RunId> = BTreeSet::new();
    for message in messages {
        match message.body {
            MessageBody::Signal { name, key, payload } => {
                let signal = SignalReceived { name, key, payload, sent_at: message.sent_at };
                events.push(RunEvent::from(signal).into());
            }
            MessageBody::ChildFinished { run, outcome } => {
                let Some(child) = state.children.get(&run).filter(|child| child.outcome.is_none()) else {
                    continue;
                };
                if !ended.insert(run) {
                    continue;
                }
                let attempt = state.task(&child.task).map_or(1, |(_, task)| task.attempt());
                let finished = ChildFinished { op: child.op.clone(), run, outcome };
                events.push(task_event(&child.task, attempt, finished));
            }
            MessageBody::Cancel { .. } if cancelled => {}
            MessageBody::Cancel { reason, by, grace_ms } => {
                cancelled = true;
                if live && state.has_running_attempt() {
                    let abort_at = after(now.at, Duration::from_millis(grace_ms));
                    events.push(RunEvent::from(CancelRequested { reason, by, abort_at }).into());
                } else {
                    events.push(RunEvent::from(RunCancelled { reason, by }).into());
                    break;
                }
            }
        }
    }
    events
}
