//! What an embedder may set.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::limits;
use crate::model::{Level, NodeId, OpKey, RunId, TaskName, TraceContext, WorkflowName};
use crate::telemetry::ids;
use crate::telemetry::spans::AtCreation;

/// The engine's settings; the runtime's builder fills them in and checks them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// A name of this process for people.
    pub(crate) node_name: String,
    /// How long the node's lease lasts without a heartbeat.
    pub(crate) lease: Duration,
    /// How many lanes the journal has; each has a connection.
    pub(crate) lanes: u16,
    /// How many runs may be live at once.
    pub(crate) live_runs: usize,
    /// How many runs of some workflows may be live at once.
    pub(crate) workflow_slots: BTreeMap<WorkflowName, usize>,
    /// Whether this process only starts and watches runs.
    pub(crate) client: bool,
    /// Whether to listen to what other nodes announce.
    pub(crate) listen: bool,
    /// How long a run that only waits stays in memory.
    pub(crate) park_after: Duration,
    /// How often the dispatch index is asked when nothing says that it holds something.
    pub(crate) poll_interval: Duration,
    /// The least level of a line that is kept.
    pub(crate) log_level: Level,
    /// Whether this node takes part in the retention passes, and how far apart they are.
    pub(crate) retention: bool,
    pub(crate) retention_interval: Duration,
    /// How much of the time a pass may be at work.
    pub(crate) retention_share: f64,
    /// Which traces are exported, as far as that is decided when they begin; `None`: as their callers say.
    pub(crate) sampled: Option<AtCreation>,
    /// Where figures are pushed to.
    #[cfg(feature = "otel")]
    pub(crate) push: Option<super::reporter::Push>,
    /// What is exported, and where to, if this process takes part in it.
    #[cfg(feature = "otel")]
    pub(crate) export: Option<Arc<super::ExportSettings>>,
    /// Who is told of every body of code that runs, in tests.
    pub(crate) witness: Option<Witness>,
}

/// A piece of user code: a step's body, or, without an operation, a task's.
pub(crate) type Body = (RunId, TaskName, Option<OpKey>);

/// Notes which bodies ran, in a test.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    bodies: Arc<Mutex<Vec<Body>>>,
    listener: Option<Arc<Listener>>,
}

/// Hears of a body before it runs, and on which node.
pub(crate) type Listener = dyn Fn(NodeId, &Body) + Send + Sync;

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("bodies", &self.bodies).finish_non_exhaustive()
    }
}

impl Witness {
    /// Makes one that tells and keeps nothing.
    #[cfg(feature = "testing")]
    pub(crate) fn telling(listener: Arc<Listener>) -> Witness {
        Witness { listener: Some(listener), ..Witness::default() }
    }

    pub(crate) fn note(&self, node: NodeId, body: Body) {
        match &self.listener {
            Some(listener) => listener(node, &body),
            None => self.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body),
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn bodies(&self) -> Vec<Body> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Settings {
    /// Returns the place of a run in its trace, as its code and its child runs are told.
    pub(crate) fn place(&self, run: RunId, caller: Option<&TraceContext>) -> TraceContext {
        self.sampled.map_or_else(|| ids::run(run, caller), |sampled| sampled.place(run, caller))
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            node_name: "node".to_owned(),
            lease: limits::LEASE_DEFAULT,
            // Two committers that take whatever waits saturate a small server; more bring nothing (docs/PERFORMANCE.md).
            lanes: 2,
            live_runs: limits::LIVE_RUNS_DEFAULT,
            workflow_slots: BTreeMap::new(),
            client: false,
            listen: true,
            park_after: limits::PARK_AFTER_DEFAULT,
            poll_interval: Duration::from_secs(1),
            log_level: Level::Info,
            retention: true,
            retention_interval: limits::RETENTION_INTERVAL_DEFAULT,
            retention_share: limits::RETENTION_SHARE_DEFAULT,
            sampled: None,
            #[cfg(feature = "otel")]
            push: None,
            #[cfg(feature = "otel")]
            export: None,
            witness: None,
        }
    }
}
