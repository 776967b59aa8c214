//! What a simulation asks of its world: mutants of the protocol, and what only the world sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::MemoryStore;
use super::world::{Entry, Gate, Run, World};
use crate::clock::Clock;
use crate::model::{Event, NodeId, OpKey, RunId, TaskEvent, TaskName, Timestamp};
use crate::store::{Append, Appended, Commit, KeyedSignal, Loaded, RunRow, SignalState, StoreError};

/// A protocol that is known to be wrong; a simulation has to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[doc(hidden)]
#[non_exhaustive]
pub enum Mutant {
    /// An append reads its lease without locking it.
    NoFenceLock,
    /// A heartbeat brings a dead node back.
    RevivingHeartbeat,
    /// A rescue gives the runs of a node away without declaring it dead.
    TakeoverLeavesAlive,
    /// An append goes after whatever stands in the log.
    AppendAtHead,
    /// A claim loads the logs in its own statement, from its snapshot.
    ClaimAndLoadInOneStatement,
    /// Who lets runs in under a limit counts those that have started, not those that were let in.
    LetInCountsTheStarted,
    /// Who lets runs in under a rate counts only those that have not ended.
    RateForgetsTheEnded,
    /// Nobody looks for signals by key whose senders died.
    UntoldSignalsStay,
    /// A run that begins to wait does not ask for what is kept.
    KeptSignalsStay,
    /// A push does not look whether its event is known.
    KnownEventsStartAgain,
    /// A push keeps its event in one commit and starts the runs in another.
    EventsBeforeTheirRuns,
    /// Who lets runs in does not wait until their key is quiet.
    LetInBeforeItIsQuiet,
    /// Of the runs that come until their key is quiet, the oldest is kept.
    DebounceKeepsTheOldest,
}

/// What a world noticed that no caller is told.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct Noticed {
    /// What must never happen.
    pub breaches: Vec<String>,
    /// Batches that came again and were recognised.
    pub repeated: u64,
    /// How often a method waited for the end of another one's transaction.
    pub waited: BTreeMap<(&'static str, &'static str), u64>,
    /// Releases that were left out because a message came.
    pub kept: u64,
}

/// How a run came under its workflow's limit, and past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Passage {
    /// The run.
    pub run: RunId,
    /// When it came.
    pub came: Timestamp,
    /// When the first of the runs came for which it stands, if it stands for more than itself, or was let in.
    pub burst: Option<Timestamp>,
    /// When it was let in, under a rate or a debounce.
    pub let_in_at: Option<Timestamp>,
}

/// A node's lease as its rows say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Lease {
    /// The node.
    pub node: NodeId,
    /// Whether it may write now.
    pub is_alive: bool,
    /// Whether it was declared dead.
    pub is_dead: bool,
}

/// What becomes visible in a world.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub enum Seen<'a> {
    /// An event.
    Event {
        /// Whose.
        run: RunId,
        /// Where in its log.
        seq: u32,
        /// Its kind.
        kind: &'static str,
        /// Who wrote it.
        node: Option<NodeId>,
    },
    /// A run's row after its owner changed.
    Owner(&'a RunRow),
    /// What must never happen.
    Breach(&'a str),
}

/// Hears of what becomes visible; it must not call the store.
#[doc(hidden)]
pub type Observer = dyn Fn(Seen<'_>) + Send;

/// A signal by key that was accepted.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Accepted {
    /// What was sent.
    pub signal: KeyedSignal,
    /// Where it stands.
    pub state: SignalState,
    /// When it was accepted.
    pub at: Timestamp,
    /// Who has or had it.
    pub told: BTreeSet<RunId>,
}

/// What a simulated world keeps beside its tables. It refuses no more than Postgres does, and notes what Postgres would
/// have let pass.
#[derive(Default)]
pub(super) struct Simulated {
    mutant: Option<Mutant>,
    noticed: Noticed,
    observer: Option<Box<Observer>>,
    /// What claims loaded, by run: with the claim it belongs to.
    loaded: BTreeMap<RunId, (i32, Loaded)>,
}

#[cfg(feature = "testing")]
#[doc(hidden)]
impl MemoryStore {
    /// Makes an empty world for a simulation, of a wrong protocol if a mutant is given.
    pub fn simulated(
        now: Timestamp,
        seed: u64,
        mutant: Option<Mutant>,
        observer: Box<Observer>,
    ) -> Arc<MemoryStore> {
        let store = MemoryStore::with_clock(Clock::seeded(now, seed));
        let simulated = Simulated { mutant, observer: Some(observer), ..Simulated::default() };
        store.world().simulated = Some(simulated);
        store
    }

    /// Says whether the log holds the outcome of a step, or, without an operation, of a task.
    pub fn holds_outcome(&self, run: RunId, task: &TaskName, op: Option<&OpKey>) -> bool {
        let world = self.world();
        let Some(run) = world.runs.get(&run) else { return false };
        let of_task = |entry: &&Entry| entry.event.task.as_ref() == Some(task);
        let is_outcome = |entry: &Entry| match entry.decode(1).map(|recorded| recorded.event) {
            Ok(Event::Task(_, TaskEvent::StepCompleted(done))) => op == Some(&done.op),
            Ok(Event::Task(_, TaskEvent::AttemptSucceeded(_) | TaskEvent::TaskReused(_))) => op.is_none(),
            Ok(Event::Task(_, TaskEvent::OpReused(reused))) => op == Some(&reused.op),
            _ => false,
        };
        let kinds = ["step_completed", "attempt_succeeded", "task_reused", "op_reused"];
        run.log.iter().filter(of_task).filter(|entry| kinds.contains(&entry.event.kind)).any(is_outcome)
    }

    /// Returns what the world noticed so far.
    pub fn noticed(&self) -> Noticed {
        self.world().simulated.as_ref().map(|simulated| simulated.noticed.clone()).unwrap_or_default()
    }

    /// Lists all runs, in the order of their ids.
    pub fn runs(&self) -> Vec<RunId> {
        self.world().runs.keys().copied().collect()
    }

    /// Lists when the runs of each key were let in under a rate or a debounce, the earliest first.
    pub fn starts_by_key(&self) -> BTreeMap<String, Vec<Timestamp>> {
        let mut starts: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
        for run in self.world().runs.values() {
            let Some(gate) = &run.gate else { continue };
            let key = format!("{} {} {}", run.row.namespace, run.row.workflow, gate.key);
            starts.entry(key).or_default().extend(gate.let_in_at);
        }
        starts.values_mut().for_each(|times| times.sort_unstable());
        starts
    }

    /// Lists the runs under limits, in the order of their ids.
    pub fn passages(&self) -> Vec<Passage> {
        let passage = |run: &Run| {
            let Gate { came, burst, let_in_at, .. } = *run.gate.as_ref()?;
            Some(Passage { run: run.row.run, came, burst, let_in_at })
        };
        self.world().runs.values().filter_map(passage).collect()
    }

    /// Lists all nodes that ever joined.
    pub fn leases(&self) -> Vec<Lease> {
        let now = self.shared.clock.now();
        let lease = |(id, node): (&NodeId, &super::world::Node)| Lease {
            node: *id,
            is_alive: node.is_alive(now),
            is_dead: node.dead,
        };
        self.world().nodes.iter().map(lease).collect()
    }

    /// Lists all signals by key that were ever accepted, in their order.
    pub fn accepted_signals(&self) -> Vec<Accepted> {
        self.world().switchboard.signals.values().cloned().collect()
    }
}

impl World {
    pub(super) fn is_mutant(&self, mutant: Mutant) -> bool {
        self.simulated.as_ref().is_some_and(|simulated| simulated.mutant == Some(mutant))
    }

    pub(super) fn notice(&mut self, note: impl FnOnce(&mut Noticed)) {
        if let Some(simulated) = &mut self.simulated {
            note(&mut simulated.noticed);
        }
    }

    pub(super) fn observe(&self, seen: Seen<'_>) {
        if let Some(observer) = self.simulated.as_ref().and_then(|simulated| simulated.observer.as_ref()) {
            observer(seen);
        }
    }

    /// Notes what must never happen, in a simulation; elsewhere gives it back as the error that it is.
    pub(super) fn breach(&mut self, message: String) -> Result<(), String> {
        self.observe(Seen::Breach(&message));
        match &mut self.simulated {
            Some(simulated) => {
                simulated.noticed.breaches.push(message);
                Ok(())
            }
            None => Err(message),
        }
    }

    /// Appends as the protocol at hand does.
    pub(super) fn append_mutated(
        &mut self,
        node: NodeId,
        batch: &[Commit],
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let appended = match self.is_mutant(Mutant::AppendAtHead) {
            true => self.append(node, &self.at_head(batch), now),
            false => self.append(node, batch, now),
        };
        if let (Err(StoreError::Conflict { run, seq }), Some(_)) = (&appended, &self.simulated) {
            let of_run = batch.iter().flat_map(|commit| &commit.appends).filter(|append| append.run == *run);
            let kinds: Vec<&str> = of_run.flat_map(|append| &append.events).map(|event| event.kind).collect();
            let _noted =
                self.breach(format!("node {node} met the primary key: run {run}, seq {seq}, with {kinds:?}"));
        }
        appended
    }

    fn at_head(&self, batch: &[Commit]) -> Vec<Commit> {
        let moved = |append: &Append| {
            let head = self.runs.get(&append.run).filter(|_| append.born.is_none()).map(|run| run.seq());
            Append { expected: head.unwrap_or(append.expected), ..append.clone() }
        };
        batch.iter().map(|commit| Commit { appends: commit.appends.iter().map(moved).collect() }).collect()
    }

    /// Keeps what a claim loaded by itself.
    pub(super) fn keep_loaded(&mut self, node: NodeId, loaded: Vec<Loaded>) {
        let rows = &self.runs;
        let Some(simulated) = &mut self.simulated else { return };
        for loaded in loaded {
            let id = loaded.row.run;
            if let Some(run) = rows.get(&id).filter(|run| run.row.owner == Some(node)) {
                simulated.loaded.insert(id, (run.row.claims, loaded));
            }
        }
    }

    /// Splits runs into those that their claims loaded, and the others.
    pub(super) fn split_loaded(&mut self, runs: &[RunId]) -> (Vec<Loaded>, Vec<RunId>) {
        let mut loaded = Vec::new();
        let mut others = runs.to_vec();
        others.retain(|run| match self.loaded_by_claim(*run) {
            Some(found) => {
                loaded.push(found);
                false
            }
            None => true,
        });
        (loaded, others)
    }

    /// Returns what the run's claim loaded, with the row that the claim left.
    fn loaded_by_claim(&mut self, run: RunId) -> Option<Loaded> {
        let row = self.runs.get(&run).map(|run| run.row.clone())?;
        let (claims, loaded) = self.simulated.as_mut()?.loaded.remove(&run)?;
        (claims == row.claims).then_some(Loaded { row, ..loaded })
    }
}
