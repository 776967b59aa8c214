//! The kit: a world in memory, and the runtime that serves in it at the moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::crash::all_runs;
use super::cut::Cut;
use super::run::KitRun;
use crate::actor::Witness;
use crate::clock::Clock;
use crate::model::{Recorded, RunId, Timestamp};
use crate::runtime::{
    Error, NewRun, ReplayOptions, ReplayPlan, Runtime, RuntimeBuilder, SignalOptions, Signalled,
};
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError};
use crate::workflow::Workflow;
use crate::workflow::check::CheckReport;

/// A kit under construction: the workflows it serves.
#[derive(Clone, Default)]
#[must_use = "a kit serves when it is started"]
pub struct KitBuilder {
    add: Vec<Arc<dyn Fn(RuntimeBuilder) -> RuntimeBuilder + Send + Sync>>,
}

/// A runtime in memory and in virtual time, which can crash and recover. Cheap to clone.
#[derive(Clone)]
pub struct Kit {
    world: Arc<World>,
}

struct World {
    store: Arc<MemoryStore>,
    serving: watch::Sender<Option<Runtime>>,
    state: Mutex<State>,
    /// Where the first runtime crashes by itself.
    cut: Option<Arc<Cut>>,
}

struct State {
    builder: KitBuilder,
    incarnation: u64,
    runs: Vec<RunId>,
    waker: Option<tokio::task::JoinHandle<()>>,
}

/// When every kit's world begins: 2026-01-01T00:00:00Z, in microseconds.
const BEGINNING_US: i64 = 1_767_225_600_000_000;

/// A lease and a poll interval that no test notices: everything is told by hints, and timers stay few.
const LEASE: Duration = Duration::from_secs(300 * 24 * 3_600);
const POLL: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How long things at work are given to come to rest: in virtual time, so however long they really need.
const SETTLE: Duration = Duration::from_millis(1);

impl KitBuilder {
    /// Serves a workflow; several versions of one may be served side by side.
    pub fn workflow<I: 'static, O: 'static>(mut self, workflow: Workflow<I, O>) -> Self {
        self.add.push(Arc::new(move |builder| builder.workflow(workflow.clone())));
        self
    }

    /// Starts a runtime in an empty world whose clock shows 2026-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`Error::Workflow`].
    pub async fn start(self) -> Result<Kit, Error> {
        self.start_cut(None).await.map(|(kit, _)| kit)
    }

    pub(super) async fn start_cut(self, cut: Option<Arc<Cut>>) -> Result<(Kit, Witness), Error> {
        let beginning = Timestamp::from_timestamp_micros(BEGINNING_US).unwrap_or_default();
        let store = MemoryStore::seeded(beginning, 1);
        let state = State { builder: self, incarnation: 0, runs: Vec::new(), waker: None };
        let world = World { store, serving: watch::Sender::new(None), state: Mutex::new(state), cut };
        let kit = Kit { world: Arc::new(world) };
        let witness = kit.serve(kit.world.cut.clone()).await?;
        Ok((kit, witness))
    }
}

impl Kit {
    /// Begins to build a kit.
    pub fn builder() -> KitBuilder {
        KitBuilder::default()
    }

    /// Starts a run.
    ///
    /// # Errors
    /// As for [`NewRun::start`].
    pub async fn run<I: Serialize, O>(
        &self,
        workflow: &Workflow<I, O>,
        input: &I,
    ) -> Result<KitRun<O>, Error> {
        self.run_with(workflow, input, |run| run).await
    }

    /// Starts a run with settings of its own: `kit.run_with(&w, &input, |run| run.timeout(…))`.
    ///
    /// # Errors
    /// As for [`NewRun::start`].
    pub async fn run_with<I: Serialize, O>(
        &self,
        workflow: &Workflow<I, O>,
        input: &I,
        settings: impl for<'a> Fn(NewRun<'a, O>) -> NewRun<'a, O>,
    ) -> Result<KitRun<O>, Error> {
        // With a key the start can be repeated when the crash leaves it unanswered.
        let key = self.world.cut.as_ref().map(|_| format!("kit-{}", self.state().runs.len()));
        let start = async |runtime: Runtime| {
            let run = NewRun::typed(&runtime, workflow, input);
            let run = key.iter().fold(run, |run, key| run.key(key));
            settings(run).start().await.map(|run| run.id())
        };
        let run = self.retried(start).await?;
        self.state().runs.push(run);
        Ok(KitRun::new(self, run))
    }

    /// Sends a signal to a key; on return every run that waited for it took it, unless the run is blocked or nobody serves it.
    ///
    /// # Errors
    /// As for [`Runtime::signal_key`].
    pub async fn signal_key<T: Serialize>(
        &self,
        name: &str,
        key: &str,
        payload: &T,
    ) -> Result<Signalled, Error> {
        // With an id it can be repeated when the crash leaves it unanswered.
        let id = self.world.store.clock().new_run_id().to_string();
        let options = SignalOptions::default().id(id);
        let send =
            async |runtime: Runtime| runtime.signal_key_with(name, key, payload, options.clone()).await;
        let sent = self.retried(send).await?;
        self.settle().await;
        Ok(sent)
    }

    /// Replays a run; see [`Runtime::replay`].
    ///
    /// # Errors
    /// As for [`Runtime::replay`].
    pub(super) async fn replay<O>(
        &self,
        run: RunId,
        options: ReplayOptions,
    ) -> Result<(KitRun<O>, ReplayPlan), Error> {
        // With an id it can be repeated when the crash leaves it unanswered.
        let id = self.world.cut.as_ref().map(|_| self.world.store.clock().new_run_id());
        let options = id.iter().fold(options, |options, id| options.id(*id));
        let replay = async |runtime: Runtime| {
            let replayed = runtime.replay(run, options.clone()).await?;
            Ok((replayed.run.id(), replayed.plan))
        };
        let (new, plan) = self.retried(replay).await?;
        self.state().runs.push(new);
        Ok((KitRun::new(self, new), plan))
    }

    /// Returns a handle of any run of the world, such as a child run.
    pub fn find(&self, run: RunId) -> KitRun<serde_json::Value> {
        KitRun::new(self, run)
    }

    /// Lets virtual time pass: every timer on the way goes off at its instant.
    pub async fn advance(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Lets everything that can happen now happen; costs a millisecond of virtual time.
    pub async fn settle(&self) {
        tokio::time::sleep(SETTLE).await;
    }

    /// Reads the logs of all runs that were started, and of their descendants: histories for a
    /// [`Check`](crate::Check) of other code.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn histories(&self) -> Result<Vec<(RunId, Vec<Recorded>)>, Error> {
        let mut histories = Vec::new();
        for run in all_runs(self).await? {
            histories.push((run, self.store().log(run, 0, u32::MAX).await?));
        }
        Ok(histories)
    }

    /// Checks the workflows that are served at the moment against all of that: see [`Runtime::check`].
    ///
    /// # Errors
    /// As for [`Runtime::check`], and between a crash and a recovery.
    pub async fn check(&self) -> Result<CheckReport, Error> {
        self.current()?.check(&all_runs(self).await?).await
    }

    /// Returns the world's time.
    pub fn now(&self) -> Timestamp {
        self.world.store.clock().now()
    }

    /// Returns the runtime that serves at the moment.
    ///
    /// # Errors
    /// [`Error::NotRunning`] between [`crash`](Kit::crash) and [`recover`](Kit::recover).
    pub fn current(&self) -> Result<Runtime, Error> {
        self.world.serving.borrow().clone().ok_or(Error::NotRunning)
    }

    /// Returns the world itself.
    pub fn store(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.world.store)
    }

    /// Ends the runtime as `kill -9` ends a process: nothing is released, nobody is told; its lease is over at once.
    pub fn crash(&self) {
        let Some(runtime) = self.world.serving.send_replace(None) else { return };
        if let Some(waker) = self.state().waker.take() {
            waker.abort();
        }
        let node = runtime.engine.node().map(|node| node.id);
        runtime.crash();
        if let Some(node) = node {
            self.world.store.kill(node);
        }
    }

    /// Starts the next runtime in the same world, with the same workflows.
    ///
    /// # Errors
    /// As for [`RuntimeBuilder::start`].
    pub async fn recover(&self) -> Result<(), Error> {
        self.serve(None).await.map(|_| ())
    }

    /// Crashes, and starts the next runtime with other workflows: a deploy.
    ///
    /// # Errors
    /// As for [`RuntimeBuilder::start`]; nothing serves then.
    pub async fn deploy(&self, builder: KitBuilder) -> Result<(), Error> {
        self.crash();
        self.state().builder = builder;
        self.recover().await
    }

    /// Starts a runtime that sees the world through `cut`; the witness is told of every body that it runs.
    pub(super) async fn serve(&self, cut: Option<Arc<Cut>>) -> Result<Witness, Error> {
        let store = &self.world.store;
        let (builder, incarnation) = {
            let mut state = self.state();
            state.incarnation += 1;
            (state.builder.clone(), state.incarnation)
        };
        let connection = cut.map_or_else(|| store.connect(), |cut| store.connect_with(cut));
        let clock = Arc::new(Clock::seeded(store.clock().now(), 1 + incarnation));
        let witness = Witness::default();
        let bare = Runtime::on_store(connection as Arc<dyn Store>)
            .clock(clock)
            .witness(witness.clone())
            .lease(LEASE)
            .poll_interval(POLL)
            .node_name("kit");
        let runtime = builder.add.iter().fold(bare, |bare, add| add(bare)).start().await?;
        let waker = tokio::spawn(wake(Arc::clone(store), runtime.clone()));
        self.state().waker = Some(waker);
        self.world.serving.send_replace(Some(runtime));
        Ok(witness)
    }

    /// Asks the runtime. In a crash test a lost answer is asked for again once there is another runtime.
    pub(super) async fn retried<T>(
        &self,
        ask: impl AsyncFn(Runtime) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut serving = self.world.serving.subscribe();
        loop {
            let runtime = serving.borrow_and_update().clone();
            let answer = match (runtime, &self.world.cut) {
                (None, None) => return Err(Error::NotRunning),
                (Some(runtime), None) => return ask(runtime).await,
                (None, Some(_)) => None,
                (Some(runtime), Some(_)) => tokio::select! {
                    answer = ask(runtime) => Some(answer),
                    _ = serving.changed() => continue,
                },
            };
            match answer {
                Some(answer) if !answer.as_ref().is_err_and(is_lost) => return answer,
                Some(_) | None => {
                    // Fails only without a sender, which the world holds.
                    let _ = serving.changed().await;
                }
            }
        }
    }

    pub(super) fn runs(&self) -> Vec<RunId> {
        self.state().runs.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.world.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the claimer look whenever the world changed: its poll interval is too long to notice.
async fn wake(store: Arc<MemoryStore>, runtime: Runtime) {
    loop {
        let changed = store.changed();
        runtime.engine.hint_due();
        changed.await;
    }
}

/// Says whether the process died over the question.
fn is_lost(error: &Error) -> bool {
    matches!(error, Error::NotRunning | Error::Store(StoreError::Unavailable { .. } | StoreError::Fenced))
}
