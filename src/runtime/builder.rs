//! Builds a runtime.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

use super::control::Runtime;
use super::error::Error;
#[cfg(feature = "otel")]
use super::export::Export;
use super::schedule::Schedule;
use super::subscription::Subscription;
#[cfg(feature = "otel")]
use crate::actor::Push;
use crate::actor::{Engine, Settings};
use crate::clock::Clock;
use crate::model::limit::Limit;
use crate::model::limits::{
    LEASE_MAX, LEASE_MIN, NAME_BYTES_MAX, POLL_INTERVAL_MAX, POLL_INTERVAL_MIN, RETENTION_INTERVAL_MAX,
    RETENTION_INTERVAL_MIN, RETENTION_SHARE_MIN,
};
use crate::model::{Level, Timestamp, WorkflowName};
#[cfg(feature = "testing")]
use crate::model::{NodeId, OpKey, RunId, TaskName};
use crate::store::postgres::PostgresStore;
use crate::store::{Shape, Store};
#[cfg(feature = "otel")]
use crate::telemetry::otlp::Otlp;
use crate::workflow::{BuildError, Registry, Workflow};

/// A runtime under construction. Every setting has a default; [`start`](RuntimeBuilder::start) checks them all.
#[must_use = "a runtime runs when it is started"]
pub struct RuntimeBuilder {
    storage: Storage,
    registry: Result<Registry, BuildError>,
    settings: Settings,
    workflow_slots: Vec<(String, usize)>,
    #[cfg(feature = "otel")]
    export: Option<Export>,
    schedules: Vec<Schedule>,
    subscriptions: Vec<Subscription>,
    migrate: bool,
    pooler: bool,
    clock: Option<Arc<Clock>>,
    #[cfg(feature = "otel")]
    push: Option<(Otlp, Duration)>,
}

enum Storage {
    Postgres(PgPool),
    Given(Arc<dyn Store>),
}

impl RuntimeBuilder {
    pub(super) fn on(pool: PgPool) -> RuntimeBuilder {
        RuntimeBuilder::with(Storage::Postgres(pool))
    }

    pub(super) fn on_store(store: Arc<dyn Store>) -> RuntimeBuilder {
        RuntimeBuilder::with(Storage::Given(store))
    }

    fn with(storage: Storage) -> RuntimeBuilder {
        let (registry, settings) = (Ok(Registry::default()), Settings::default());
        let workflow_slots = Vec::new();
        RuntimeBuilder {
            storage,
            registry,
            settings,
            workflow_slots,
            #[cfg(feature = "otel")]
            export: None,
            schedules: Vec::new(),
            subscriptions: Vec::new(),
            migrate: true,
            pooler: false,
            clock: None,
            #[cfg(feature = "otel")]
            push: None,
        }
    }

    /// Serves a workflow. Several versions of one workflow may be served side by side; starts by name go to the one
    /// that was added last.
    pub fn workflow<I, O>(mut self, workflow: Workflow<I, O>) -> Self {
        self.registry = self.registry.and_then(|mut registry| {
            registry.add(Arc::clone(workflow.definition()?))?;
            Ok(registry)
        });
        self
    }

    /// Sets a name of this process for people. Default: `node`.
    pub fn node_name(mut self, name: impl Into<String>) -> Self {
        self.settings.node_name = name.into();
        self
    }

    /// Sets after how long without a heartbeat this node counts as dead and others take its runs over: 500 ms to 1 h.
    /// Default: 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets how many lanes the journal has, 1 to 16; each keeps a connection. Default: 2.
    pub fn lanes(mut self, lanes: u16) -> Self {
        self.settings.lanes = lanes;
        self
    }

    /// Sets how many runs may be in memory at once; more of them wait in the queue. Default: 10,000.
    pub fn live_runs(mut self, runs: usize) -> Self {
        self.settings.live_runs = runs;
        self
    }

    /// Sets how many runs of one workflow, all its versions together, may be in memory here at once; more of them wait in
    /// the queue, for this node or another. A parked run takes no slot. Default: no limit but
    /// [`live_runs`](RuntimeBuilder::live_runs).
    pub fn workflow_slots(mut self, workflow: impl Into<String>, runs: usize) -> Self {
        self.workflow_slots.push((workflow.into(), runs));
        self
    }

    /// Declares a schedule: [`start`](RuntimeBuilder::start) makes it if it is new, changes it if it differs from what is there
    /// under its name, and leaves it alone otherwise, paused ones paused. A schedule that is not declared any more stays until it
    /// is [deleted](super::Schedules::delete). A client declares none.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Declares a subscription: [`start`](RuntimeBuilder::start) makes it if it is new, and changes it if it differs from what is
    /// there under its name. One that is not declared any more stays until it is
    /// [deleted](super::Triggers::unsubscribe). A client declares none.
    pub fn subscription(mut self, subscription: Subscription) -> Self {
        self.subscriptions.push(subscription);
        self
    }

    /// Makes this process a client: it starts, signals, cancels and watches runs, and executes none. It takes no lease and
    /// three connections less; the workflows given only check inputs.
    pub fn client(mut self) -> Self {
        self.settings.client = true;
        self
    }

    /// Sets whether to hear by `LISTEN` of what other nodes put into the queue; without, this node finds out within its
    /// poll interval. Default: yes, but through a [`pooler`](RuntimeBuilder::pooler).
    pub fn listen(mut self, listen: bool) -> Self {
        self.settings.listen = listen;
        self
    }

    /// Sets whether the pool's connections go through a pooler in transaction mode, such as pgbouncer. Then each call is a
    /// transaction of its own, nothing listens, the pool must keep no statements (`statement-cache-capacity=0` in its URL), and
    /// migrations are to be run without the pooler. Default: no.
    pub fn pooler(mut self, pooler: bool) -> Self {
        self.pooler = pooler;
        self
    }

    /// Sets the least level of the lines that are kept, of [`Cx::log`](crate::Cx::log) and of captured `tracing` events.
    /// Default: INFO.
    pub fn log_level(mut self, level: Level) -> Self {
        self.settings.log_level = level;
        self
    }

    /// Sets how long a run that only waits stays in memory. Default: 1 s.
    pub fn park_after(mut self, rest: Duration) -> Self {
        self.settings.park_after = rest;
        self
    }

    /// Sets how often the queue is asked when nothing says that it holds something: 1 ms to 1 h. Schedules are asked for as
    /// often, but every five seconds at most. Default: 1 s.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// Sets whether this node takes part in the retention passes, which move runs that ended long ago into the archive
    /// ([`Runtime::set_retention`]). One node at a time makes a pass. Default: yes.
    pub fn retention(mut self, retention: bool) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Sets how far apart retention passes are: 100 ms to 7 days. Default: 1 h.
    pub fn retention_interval(mut self, interval: Duration) -> Self {
        self.settings.retention_interval = interval;
        self
    }

    /// Exports spans of what is committed in the whole database, this node's runs and the others'. One process at a time
    /// exports, of all that would; a [`client`](RuntimeBuilder::client) may. Default: no.
    #[cfg(feature = "otel")]
    pub fn export(mut self, export: Export) -> Self {
        self.export = Some(export);
        self
    }

    /// Sets how much of the time a retention pass that this process makes may be at work, from 0.001 to 1: it rests after each
    /// step, so that the database's processors and disk are the runs' for the rest. Default: 0.1; 1 does not rest, for a
    /// database that nobody else uses meanwhile.
    pub fn retention_share(mut self, share: f64) -> Self {
        self.settings.retention_share = share;
        self
    }

    /// Sets whether [`start`](RuntimeBuilder::start) brings the schema up to date. Default: yes. Without, it only checks.
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Pushes what this process counts (`docs/TELEMETRY.md`) to an OpenTelemetry backend, `every` so often, 100 ms to 1 h, and
    /// once more when it shuts down. A backend that is away costs nothing: what is counted goes on being counted.
    /// Default: nothing is pushed.
    #[cfg(feature = "otel")]
    pub fn push_metrics(mut self, otlp: Otlp, every: Duration) -> Self {
        self.push = Some((otlp, every));
        self
    }

    /// Sets the clock, for tests on virtual time.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn clock(mut self, clock: Arc<Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Tells `witness` of every body of code that runs, for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn witness(mut self, witness: crate::actor::Witness) -> Self {
        self.settings.witness = Some(witness);
        self
    }

    /// Tells `listener` of every body of code before it runs: a step's, or, without an operation, a task's. For tests.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn on_body(
        self,
        listener: impl Fn(NodeId, &(RunId, TaskName, Option<OpKey>)) + Send + Sync + 'static,
    ) -> Self {
        self.witness(crate::actor::Witness::telling(Arc::new(listener)))
    }

    /// Checks everything, migrates the schema, joins as a node, and begins to serve.
    ///
    /// # Errors
    /// [`Error::Workflow`] and [`Error::Setting`] before the database is asked; [`Error::Store`] when it is out of reach,
    /// read-only, too old, of a newer schema, or holds live runs of another shape of a workflow's version.
    pub async fn start(mut self) -> Result<Runtime, Error> {
        let registry = self.registry?;
        self.settings.workflow_slots = check_slots(&registry, self.workflow_slots)?;
        #[cfg(feature = "otel")]
        if let Some(export) = self.export {
            let export = export.checked()?;
            self.settings.sampled = Some(export.at_creation);
            self.settings.export = Some(Arc::new(export));
        }
        // Tests on virtual time have leases that no process would want.
        if self.clock.is_none() {
            check(&self.settings)?;
        }
        #[cfg(feature = "otel")]
        if let Some((otlp, every)) = &self.push {
            self.settings.push =
                Some(Push::checked(&self.settings.node_name, otlp, *every).map_err(refused)?);
        }
        let store: Arc<dyn Store> = match self.storage {
            Storage::Given(store) => store,
            Storage::Postgres(pool) if self.pooler => {
                self.settings.listen = false;
                Arc::new(PostgresStore::open_through_pooler(pool, self.settings.lanes).await?)
            }
            Storage::Postgres(pool) => {
                Arc::new(PostgresStore::open(pool, self.settings.lanes, self.migrate).await?)
            }
        };
        let shapes: Vec<Shape> = registry
            .all()
            .into_iter()
            .map(|definition| Shape {
                workflow: definition.name.clone(),
                version: definition.version.clone(),
                tasks: definition.plan.tasks.iter().map(|task| task.name.clone()).collect(),
                shape: definition.shape(),
                timeout: definition.timeout,
                start_timeout: definition.start_timeout,
                limit: limit(&registry, &definition.name),
            })
            .collect();
        if !self.settings.client {
            store.register(&shapes).await?;
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(Clock::starting_at(Timestamp::UNIX_EPOCH)));
        let is_client = self.settings.client;
        let runtime = Runtime::new(Engine::start(store, clock, registry, self.settings).await?);
        let declared = async {
            if is_client {
                return Ok(());
            }
            runtime.declare(self.schedules).await?;
            runtime.declare_subscriptions(self.subscriptions).await
        };
        if let Err(error) = declared.await {
            runtime.shutdown(Duration::ZERO).await?;
            return Err(error);
        }
        Ok(runtime)
    }
}

/// Returns the limit of a workflow: that of its newest version.
fn limit(registry: &Registry, workflow: &WorkflowName) -> Option<Limit> {
    registry.newest(workflow.as_str())?.limit.as_ref().map(|limit| limit.limit.clone())
}

#[cfg(feature = "otel")]
fn refused(problem: String) -> Error {
    Error::Setting { name: "push_metrics", problem }
}

fn check_slots(
    registry: &Registry,
    slots: Vec<(String, usize)>,
) -> Result<BTreeMap<WorkflowName, usize>, Error> {
    let refuse = |problem| Err(Error::Setting { name: "workflow_slots", problem });
    let mut checked = BTreeMap::new();
    for (name, runs) in slots {
        let Some(definition) = registry.newest(&name) else {
            return refuse(format!("no workflow {name:?} is served here: give it to the builder first"));
        };
        if runs == 0 {
            return refuse(format!("0 would never run {name}, at least 1"));
        }
        checked.insert(definition.name.clone(), runs);
    }
    Ok(checked)
}

fn check(settings: &Settings) -> Result<(), Error> {
    let refuse = |name, problem: String| Err(Error::Setting { name, problem });
    if !(LEASE_MIN..=LEASE_MAX).contains(&settings.lease) {
        let problem = format!("{:?} is out of range, {LEASE_MIN:?} to {LEASE_MAX:?}", settings.lease);
        return refuse("lease", problem);
    }
    if !(1..=16).contains(&settings.lanes) {
        return refuse("lanes", format!("{} is out of range, 1 to 16", settings.lanes));
    }
    if settings.live_runs == 0 {
        return refuse("live_runs", "0 would never run anything, at least 1".to_owned());
    }
    if !(POLL_INTERVAL_MIN..=POLL_INTERVAL_MAX).contains(&settings.poll_interval) {
        let asked = settings.poll_interval;
        let problem = format!("{asked:?} is out of range, {POLL_INTERVAL_MIN:?} to {POLL_INTERVAL_MAX:?}");
        return refuse("poll_interval", problem);
    }
    let (shortest, longest) = (RETENTION_INTERVAL_MIN, RETENTION_INTERVAL_MAX);
    if !(shortest..=longest).contains(&settings.retention_interval) {
        let asked = settings.retention_interval;
        return refuse(
            "retention_interval",
            format!("{asked:?} is out of range, {shortest:?} to {longest:?}"),
        );
    }
    if !(RETENTION_SHARE_MIN..=1.0).contains(&settings.retention_share) {
        let asked = settings.retention_share;
        return refuse("retention_share", format!("{asked} is out of range, {RETENTION_SHARE_MIN} to 1"));
    }
    let name = &settings.node_name;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return refuse(
            "node_name",
            format!("must have 1 to {NAME_BYTES_MAX} bytes and no control character"),
        );
    }
    Ok(())
}
