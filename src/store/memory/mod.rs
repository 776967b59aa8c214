//! The contract in memory: one world behind one lock, for simulation and for users' tests.
//!
//! Every call is one step under the lock, which no call keeps across an await; [`Faults`] may make an append or a claim
//! a transaction that takes time, as in a database. Nothing here depends on the order of a hash map or on the wall
//! clock: under tokio's paused time the same calls give the same answers.

mod world;
mod append;
mod claim;
mod nodes;
mod census;
mod inbox;
mod signals;
mod read;
mod summaries;
mod writings;
mod outbox;
mod list;
mod archive;
mod schedules;
mod triggers;
mod flow;
mod debounce;
mod faults;
mod locks;
mod transaction;
#[cfg_attr(
    not(feature = "testing"),
    expect(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "only simulations ask for mutants and observe the world"
    )
)]
mod simulated;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

pub use self::faults::{Call, CrashAfter, Fate, Faults, Transaction};
#[cfg(feature = "testing")]
pub use self::simulated::{Accepted, Lease, Mutant, Noticed, Observer, Passage, Seen};
use self::world::World;
use super::{
    Alike, Answer, Append, Appended, Claimed, Commit, Created, FailureGroups, Heartbeat, Inbox, Joined,
    KnownWorkflow, LiveRuns, Loaded, News, NodeInfo, NodeRow, Registered, Rescue, RunCount, RunPage,
    RunQuery, RunRow, RunsEnded, Sent, Serving, Shape, Store, StoreError, Wanted,
};
use crate::clock::Clock;
use crate::model::{
    Key, MessageBody, MessageId, Namespace, NodeId, Recorded, RunId, RunState, RunSummary, Timestamp,
    Version, WorkflowName,
};

/// One process's connection to a world of runs that lives in memory.
///
/// Several connections may share a world, as processes share a database; each may have its own [`Faults`].
pub struct MemoryStore {
    shared: Arc<Shared>,
    faults: Option<Arc<dyn Faults>>,
    /// Tells it from the others.
    process: u64,
    listening: tokio::sync::Mutex<Option<broadcast::Receiver<News>>>,
}

/// News that a slow listener may be behind with; after more it looks for itself.
const NEWS_KEPT: usize = 1_024;

struct Shared {
    world: Mutex<World>,
    clock: Clock,
    changed: Notify,
    news: broadcast::Sender<News>,
    /// Told when a transaction ends.
    ended: Notify,
    processes: AtomicU64,
}

impl MemoryStore {
    /// Makes an empty world whose clock shows `now`.
    pub fn new(now: Timestamp) -> Arc<MemoryStore> {
        MemoryStore::with_clock(Clock::starting_at(now))
    }

    /// Makes an empty world whose clock shows `now` and draws the same ids for the same `seed`.
    pub fn seeded(now: Timestamp, seed: u64) -> Arc<MemoryStore> {
        MemoryStore::with_clock(Clock::seeded(now, seed))
    }

    fn with_clock(clock: Clock) -> Arc<MemoryStore> {
        let shared = Shared {
            world: Mutex::default(),
            clock,
            changed: Notify::new(),
            news: broadcast::Sender::new(NEWS_KEPT),
            ended: Notify::new(),
            processes: AtomicU64::new(0),
        };
        MemoryStore::on(Arc::new(shared), None)
    }

    /// Connects another process to the same world, without faults.
    pub fn connect(&self) -> Arc<MemoryStore> {
        MemoryStore::on(Arc::clone(&self.shared), None)
    }

    /// Connects another process to the same world, whose calls and answers `faults` may delay or lose.
    pub fn connect_with(&self, faults: Arc<dyn Faults>) -> Arc<MemoryStore> {
        MemoryStore::on(Arc::clone(&self.shared), Some(faults))
    }

    fn on(shared: Arc<Shared>, faults: Option<Arc<dyn Faults>>) -> Arc<MemoryStore> {
        let process = shared.processes.fetch_add(1, Ordering::Relaxed);
        Arc::new(MemoryStore { shared, faults, process, listening: tokio::sync::Mutex::new(None) })
    }

    /// Ends a node's lease now, as if it had expired: it writes nothing more, and keeps its runs until a
    /// [`rescue`](Store::rescue).
    pub fn kill(&self, node: NodeId) {
        let now = self.shared.clock.now();
        self.world().expire(node, now);
        self.shared.changed.notify_waiters();
    }

    /// Returns how many events all logs of this world hold together.
    pub fn events_appended(&self) -> u64 {
        self.world().events
    }

    /// Returns the world's clock: the one that gives events their time.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Waits until a run is queued, parked, released or gets a message, from the making of this future on; a run
    /// that becomes due by the passing of time alone is told by [`Claimed::next_due`].
    pub fn changed(&self) -> impl Future<Output = ()> + Send + '_ {
        self.shared.changed.notified()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Carries out one call as one step, with what the faults make of it.
    fn call<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        step: impl FnOnce(&mut World, Timestamp) -> Result<T, StoreError> + Send + 'a,
    ) -> Answer<'a, T> {
        self.call_alone(call, |_, _| Vec::new(), step)
    }

    /// As [`call`](MemoryStore::call), once none of the nodes that `of` names has a transaction under way.
    fn call_alone<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        of: impl Fn(&World, Timestamp) -> Vec<NodeId> + Send + 'a,
        step: impl FnOnce(&mut World, Timestamp) -> Result<T, StoreError> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            let faults = self.faults.as_deref();
            faults::stand_still(faults).await;
            let fate = faults.map_or(Fate::Passes, |faults| faults.on_call(&call));
            faults::suffer(fate).await?;
            let (answer, fate) = self.shared.step_alone(faults, &call, of, step).await;
            faults::suffer(fate).await?;
            faults::stand_still(faults).await;
            answer
        })
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        // A panic under the lock is a bug of ours in one call; the others need not follow it.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step<T>(
        &self,
        faults: Option<&dyn Faults>,
        call: &Call,
        world: &mut World,
        step: impl FnOnce(&mut World, Timestamp) -> Result<T, StoreError>,
    ) -> (Result<T, StoreError>, Fate) {
        let events_before = world.events;
        let answer = step(world, self.clock.now());
        let appended = world.events - events_before;
        if std::mem::take(&mut world.changed) {
            self.changed.notify_waiters();
        }
        let Some(faults) = faults else { return (answer, Fate::Passes) };
        faults.on_end(call, answer.as_ref().err());
        let fate = faults.on_answer(call, appended);
        (answer, fate)
    }
}

impl Store for MemoryStore {
    fn join<'a>(&'a self, node: &'a NodeInfo, lanes: u16, lease: Duration) -> Answer<'a, Joined> {
        self.call(Call::of("join"), move |world, now| world.join(node, lanes, lease, now))
    }

    fn heartbeat(&self, node: NodeId, lease: Duration) -> Answer<'_, Heartbeat> {
        let renew = move |world: &mut World, now| Ok(world.heartbeat(node, lease, now));
        self.call_alone(Call::by("heartbeat", node), move |_, _| vec![node], renew)
    }

    fn leave(&self, node: NodeId) -> Answer<'_, ()> {
        let leave = move |world: &mut World, now| {
            world.leave(node, now);
            Ok(())
        };
        self.call_alone(Call::by("leave", node), move |_, _| vec![node], leave)
    }

    fn rescue(&self) -> Answer<'_, Rescue> {
        self.call_alone(Call::of("rescue"), World::expired, |world, now| Ok(world.rescue(now)))
    }

    fn register<'a>(&'a self, workflows: &'a [Shape]) -> Answer<'a, ()> {
        self.call(Call::of("register"), move |world, now| world.register(workflows, now))
    }

    fn append<'a>(&'a self, node: NodeId, lane: u16, batch: &'a [Commit]) -> Answer<'a, Appended> {
        self.transact_append(node, lane, batch)
    }

    fn create<'a>(&'a self, runs: &'a [Append]) -> Answer<'a, Vec<Created>> {
        self.call(Call::of("create"), move |world, now| world.create(runs, now))
    }

    fn claim<'a>(&'a self, node: NodeId, wanted: &'a Wanted) -> Answer<'a, Claimed> {
        self.transact_claim(node, wanted)
    }

    fn held(&self, node: NodeId) -> Answer<'_, Vec<RunId>> {
        self.call(Call::by("held", node), move |world, _| Ok(world.held(node)))
    }

    fn load<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Loaded>> {
        self.call(Call::of("load"), move |world, _| {
            let (stale, fresh) = world.split_loaded(runs);
            Ok([stale, world.load(&fresh)].concat())
        })
    }

    fn inbox<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Inbox>> {
        self.call(Call::of("inbox"), move |world, _| Ok(world.inbox(runs)))
    }

    fn send<'a>(&'a self, run: RunId, body: &'a MessageBody) -> Answer<'a, Sent> {
        self.call(Call::of("send"), move |world, now| Ok(world.send(run, body, now)))
    }

    fn is_waiting(&self, run: RunId, message: MessageId) -> Answer<'_, bool> {
        self.call(Call::of("is_waiting"), move |world, _| Ok(world.is_waiting(run, message)))
    }

    fn keep_snapshot<'a>(&'a self, state: &'a RunState) -> Answer<'a, ()> {
        self.call(Call::of("keep_snapshot"), move |world, _| {
            world.keep_snapshot(state);
            Ok(())
        })
    }

    fn row(&self, run: RunId) -> Answer<'_, Option<RunRow>> {
        self.call(Call::of("row"), move |world, _| Ok(world.row(run)))
    }

    fn summaries<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunSummary>> {
        self.call(Call::of("summaries"), move |world, _| Ok(world.summaries(runs)))
    }

    fn list<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunPage> {
        self.call(Call::of("list"), move |world, _| Ok(world.list(query)))
    }

    fn count<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunCount> {
        self.call(Call::of("count"), move |world, _| Ok(world.count(query)))
    }

    fn failures<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, FailureGroups> {
        self.call(Call::of("failures"), move |world, _| Ok(world.failures(query)))
    }

    fn when_ended<'a>(&'a self, query: &'a RunQuery, every: Duration) -> Answer<'a, RunsEnded> {
        self.call(Call::of("when_ended"), move |world, _| Ok(world.ended(query, every)))
    }

    fn seen<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, super::Seen> {
        self.call(Call::of("seen"), move |world, _| Ok(world.seen_values(namespace)))
    }

    fn alike(&self, run: RunId, named: u32) -> Answer<'_, Option<Alike>> {
        self.call(Call::of("alike"), move |world, now| Ok(world.alike(run, named, now)))
    }

    fn find<'a>(
        &'a self,
        namespace: &'a Namespace,
        workflow: &'a WorkflowName,
        key: &'a Key,
    ) -> Answer<'a, Option<RunId>> {
        self.call(Call::of("find"), move |world, _| Ok(world.find(namespace, workflow, key)))
    }

    fn log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<Recorded>> {
        self.call(Call::of("log"), move |world, _| world.log(run, after, limit))
    }

    fn children(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>> {
        self.call(Call::of("children"), move |world, _| Ok(world.children(run, limit)))
    }

    fn registered<'a>(&'a self, workflow: &'a WorkflowName) -> Answer<'a, Option<Registered>> {
        self.call(Call::of("registered"), move |world, now| Ok(world.registered(workflow, now)))
    }

    fn last_good(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunId>> {
        self.call(Call::of("last_good"), move |world, _| Ok(world.last_good(run, limit)))
    }

    fn replays(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>> {
        self.call(Call::of("replays"), move |world, _| Ok(world.replays(run, limit)))
    }

    fn serving<'a>(&'a self, workflow: &'a WorkflowName, version: &'a Version) -> Answer<'a, Serving> {
        self.call(Call::of("serving"), move |world, now| Ok(world.serving(workflow, version, now)))
    }

    fn nodes(&self, limit: u32) -> Answer<'_, Vec<NodeRow>> {
        self.call(Call::of("nodes"), move |world, now| Ok(world.list_nodes(limit, now)))
    }

    fn workflows<'a>(&'a self, name: Option<&'a WorkflowName>, limit: u32) -> Answer<'a, Vec<KnownWorkflow>> {
        self.call(Call::of("workflows"), move |world, now| world.list_workflows(name, limit, now))
    }

    fn live_runs(&self) -> Answer<'_, LiveRuns> {
        self.call(Call::of("live_runs"), |world, now| Ok(world.live_runs(now)))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        self.call(Call::of("now"), |_, now| Ok(now))
    }

    fn announce<'a>(&'a self, news: &'a [News]) -> Answer<'a, ()> {
        self.call(Call::of("announce"), move |_, _| {
            for news in news {
                // Fails only when nobody listens.
                let _nobody = self.shared.news.send(*news);
            }
            Ok(())
        })
    }

    fn listen(&self) -> Answer<'_, Vec<News>> {
        Box::pin(async move {
            let mut listening = self.listening.lock().await;
            let news = match listening.as_mut() {
                None => {
                    *listening = Some(self.shared.news.subscribe());
                    News::Due
                }
                // What was missed may have been anything.
                Some(news) => news.recv().await.unwrap_or(News::Due),
            };
            let call = Call::of("listen");
            let fate = self.faults.as_ref().map_or(Fate::Passes, |faults| faults.on_answer(&call, 0));
            faults::suffer(fate).await?;
            Ok(vec![news])
        })
    }

    fn begin(&self) -> Answer<'_, sqlx::PgTransaction<'static>> {
        Box::pin(async { Err(StoreError::NeedsPostgres { what: "cx.transaction" }) })
    }

    fn checkpoint<'a>(
        &'a self,
        _transaction: &'a mut sqlx::PgTransaction<'static>,
        _node: NodeId,
        _lane: u16,
        _append: &'a Append,
    ) -> Answer<'a, Timestamp> {
        Box::pin(async { Err(StoreError::NeedsPostgres { what: "cx.transaction" }) })
    }

    fn pool(&self) -> Option<&sqlx::PgPool> {
        None
    }
}
