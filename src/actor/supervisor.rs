//! Keeps the actors and the agents alive, and joins anew after the node was fenced.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::admission::Admission;
use super::claimer::{Claimer, Hint};
use super::collector::{Collector, Question};
#[cfg(feature = "otel")]
use super::exporter::Exporting;
use super::followers::Followers;
use super::herald::{Herald, NEWS_WAITING_MAX};
use super::journal::Lane;
use super::leaseholder::Leaseholder;
use super::listener::Listener;
use super::live::Live;
use super::node::{Loss, Node};
use super::paused::Paused;
use super::postman::Postman;
use super::pruner::Pruner;
use super::rejoin::rejoin;
use super::rescuer::Rescuer;
use super::run::{Beginning, Run, RunMsg};
use super::scheduler::Scheduler;
use super::settings::Settings;
use super::timekeeper::Timekeeper;
use super::watchers::Watchers;
use super::writing::Writing;
use crate::clock::Clock;
use crate::model::limits::PUSHES_MAX;
use crate::model::{NodeId, RunId, WorkflowName};
use crate::store::{News, NodeInfo, Served, Store, StoreError};
use crate::telemetry::Metrics;
use crate::workflow::{Definition, Registry};

/// What every part of the engine shares.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) admission: Admission,
    pub(crate) paused: Paused,
    pub(crate) live: Live,
    pub(crate) watchers: Watchers,
    pub(crate) followers: Followers,
    pub(crate) writing: Writing,
    #[cfg(feature = "otel")]
    pub(super) exporting: Exporting,
    /// Told when a schedule was made or changed.
    pub(crate) schedules_changed: Notify,
    /// The pushes of trigger events that may be under way.
    pub(crate) pushes: Semaphore,
    pub(super) incarnation: RwLock<Option<Incarnation>>,
    supervisor: OnceLock<ActorRef<SupervisorMsg>>,
    pub(super) news: mpsc::Sender<News>,
    /// The agents that outlive a node.
    agents: Mutex<Vec<JoinHandle<()>>>,
}

/// What changes when the process joins anew.
pub(super) struct Incarnation {
    node: Arc<Node>,
    pub(super) hints: mpsc::UnboundedSender<Hint>,
    pub(super) mail: mpsc::UnboundedSender<RunId>,
    pub(super) asks: mpsc::UnboundedSender<Question>,
    agents: Vec<JoinHandle<()>>,
}

impl Drop for Incarnation {
    fn drop(&mut self) {
        self.node.mark_fenced();
        self.agents.iter().for_each(JoinHandle::abort);
    }
}

impl Engine {
    /// Joins as a node and starts the supervisor and the agents. A client joins nothing.
    pub(crate) async fn start(
        store: Arc<dyn Store>,
        clock: Arc<Clock>,
        registry: Registry,
        settings: Settings,
    ) -> Result<Arc<Engine>, StoreError> {
        let (news, announced) = mpsc::channel(NEWS_WAITING_MAX);
        // A client has room for nothing: what it starts waits for the nodes.
        let slots = if settings.client { 0 } else { settings.live_runs };
        let metrics = Metrics::new().map_err(|error| StoreError::Bug { message: error.to_string() })?;
        let engine = Arc::new(Engine {
            store,
            clock,
            registry,
            admission: Admission::new(slots, &settings.workflow_slots),
            settings,
            metrics: Arc::new(metrics),
            paused: Paused::default(),
            live: Live::new(),
            watchers: Watchers::default(),
            followers: Followers::default(),
            writing: Writing::new(),
            #[cfg(feature = "otel")]
            exporting: Exporting::default(),
            schedules_changed: Notify::new(),
            pushes: Semaphore::new(PUSHES_MAX),
            incarnation: RwLock::new(None),
            supervisor: OnceLock::new(),
            news,
            agents: Mutex::default(),
        });
        let spawned = Actor::spawn(None, Supervisor, Arc::clone(&engine)).await;
        let (supervisor, _running) =
            spawned.map_err(|error| StoreError::Bug { message: error.to_string() })?;
        // Before the claimer begins: what it claims needs a parent.
        let _only_once = engine.supervisor.set(supervisor.clone());
        if let Err(error) = engine.set_up().await {
            supervisor.stop(None);
            return Err(error);
        }
        // They go by the clock, which is set by now.
        #[cfg(feature = "otel")]
        {
            engine.report();
            engine.begin_export();
        }
        let herald = Herald { store: Arc::clone(&engine.store), queue: announced };
        engine.keep(herald.run().boxed());
        Ok(engine)
    }

    async fn set_up(self: &Arc<Engine>) -> Result<(), StoreError> {
        if self.settings.client {
            self.clock.sync(self.store.now().await?);
            self.keep(Timekeeper { engine: Arc::clone(self) }.run().boxed());
            return Ok(());
        }
        self.enter(Incarnation::join(self, None).await?);
        self.writing.agents(self).into_iter().for_each(|agent| self.keep(agent));
        if self.settings.retention {
            self.keep(Pruner { engine: Arc::clone(self) }.run().boxed());
        }
        self.keep(Scheduler { engine: Arc::clone(self) }.run().boxed());
        if self.settings.listen {
            self.keep(Listener { engine: Arc::clone(self) }.run().boxed());
        }
        Ok(())
    }

    /// Lets an agent work until it ends, or everything is stopped.
    pub(crate) fn keep(&self, agent: BoxFuture<'static, ()>) {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        agents.retain(|agent| !agent.is_finished());
        agents.push(tokio::spawn(agent));
    }

    pub(super) fn enter(self: &Arc<Engine>, incarnation: Incarnation) {
        let node = Arc::clone(&incarnation.node);
        tracing::info!(node = %node.id, name = %self.settings.node_name, "joined");
        *self.incarnation.write().unwrap_or_else(PoisonError::into_inner) = Some(incarnation);
        let engine = Arc::downgrade(self);
        tokio::spawn(async move {
            node.fenced().await;
            if let Some(supervisor) = engine.upgrade().and_then(|engine| engine.supervisor.get().cloned()) {
                let _stopped = supervisor.cast(SupervisorMsg::Fenced);
            }
        });
    }

    /// Returns the present node; `None` while the process is between two, or shut down.
    pub(crate) fn node(&self) -> Option<Arc<Node>> {
        let incarnation = self.incarnation.read().unwrap_or_else(PoisonError::into_inner);
        incarnation.as_ref().map(|incarnation| Arc::clone(&incarnation.node))
    }

    /// Lists what this process serves, with the room that `room` says there is.
    pub(crate) fn served(&self, room: impl Fn(&WorkflowName) -> usize) -> Vec<Served> {
        let served = |definition: &Arc<Definition>| Served {
            workflow: definition.name.clone(),
            version: definition.version.clone(),
            slots: room(&definition.name),
        };
        self.registry.all().into_iter().map(served).collect()
    }

    /// Spawns a run's actor under the supervisor. It enters [`Live`] as its first act.
    pub(crate) fn spawn(self: &Arc<Engine>, node: &Arc<Node>, beginning: Beginning) {
        let Some(supervisor) = self.supervisor.get() else { return };
        let run = beginning.run;
        let actor = Run { engine: Arc::clone(self), node: Arc::clone(node) };
        // Unnamed: ractor's names are process-wide, and two runtimes may live in one process.
        let spawned = ActorRuntime::spawn_linked_instant(None, actor, beginning, supervisor.get_cell());
        if let Err(error) = spawned {
            tracing::error!(%run, %error, "a run's actor cannot be spawned");
        }
    }

    /// Stops everything: with a grace, code that is at work may come to a checkpoint first. What is not finished then
    /// is released and goes on elsewhere.
    pub(crate) async fn stop(&self, grace: Duration) -> Result<(), StoreError> {
        let node = self.node();
        self.admission.close();
        let deadline = tokio::time::Instant::now() + grace;
        for (_, actor) in self.live.all() {
            let _gone = actor.cast(RunMsg::Drain);
        }
        while self.live.count() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // A client executes nothing that writes, and has no agent that would answer.
        if !self.settings.client {
            self.writing.flush(deadline).await;
        }
        #[cfg(feature = "otel")]
        self.exporting.finish(self.store.as_ref(), deadline).await;
        // What was exported on the way out is counted, too.
        #[cfg(feature = "otel")]
        self.report_last(deadline).await;
        self.halt();
        let Some(node) = node else { return Ok(()) };
        self.store.leave(node.id).await?;
        // What was released is due for the others.
        self.store.announce(&[News::Due]).await
    }

    /// Stops everything at once and tells nobody, as a crash does.
    pub(crate) fn halt(&self) {
        drop(self.incarnation.write().unwrap_or_else(PoisonError::into_inner).take());
        #[cfg(feature = "otel")]
        self.exporting.halt();
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|agent| agent.abort());
        for (run, actor) in self.live.all() {
            actor.kill();
            self.live.remove(run, actor.get_id());
        }
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.stop(None);
        }
    }
}

impl Incarnation {
    pub(super) async fn join(
        engine: &Arc<Engine>,
        resumes: Option<NodeId>,
    ) -> Result<Incarnation, StoreError> {
        let settings = &engine.settings;
        let info = NodeInfo {
            name: settings.node_name.clone(),
            pid: std::process::id(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            slots: settings.live_runs,
            served: engine.served(|name| settings.workflow_slots.get(name).copied().unwrap_or(usize::MAX)),
            resumes,
        };
        let renewed = tokio::time::Instant::now();
        let joined = engine.store.join(&info, settings.lanes, settings.lease).await?;
        engine.clock.sync(joined.now);
        let (senders, queues): (Vec<_>, Vec<_>) =
            (0..settings.lanes).map(|_| mpsc::unbounded_channel()).unzip();
        let node = Arc::new(Node::new(joined.node, senders));
        let (hints, hint_queue) = mpsc::unbounded_channel();
        let (mail, mail_queue) = mpsc::unbounded_channel();
        let (asks, ask_queue) = mpsc::unbounded_channel();
        let mut agents = Vec::new();
        let mut spawn = |agent: BoxFuture<'static, ()>| agents.push(spawn_agent(&node, agent));
        for (lane, queue) in (0..).zip(queues) {
            let store = Arc::clone(&engine.store);
            let metrics = Arc::clone(&engine.metrics);
            spawn(Lane { store, metrics, node: Arc::clone(&node), lane, queue }.run().boxed());
        }
        let (claiming, holding, rescuing) = (Arc::clone(engine), Arc::clone(engine), Arc::clone(engine));
        spawn(Leaseholder { engine: holding, node: Arc::clone(&node), renewed }.run().boxed());
        spawn(Rescuer { engine: rescuing, node: Arc::clone(&node) }.run().boxed());
        spawn(Postman { engine: Arc::clone(engine), queue: mail_queue }.run().boxed());
        spawn(
            Collector { engine: Arc::clone(engine), node: Arc::clone(&node), asks: ask_queue }.run().boxed(),
        );
        spawn(Claimer { engine: claiming, node: Arc::clone(&node), hints: hint_queue }.run().boxed());
        Ok(Incarnation { node, hints, mail, asks, agents })
    }
}

/// Runs an agent. One that panics takes its node down with it: the process gives up the lease and joins anew, with all of
/// them.
fn spawn_agent(node: &Arc<Node>, agent: BoxFuture<'static, ()>) -> JoinHandle<()> {
    let node = Arc::clone(node);
    tokio::spawn(async move {
        if AssertUnwindSafe(agent).catch_unwind().await.is_err() {
            tracing::error!(node = %node.id, "an agent panicked: dropping every run and joining anew");
            node.lose(Loss::Panic);
        }
    })
}

/// The parent of every run's actor. Never stops because a child does.
pub(crate) struct Supervisor;

/// What the supervisor is told.
pub(crate) enum SupervisorMsg {
    /// The node was declared dead.
    Fenced,
}

impl Actor for Supervisor {
    type Msg = SupervisorMsg;
    type State = Arc<Engine>;
    type Arguments = Arc<Engine>;

    async fn pre_start(
        &self,
        _myself: ActorRef<SupervisorMsg>,
        engine: Arc<Engine>,
    ) -> Result<Arc<Engine>, ActorProcessingErr> {
        Ok(engine)
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMsg>,
        message: SupervisorMsg,
        engine: &mut Arc<Engine>,
    ) -> Result<(), ActorProcessingErr> {
        let SupervisorMsg::Fenced = message;
        let fenced = engine.incarnation.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(fenced) = fenced else { return Ok(()) };
        let node = Arc::clone(&fenced.node);
        drop(fenced);
        engine.live.all().into_iter().for_each(|(_, actor)| actor.stop(None));
        rejoin(Arc::clone(engine), node, myself);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<SupervisorMsg>,
        event: SupervisionEvent,
        engine: &mut Arc<Engine>,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(actor, error) = event {
            let dead = engine.live.all().into_iter().find(|(_, live)| live.get_id() == actor.get_id());
            if let Some((run, _)) = dead {
                tracing::error!(%run, %error, "a run's actor died: folding its log again");
                engine.live.remove(run, actor.get_id());
                engine.hint(Hint::Orphan(run));
            }
        }
        Ok(())
    }
}
