//! What clients were told and which bodies ran: what the world must agree with in the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runlog::model::trigger::Outcome;
use runlog::model::{NodeId, OpKey, TaskName};
use runlog::store::Store;
use runlog::store::memory::MemoryStore;
use runlog::{Error, RunId, Signalled, Status};
use tokio::time::Instant;

use crate::marks::sometimes;
use crate::trace::Trace;

/// A piece of code: a step's body, or, without an operation, a task's.
pub type Body = (RunId, TaskName, Option<OpKey>);

/// Collects claims and contradictions of one world.
pub struct Oracle {
    store: Arc<MemoryStore>,
    trace: Trace,
    violations: Mutex<Vec<String>>,
    promises: Mutex<Vec<Promise>>,
    /// What senders of signals to keys were told last, by token.
    signalled: Mutex<BTreeMap<u64, Signalled>>,
    /// What who pushed an event was told, by its id.
    pushed: Mutex<BTreeMap<String, Vec<Outcome>>>,
    bodies: Mutex<BTreeMap<Body, u32>>,
    last_event: Arc<Mutex<BTreeMap<RunId, Instant>>>,
}

/// What a client was told.
#[derive(Clone, Debug)]
pub enum Promise {
    /// The run exists.
    Started { run: RunId, key: Option<(usize, u64)> },
    /// The signal is durable.
    Signalled { run: RunId, token: u64 },
    /// The run will end as CANCELLED.
    Cancelled { run: RunId },
    /// The run ended so.
    Ended { run: RunId, status: Status },
}

impl Oracle {
    pub fn new(
        store: &Arc<MemoryStore>,
        trace: &Trace,
        last_event: &Arc<Mutex<BTreeMap<RunId, Instant>>>,
    ) -> Arc<Oracle> {
        Arc::new(Oracle {
            store: Arc::clone(store),
            trace: trace.clone(),
            violations: Mutex::default(),
            promises: Mutex::default(),
            signalled: Mutex::default(),
            pushed: Mutex::default(),
            bodies: Mutex::default(),
            last_event: Arc::clone(last_event),
        })
    }

    /// Notes what must never be.
    pub fn violated(&self, what: String) {
        self.trace.note(format_args!("VIOLATION: {what}"));
        self.violations.lock().unwrap().push(what);
    }

    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    pub fn promised(&self, promise: Promise) {
        self.trace.note(format_args!("promised: {}", self.text(&promise)));
        self.promises.lock().unwrap().push(promise);
    }

    /// Notes what the sender of a signal to a key was told.
    pub fn signalled(&self, token: u64, sent: Signalled) {
        self.trace.note(format_args!("promised: signal {token} is durable: {sent:?}"));
        self.signalled.lock().unwrap().insert(token, sent);
    }

    pub fn all_signalled(&self) -> BTreeMap<u64, Signalled> {
        self.signalled.lock().unwrap().clone()
    }

    /// Notes what who pushed an event was told: the same, whoever asks how often.
    pub fn pushed(&self, id: String, outcomes: Vec<Outcome>) {
        self.trace.note(format_args!("promised: {id} is durable, with {} outcomes", outcomes.len()));
        let before = self.pushed.lock().unwrap().insert(id.clone(), outcomes.clone());
        if before.is_some_and(|before| before != outcomes) {
            self.violated(format!("{id} was answered in two ways"));
        }
    }

    pub fn all_pushed(&self) -> BTreeMap<String, Vec<Outcome>> {
        self.pushed.lock().unwrap().clone()
    }

    fn text(&self, promise: &Promise) -> String {
        match promise {
            Promise::Started { run, key } => format!("{} started, key {key:?}", self.trace.name(*run)),
            Promise::Signalled { run, token } => format!("{} has signal {token}", self.trace.name(*run)),
            Promise::Cancelled { run } => format!("{} will be cancelled", self.trace.name(*run)),
            Promise::Ended { run, status } => format!("{} ended as {status}", self.trace.name(*run)),
        }
    }

    /// Hears of a body before it runs. A node whose lease is over may not know it: what it runs is lost, not wrong.
    pub fn ran(&self, node: NodeId, body: &Body) {
        let (run, task, op) = body;
        let is_alive = self.store.leases().iter().any(|lease| lease.node == node && lease.is_alive);
        let what = op.as_ref().map(|op| format!(" {}#{}", op.name, op.occurrence)).unwrap_or_default();
        let what = format!("{} {task}{what} on n{node}", self.trace.name(*run));
        self.trace.note(format_args!("runs: {what}"));
        let times = {
            let mut bodies = self.bodies.lock().unwrap();
            let times = bodies.entry(body.clone()).or_default();
            *times += 1;
            *times
        };
        if !is_alive {
            sometimes!("a node that was dead ran code");
        } else if self.store.holds_outcome(*run, task, op.as_ref()) {
            self.violated(format!("recorded code ran again: {what}"));
        }
        match op.as_ref().map(|op| &*op.name) {
            Some("once") if times > 1 => self.violated(format!("at-most-once code ran again: {what}")),
            Some("quick" | "slow") if times > 1 => sometimes!("a step ran twice"),
            _ => {}
        }
    }

    /// Returns how long nothing was written in a run's log.
    pub fn quiet(&self, run: RunId) -> Duration {
        self.last_event.lock().unwrap().get(&run).map_or(Duration::MAX, Instant::elapsed)
    }

    /// Compares what clients were told with what is there.
    pub async fn check(&self) -> Result<(), Error> {
        let promises = self.promises.lock().unwrap().clone();
        let mut keys: BTreeMap<(usize, u64), RunId> = BTreeMap::new();
        for promise in promises {
            let (Promise::Started { run, .. }
            | Promise::Signalled { run, .. }
            | Promise::Cancelled { run }
            | Promise::Ended { run, .. }) = promise;
            let Some(row) = self.store.row(run).await? else {
                self.violated(format!("it is not there: {}", self.text(&promise)));
                continue;
            };
            let broken = match &promise {
                Promise::Started { key, .. } => key.is_some_and(|key| *keys.entry(key).or_insert(run) != run),
                Promise::Signalled { token, .. } => {
                    !row.status.is_terminal() && !self.has_signal(run, *token).await?
                }
                Promise::Cancelled { .. } => row.status != Status::Cancelled,
                Promise::Ended { status, .. } => row.status != *status,
            };
            if broken {
                self.violated(format!("it is {}, but: {}", row.status, self.text(&promise)));
            }
        }
        Ok(())
    }

    async fn has_signal(&self, run: RunId, token: u64) -> Result<bool, Error> {
        use runlog::model::{Event, RunEvent};
        let log = self.store.log(run, 0, u32::MAX).await?;
        let token = token.to_string();
        Ok(log.iter().any(|recorded| {
            matches!(&recorded.event, Event::Run(RunEvent::SignalReceived(got)) if got.payload.text() == token)
        }))
    }
}
