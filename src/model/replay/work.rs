//! What an unfinished task had done: which of its operations a replay takes over.

use std::collections::{BTreeMap, BTreeSet};

use super::Successor;
use crate::model::event::{Event, OpReused, Recorded, ReusedOp, RunEvent, TaskEvent};
use crate::model::ids::{OpKey, PatchId, RunId, TaskName};
use crate::model::state::{Op, OpState, TaskState};
use crate::model::status::Status;

/// The work that a task goes on with.
pub(super) struct Work {
    /// The run that began it.
    pub(super) run: RunId,
    /// What its code was told of patches.
    pub(super) patches: BTreeMap<PatchId, bool>,
    /// What is taken over, in the order in which the operations began.
    pub(super) ops: Vec<OpReused>,
}

/// The work that a replay took over and never began.
pub(super) struct Kept<'a> {
    pub(super) run: RunId,
    pub(super) patches: &'a BTreeMap<PatchId, bool>,
    pub(super) ops: &'a BTreeMap<OpKey, Op>,
}

/// Collects the work of a task of `run`.
///
/// An operation is taken over with the outcome it has. A step's failure is not: the step is what is tried again, unless it
/// runs at most once. Nor is a signal that did not come and so ended the task. A child run that ended the task by its
/// failure, or did not end, is replayed; one that the code went on from is a fact like any other.
///
/// Up to the first operation that is not taken over, up to what a replayed child answers anew, up to the end of the first
/// attempt, and up to a cancellation, the code must ask for all of them: so far it was given the same answers. What code
/// that was told of its cancellation decided (which racer won, what it no longer waited for, what time it was) is not
/// taken over: its waits had been answered by the cancellation.
pub(super) fn of(run: RunId, task: &TaskState, log: &[Recorded], successor: Successor<'_>) -> Work {
    let history = History::of(&task.name, log);
    let taken = |key: &OpKey, op: &Op| {
        if history.is_decided_in_cancellation(key, &op.state) {
            return None;
        }
        let keeps = match &op.state {
            OpState::StepFailed { .. } => history.is_at_most_once(key),
            OpState::Abandoned => op.attempt == 1,
            OpState::Signal { outcome: Some(None), .. } => history.went_on_after(key),
            OpState::Child { run, input_hash, outcome } => match outcome {
                Some(outcome) if outcome.status == Status::Succeeded => true,
                Some(_) if history.went_on_after(key) && !is_named(task, run) => true,
                Some(_) | None => return replayed(*run, input_hash, successor),
            },
            _ => true,
        };
        ReusedOp::of(&op.state).filter(|_| keeps)
    };
    let mut ops = Vec::new();
    let mut end_of_same = history.first_retry.unwrap_or(u32::MAX).min(history.cancelled.unwrap_or(u32::MAX));
    let races = || {
        let kept = |(key, op): &(&OpKey, &Op)| !history.is_decided_in_cancellation(key, &op.state);
        task.ops.iter().filter(kept).map(|(_, op)| &op.state)
    };
    // What a race's losers had built is not built again.
    let lost: BTreeSet<&OpKey> = races().flat_map(OpState::lost).collect();
    // What spawned futures had built may have been a loser's, too.
    if races().any(|state| matches!(state, OpState::Race { spawned: true, .. })) {
        end_of_same = 0;
    }
    for (key, op) in task.ops.iter().filter(|(key, _)| !lost.contains(key)) {
        let seq = history.begun(key);
        match taken(key, op) {
            Some(recorded) => {
                if matches!(recorded, ReusedOp::ReplayedChild { .. }) {
                    end_of_same = end_of_same.min(history.heard_of(key));
                }
                ops.push((seq, OpReused { op: key.clone(), optional: false, recorded }));
            }
            None if op.state != OpState::Abandoned || history.is_decided_in_cancellation(key, &op.state) => {
                end_of_same = end_of_same.min(seq);
            }
            None => {}
        }
    }
    ops.sort_by_key(|(seq, _)| *seq);
    let placed = |(seq, op): (u32, OpReused)| {
        let was_optional = task.ops.get(&op.op).is_some_and(|op| op.reused && op.attempt == 0);
        OpReused { optional: was_optional || seq > end_of_same, ..op }
    };
    let ops = ops.into_iter().map(placed).collect();
    Work { run: task.work.unwrap_or(run), patches: task.patches.clone(), ops }
}

/// Collects what a replay that never started took over itself; its children's replays are replayed in their turn, unless
/// they succeeded.
pub(super) fn untouched(
    kept: &Kept<'_>,
    (name, log): (&TaskName, &[Recorded]),
    successor: Successor<'_>,
) -> Work {
    let again = |op: &OpReused| match (kept.ops.get(&op.op).map(|op| &op.state), &op.recorded) {
        (Some(state @ OpState::Child { outcome: Some(outcome), .. }), _)
            if outcome.status == Status::Succeeded =>
        {
            ReusedOp::of(state)
        }
        (_, ReusedOp::ReplayedChild { run, input_hash, .. }) => replayed(*run, input_hash, successor),
        (_, recorded) => Some(recorded.clone()),
    };
    let mut work = Work { run: kept.run, patches: kept.patches.clone(), ops: Vec::new() };
    let mut gap = false;
    for Recorded { event, .. } in log {
        let Event::Task(place, TaskEvent::OpReused(op)) = event else { continue };
        if place.task != *name {
            continue;
        }
        match again(op) {
            Some(recorded) => {
                work.ops.push(OpReused { op: op.op.clone(), optional: op.optional || gap, recorded })
            }
            None => gap = true,
        }
    }
    work
}

fn replayed(of: RunId, input_hash: &str, successor: Successor<'_>) -> Option<ReusedOp> {
    let run = successor(of)?;
    Some(ReusedOp::ReplayedChild { run, of, input_hash: input_hash.to_owned() })
}

/// Says whether the task's last error speaks of the child run.
fn is_named(task: &TaskState, child: &RunId) -> bool {
    let child = child.to_string();
    let says = |text: &String| text.contains(&child);
    task.last_error().is_some_and(|error| says(&error.message) || error.chain.iter().any(says))
}

/// When the operations of a task began and were last heard of.
#[derive(Default)]
struct History<'log> {
    begun: BTreeMap<&'log OpKey, u32>,
    heard_of: BTreeMap<&'log OpKey, u32>,
    at_most_once: Vec<&'log OpKey>,
    /// The last event about any operation.
    last: u32,
    /// The end of the first attempt, when there was another one.
    first_retry: Option<u32>,
    /// When the code was told of its cancellation.
    cancelled: Option<u32>,
}

impl<'log> History<'log> {
    fn of(name: &TaskName, log: &'log [Recorded]) -> History<'log> {
        let mut history = History::default();
        for Recorded { seq, event, .. } in log {
            if let Event::Run(RunEvent::CancelRequested(_)) = event {
                history.cancelled.get_or_insert(*seq);
            }
            let Event::Task(place, event) = event else { continue };
            if place.task != *name {
                continue;
            }
            if let TaskEvent::AttemptFailed(failed) = event
                && failed.retry_at.is_some()
            {
                history.first_retry.get_or_insert(*seq);
            }
            let Some(op) = event.op() else { continue };
            history.begun.entry(op).or_insert(*seq);
            history.heard_of.insert(op, *seq);
            history.last = *seq;
            if is_at_most_once(event) {
                history.at_most_once.push(op);
            }
        }
        history
    }

    fn heard_of(&self, op: &OpKey) -> u32 {
        self.heard_of.get(op).copied().unwrap_or(u32::MAX)
    }

    fn begun(&self, op: &OpKey) -> u32 {
        self.begun.get(op).copied().unwrap_or(u32::MAX)
    }

    /// Says whether anything of the task was recorded after the last word on the operation.
    fn went_on_after(&self, op: &OpKey) -> bool {
        self.heard_of(op) < self.last
    }

    /// Says whether the operation's state is a decision of code that was told of its cancellation.
    fn is_decided_in_cancellation(&self, op: &OpKey, state: &OpState) -> bool {
        let decision = matches!(state, OpState::Race { .. } | OpState::Abandoned | OpState::Time { .. });
        decision && self.cancelled.is_some_and(|cancelled| self.heard_of(op) > cancelled)
    }

    fn is_at_most_once(&self, op: &OpKey) -> bool {
        self.at_most_once.contains(&op)
    }
}

/// Says whether the event is of a step that does not run twice.
fn is_at_most_once(event: &TaskEvent) -> bool {
    match event {
        TaskEvent::StepStarted(_) => true,
        TaskEvent::OpReused(op) => {
            matches!(op.recorded, ReusedOp::FailedStep { .. } | ReusedOp::BegunStep { .. })
        }
        _ => false,
    }
}
