//! Everything that the tables of the database hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::locks::Locks;
use super::outbox::Waiting;
use super::schedules::Timetable;
use super::signals::Switchboard;
use super::simulated::{Seen, Simulated};
use super::triggers::Mailroom;
use super::writings::Papers;
use crate::model::event::{Encoded, Place};
use crate::model::{
    Event, FailureSummary, Key, Message, Namespace, NodeId, Recorded, RunId, TaskName, Timestamp,
    TriggerSummary, Version, WorkflowName,
};
use crate::store::{KnownLimit, NewRun, NodeInfo, Pause, RunRow, Shape, StoreError};

/// The runs of one key under a limit.
pub(super) type OfKey = (Namespace, WorkflowName, String);

/// What makes a run's key unique.
pub(super) type FullKey = (Namespace, WorkflowName, Key);

#[derive(Default)]
pub(super) struct World {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) keys: BTreeMap<FullKey, RunId>,
    /// The dispatch index: live runs that nobody owns.
    pub(super) unowned: BTreeSet<RunId>,
    /// Live runs by owner.
    pub(super) owned: BTreeSet<(NodeId, RunId)>,
    /// Child runs by parent.
    pub(super) children: BTreeSet<(RunId, RunId)>,
    /// Originals with their replays.
    pub(super) replays: BTreeSet<(RunId, RunId)>,
    /// Messages that wait; a run without any has no entry.
    pub(super) inboxes: BTreeMap<RunId, VecDeque<Message>>,
    pub(super) shapes: BTreeMap<(WorkflowName, Version), Known>,
    /// Every task that was ever registered.
    pub(super) tasks: BTreeSet<(TaskName, WorkflowName, Version)>,
    /// Paused workflows.
    pub(super) pauses: BTreeMap<(WorkflowName, Namespace), Pause>,
    /// Limits of concurrency.
    pub(super) limits: BTreeMap<WorkflowName, KnownLimit>,
    /// When the runs were served that left a slot free, by key.
    pub(super) gone: BTreeMap<OfKey, Vec<Timestamp>>,
    pub(super) last_message: i64,
    pub(super) papers: Papers,
    pub(super) waiting_for_export: Waiting,
    pub(super) timetable: Timetable,
    pub(super) mailroom: Mailroom,
    pub(super) switchboard: Switchboard,
    /// Events in all logs.
    pub(super) events: u64,
    /// Set when a claim may find something that it did not find before.
    pub(super) changed: bool,
    pub(super) locks: Locks,
    /// Set in a simulation.
    pub(super) simulated: Option<Simulated>,
}

/// A workflow's version, as it was registered last.
pub(super) struct Known {
    pub(super) shape: Shape,
    /// When this shape came first: its place in the order, and the instant.
    pub(super) place: u64,
    pub(super) at: Timestamp,
}

pub(super) struct Node {
    pub(super) joined_at: Timestamp,
    pub(super) left_at: Option<Timestamp>,
    pub(super) info: NodeInfo,
    /// When the lease of each lane expires.
    pub(super) leases: Vec<Timestamp>,
    pub(super) dead: bool,
}

pub(super) struct Run {
    pub(super) row: RunRow,
    /// What a list shows beside the row.
    pub(super) listed: Listed,
    pub(super) log: Vec<Entry>,
    pub(super) snapshot: Option<Snapshot>,
    /// The last node that died with it.
    pub(super) died_with: Option<NodeId>,
    /// The seqs at which a release was left out, so that a batch that comes again is answered as the first time.
    pub(super) kept_at: BTreeSet<u32>,
    /// Its place under its workflow's limit.
    pub(super) gate: Option<Gate>,
}

/// A run's place under a limit.
pub(super) struct Gate {
    pub(super) key: String,
    /// Since when, or from when on, it stands there; nothing once it was let in.
    pub(super) at: Option<Timestamp>,
    /// Since when, or from when on, it stood there.
    pub(super) came: Timestamp,
    /// What its place in the queue counts from.
    pub(super) since: Timestamp,
    /// When it was let in, under a limit with a rate or a debounce.
    pub(super) let_in_at: Option<Timestamp>,
    /// Since when runs of its key come of which it is the newest, if it is not the first of them.
    pub(super) burst: Option<Timestamp>,
    /// Its limit had it cancelled.
    pub(super) gives_way: bool,
}

/// Columns that only lists read.
pub(super) struct Listed {
    pub(super) trigger: TriggerSummary,
    pub(super) metadata: BTreeMap<String, String>,
    /// The node that ended it.
    pub(super) node: Option<NodeId>,
    pub(super) failure: Option<FailureSummary>,
}

/// An event as a row: decoded at reading, as from the database.
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) node: Option<NodeId>,
    pub(super) event: Encoded,
}

pub(super) struct Snapshot {
    pub(super) seq: u32,
    pub(super) format: i16,
    pub(super) bytes: Vec<u8>,
}

impl World {
    /// Changes a run's row and keeps the indexes in step with it.
    pub(super) fn change(&mut self, id: RunId, change: impl FnOnce(&mut RunRow)) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let owner_before = run.row.owner;
        if let Some(owner) = owner_before {
            self.owned.remove(&(owner, id));
        }
        self.unowned.remove(&id);
        let (before, served) =
            (run.row.status, run.row.started_at.into_iter().chain(run.row.claimed_at).min());
        change(&mut run.row);
        let ends = run.row.status.is_terminal();
        match &mut run.gate {
            Some(gate) if gate.at.is_some() && ends => gate.at = None,
            // It is due once it is let in.
            Some(gate) if gate.at.is_some() => run.row.wake_at = None,
            Some(_) if ends && !before.is_terminal() => {
                let key = World::of_key(run);
                key.into_iter().for_each(|key| self.gone.entry(key).or_default().extend(served));
            }
            Some(_) | None => {}
        }
        if run.row.status.is_terminal() {
            self.inboxes.remove(&id);
            self.switchboard.drop_awaits(id);
        } else if let Some(owner) = run.row.owner {
            self.owned.insert((owner, id));
        } else {
            self.unowned.insert(id);
            self.changed = true;
        }
        if let Some(run) = self.runs.get(&id).filter(|run| run.row.owner != owner_before) {
            self.observe(Seen::Owner(&run.row));
        }
    }

    /// Takes a run from its owner; it is due at `wake_at`.
    pub(super) fn release(&mut self, id: RunId, wake_at: Option<Timestamp>) {
        self.change(id, |row| {
            row.owner = None;
            row.claimed_at = None;
            row.wake_at = wake_at;
        });
    }

    pub(super) fn register(&mut self, workflows: &[Shape], now: Timestamp) -> Result<(), StoreError> {
        for Shape { workflow, version, shape, .. } in workflows {
            let recorded = self.shapes.get(&(workflow.clone(), version.clone()));
            let differs = recorded.is_some_and(|recorded| recorded.shape.shape != *shape);
            let started = |run: &Run| {
                let row = &run.row;
                row.started_at.is_some()
                    && !row.status.is_terminal()
                    && row.workflow == *workflow
                    && row.version == *version
            };
            if differs && self.runs.values().any(started) {
                return Err(StoreError::ShapeChanged {
                    workflow: workflow.clone(),
                    version: version.clone(),
                });
            }
        }
        for registered in workflows {
            let Shape { workflow, version, tasks, .. } = registered;
            let place = (workflow.clone(), version.clone());
            // What is registered again as it was keeps its place in time.
            let newest = self.shapes.values().map(|known| known.place).max().unwrap_or_default();
            let known = self.shapes.get(&place).filter(|known| known.shape.shape == registered.shape);
            let (order, at) = known.map_or((newest + 1, now), |known| (known.place, known.at));
            self.shapes.insert(place, Known { shape: registered.clone(), place: order, at });
            let named = |task: &TaskName| (task.clone(), workflow.clone(), version.clone());
            self.tasks.extend(tasks.iter().map(named));
            self.register_limit(registered, now);
        }
        Ok(())
    }
}

impl Run {
    /// Returns the seq of the last event.
    pub(super) fn seq(&self) -> u32 {
        u32::try_from(self.log.len()).unwrap_or(u32::MAX)
    }
}

impl Entry {
    /// Reads the event that stands at `seq`.
    pub(super) fn decode(&self, seq: u32) -> Result<Recorded, String> {
        let Encoded { kind, schema_version, task, attempt, payload } = &self.event;
        let attempt = attempt.and_then(|attempt| u32::try_from(attempt).ok());
        let place = task.clone().zip(attempt).map(|(task, attempt)| Place { task, attempt });
        let event =
            Event::decode(kind, *schema_version, place, payload).map_err(|error| error.to_string())?;
        Ok(Recorded { seq, at: self.at, node: self.node, event })
    }
}

/// Returns what makes the key of a new run unique, if it has one.
pub(super) fn full_key(born: &NewRun) -> Option<FullKey> {
    let key = born.key.clone()?;
    Some((born.namespace.clone(), born.workflow.clone(), key))
}
