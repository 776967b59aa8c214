//! What the engine asks of its storage: one contract, kept by Postgres and by memory.
//!
//! Nothing outside `store/postgres` knows SQL. `tests/it/store/conformance.rs` holds both implementations to the
//! words of this file.

mod access;
mod batch;
mod census;
mod retention;
mod error;
mod flow;
mod run;
mod signals;
mod shape;
pub mod outbox;
mod schedules;
mod triggers;
pub mod writings;
mod list;
pub mod memory;
pub mod postgres;
#[cfg(feature = "http")]
mod redacted;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use self::access::{Audited, Begun, BulkItem, BulkRow, Deed, KeptAnswer, NewBulk, NewToken, TokenRow};
pub use self::batch::{Append, Awaits, Commit, NewRun, Release, RowChange};
pub use self::census::{KnownWorkflow, LiveRuns, NodeRow};
pub use self::error::StoreError;
pub use self::flow::{AtGate, Flow, KnownLimit, LimitKey, NewPause, Pause};
pub use self::list::{
    Alike, EndedSpan, FailureGroup, FailureGroups, RunCount, RunPage, RunQuery, RunsEnded, Seen, Survey,
};
pub use self::outbox::Outbox;
#[cfg(feature = "http")]
pub(crate) use self::redacted::Redacted;
pub use self::retention::{
    Archive, Holder, PassBegun, PassFailure, Policy, PolicyScope, Pruned, RawEvent, Retention, Step, Tally,
};
pub use self::run::{Inbox, Loaded, RunRow, Sent};
pub use self::schedules::{
    Firing, NewSchedule, NextSchedule, Put, ScheduleQuery, ScheduleRow, ScheduleSpec, Schedules, Steer, Times,
};
pub use self::shape::{Registered, Shape};
pub use self::signals::{Ask, Asked, KeyedSignal, Posted, SignalId, SignalState, Signals, Told, ask, tell};
pub use self::triggers::{NewTriggerEvent, SubscriptionRow, TriggerEventQuery, TriggerEventRow, Triggers};
pub use self::writings::{Chunk, LevelCounts, LogLine, LogQuery, Writings};

use crate::model::{
    Key, MessageBody, MessageId, Namespace, NodeId, Recorded, RunId, RunState, RunSummary, Timestamp,
    Version, WorkflowName,
};

/// What every call returns.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// The storage of runs, logs, inboxes and nodes.
///
/// Every method is one atomic step: it happened entirely, or not at all. After [`StoreError::Unavailable`] it is
/// unknown which; every method may then be called again with the same arguments.
pub trait Store: Archive + Flow + Outbox + Schedules + Signals + Triggers + Writings {
    /// Registers a new node with a lease of `lease` on each of `lanes` lanes, and what it serves.
    fn join<'a>(&'a self, node: &'a NodeInfo, lanes: u16, lease: Duration) -> Answer<'a, Joined>;

    /// Renews the node's lease on all its lanes. Never revives an expired one, nor one of a history that the database lost.
    fn heartbeat(&self, node: NodeId, lease: Duration) -> Answer<'_, Heartbeat>;

    /// Ends the node's lease and releases what it still owns, due at once. Idempotent.
    fn leave(&self, node: NodeId) -> Answer<'_, ()>;

    /// Declares every node dead whose lease has expired on any lane, for good, and releases the runs of dead nodes,
    /// due at once. At most some thousand runs a call; call again while `released` is not 0.
    ///
    /// A run that got no further since the dead node claimed it counts that death in [`RunRow::deaths`], unless the
    /// node's process goes on as another one that [`resumes`](NodeInfo::resumes) it.
    fn rescue(&self) -> Answer<'_, Rescue>;

    /// Refuses a workflow whose shape differs from the one that live runs of its name and version started with;
    /// otherwise records it.
    fn register<'a>(&'a self, workflows: &'a [Shape]) -> Answer<'a, ()>;

    /// Finds the version of a workflow that a start by its name is given, in a process without its code: the newest of those
    /// that a living node serves, else the newest that was ever registered.
    fn registered<'a>(&'a self, workflow: &'a WorkflowName) -> Answer<'a, Option<Registered>>;

    /// Appends a batch of commits under the fence of `node` on `lane`: all of them, or none.
    ///
    /// Events get the seqs after [`Append::expected`], the node, and one database time for the whole batch. A commit
    /// with a keyed [`NewRun`] whose key is taken is left out whole and named in [`Appended::existing`]. A release
    /// is left out, alone, when a message came that the owner has not seen, and named in [`Appended::kept`]. Mail to
    /// a run that has ended or does not exist is dropped. Calling it again with a batch that was committed answers
    /// as the first time.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: the node is dead, nothing was written. [`StoreError::Conflict`]: an event exists that
    /// is not this node's. [`StoreError::Refused`]: the database refuses some value; of a batch of several commits
    /// it is unknown which.
    fn append<'a>(&'a self, node: NodeId, lane: u16, batch: &'a [Commit]) -> Answer<'a, Appended>;

    /// Creates runs that nobody owns yet, all or none, in the order given; one with a key under a limit is due once a claim
    /// let it in. Answers for each whether it was created,
    /// or which run has its key.
    fn create<'a>(&'a self, runs: &'a [Append]) -> Answer<'a, Vec<Created>>;

    /// Gives unowned runs to `node`: those of the served workflows that are due, those named, those with a message,
    /// those past their deadline, and poison. Only live ones; at most `wanted.limit`. Of those that are due the longest due
    /// goes first, each step of its priority counting as a minute; one that has not started is not due while its workflow is
    /// paused. Before that it lets runs in that stand at their gates: at no time more of a key than its limit has slots, and
    /// none stands there while there is a free one.
    ///
    /// Suspects, whose nodes died twice and more without their getting any further, are given in groups of 64, 8 and 1,
    /// the fewer the more deaths, and only while the node has owned no other suspect for a minute.
    fn claim<'a>(&'a self, node: NodeId, wanted: &'a Wanted) -> Answer<'a, Claimed>;

    /// Lists the runs that `node` owns. A claim whose answer was lost may have given it more than it knows.
    fn held(&self, node: NodeId) -> Answer<'_, Vec<RunId>>;

    /// Reads runs with their logs and inboxes; must follow the claim as a question of its own. Unknown ids are left
    /// out.
    fn load<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Loaded>>;

    /// Reads the inboxes of runs, oldest message first. Runs without a message are left out.
    fn inbox<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Inbox>>;

    /// Puts a message into a live run's inbox. An unowned run becomes due at once.
    fn send<'a>(&'a self, run: RunId, body: &'a MessageBody) -> Answer<'a, Sent>;

    /// Says whether the message still waits. A message to a run that has ended is removed and waits no more.
    fn is_waiting(&self, run: RunId, message: MessageId) -> Answer<'_, bool>;

    /// Keeps a snapshot of a run's state; an older one is replaced, a newer one kept.
    fn keep_snapshot<'a>(&'a self, state: &'a RunState) -> Answer<'a, ()>;

    /// Reads a run's row, archived or not; so do the questions that follow.
    fn row(&self, run: RunId) -> Answer<'_, Option<RunRow>>;

    /// Reads what lists show of runs, oldest first. Unknown ids are left out.
    fn summaries<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunSummary>>;

    /// Lists the runs that [`Filter::matches`](crate::model::Filter::matches), the newest first. A page may be short where
    /// finding more takes too long; then it says so.
    fn list<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunPage>;

    /// Counts such runs by status, up to a limit; the query's own is of no account.
    fn count<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunCount>;

    /// Groups such runs by the fingerprint of their failure; those without a failure are left out.
    fn failures<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, FailureGroups>;

    /// Counts such runs by status and by the span of `every` in which they ended, whole seconds and at least one; those that go
    /// on are left out.
    fn when_ended<'a>(&'a self, query: &'a RunQuery, every: Duration) -> Answer<'a, RunsEnded>;

    /// Tells what the newest 10,000 runs of a namespace have: what is worth a suggestion to one who looks for runs. Values that
    /// are too long to be typed are left out.
    fn seen<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, Seen>;

    /// Lists runs, counts some and groups some; a store may see the same runs in all three.
    fn survey<'a>(
        &'a self,
        listed: &'a RunQuery,
        counted: &'a RunQuery,
        failed: &'a RunQuery,
    ) -> Answer<'a, Survey> {
        Box::pin(async move {
            let page = self.list(listed).await?;
            let count = self.count(counted).await?;
            Ok(Survey { page, count, failures: self.failures(failed).await? })
        })
    }

    /// Counts the other runs of a run's namespace that are not archived and failed for the same cause, and names the newest
    /// `named` of them; `None` unless the run is known and failed.
    fn alike(&self, run: RunId, named: u32) -> Answer<'_, Option<Alike>>;

    /// Finds the run of a key.
    fn find<'a>(
        &'a self,
        namespace: &'a Namespace,
        workflow: &'a WorkflowName,
        key: &'a Key,
    ) -> Answer<'a, Option<RunId>>;

    /// Reads at most `limit` events of a run, those after seq `after`, in order.
    fn log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<Recorded>>;

    /// Lists the runs that `run` started, oldest first, at most `limit`.
    fn children(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>>;

    /// Lists the newest runs before `run`, of the same workflow and namespace, that succeeded, newest first, at most `limit`.
    /// A store may look at the last 20,000 of them only, live and ended, and at as many archived ones.
    fn last_good(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunId>>;

    /// Lists the runs that replay `run`, oldest first, at most `limit`.
    fn replays(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>>;

    /// Counts the living nodes that serve a workflow's version.
    fn serving<'a>(&'a self, workflow: &'a WorkflowName, version: &'a Version) -> Answer<'a, Serving>;

    /// Lists nodes, at most `limit`: those that live, then those that ended, the newest first.
    fn nodes(&self, limit: u32) -> Answer<'_, Vec<NodeRow>>;

    /// Lists the workflows that were ever registered, or those called `name`, at most `limit`: by name, what living nodes
    /// serve before what they do not, the newest first.
    fn workflows<'a>(&'a self, name: Option<&'a WorkflowName>, limit: u32) -> Answer<'a, Vec<KnownWorkflow>>;

    /// Counts the runs that have not ended.
    fn live_runs(&self) -> Answer<'_, LiveRuns>;

    /// Reads the database's clock.
    fn now(&self) -> Answer<'_, Timestamp>;

    /// Tells the other nodes what may concern them. A hint: it may be lost, and nobody may rely on it.
    fn announce<'a>(&'a self, news: &'a [News]) -> Answer<'a, ()>;

    /// Waits for what others announced. After a loss of the connection it answers with [`News::Due`]: whoever listens
    /// should look for itself. One call at a time.
    fn listen(&self) -> Answer<'_, Vec<News>>;

    /// Appends the events of `append` inside the code's transaction, under the fence of `node` on `lane`, which is held
    /// until that transaction ends. Writes nothing but the events; they are committed when the caller commits.
    ///
    /// # Errors
    /// As [`append`](Store::append); after any of them the transaction can only be rolled back.
    fn checkpoint<'a>(
        &'a self,
        transaction: &'a mut sqlx::PgTransaction<'static>,
        node: NodeId,
        lane: u16,
        append: &'a Append,
    ) -> Answer<'a, Timestamp>;

    /// Begins a transaction of the code, for `cx.transaction`, on the embedder's pool.
    ///
    /// # Errors
    /// [`StoreError::NeedsPostgres`] where there is none; [`StoreError::Unavailable`].
    fn begin(&self) -> Answer<'_, sqlx::PgTransaction<'static>>;

    /// Returns the embedder's own pool; `None` where there is no Postgres.
    fn pool(&self) -> Option<&sqlx::PgPool>;
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// A name for people; the process's own choice.
    pub name: String,
    /// The process's id.
    pub pid: u32,
    /// The release of this crate.
    pub release: String,
    /// How many runs it may hold.
    pub slots: usize,
    /// What it serves, with how many runs of it it may hold.
    pub served: Vec<Served>,
    /// The node that the same process was before, if that was fenced for nothing but the database's silence.
    pub resumes: Option<NodeId>,
}

/// A workflow's version and how many runs of the workflow, all its versions together, there is room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// How many.
    pub slots: usize,
}

/// Who serves a workflow's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    /// Living nodes that do.
    pub nodes: u32,
    /// Those of them that have no free slot.
    pub full: u32,
    /// The database's time.
    pub now: Timestamp,
}

/// What one node tells the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// A run is due.
    Due,
    /// A run will be due within a second or so: a transaction that starts it is about to commit.
    Soon,
    /// A message was put into the inbox of this run.
    Mail(RunId),
    /// Somebody follows this run: its owner tells for a while when it grows.
    Followed(RunId),
    /// Something of this run was committed, and somebody follows it.
    Grown(RunId),
    /// A schedule was made or changed: another one may be next.
    Scheduled,
}

/// A node's first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub node: NodeId,
    /// The database's time.
    pub now: Timestamp,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// The lease is renewed.
    Alive {
        /// The database's time.
        now: Timestamp,
    },
    /// The lease is over: the node must drop everything and join anew.
    Fenced {
        /// Why.
        cause: FenceCause,
    },
}

/// Why a node is fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceCause {
    /// Its lease had expired, or it was declared dead.
    LeaseOver,
    /// The database has another history than the one that the node joined: it was restored to an earlier point, or a
    /// replica took over that lacked the last commits.
    HistoryLost,
}

/// What a rescue found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rescue {
    /// Nodes that were declared dead by this call.
    pub died: Vec<NodeId>,
    /// Runs that were released by this call.
    pub released: u64,
    /// When the next living lease expires, if nobody renews it.
    pub next_expiry: Option<Timestamp>,
}

/// What a batch came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// When it was committed, on the database's clock: the time of all its events.
    pub at: Timestamp,
    /// Runs that asked for their release and stay owned, because a message came.
    pub kept: Vec<RunId>,
    /// New runs that were left out, because their key is taken.
    pub existing: Vec<RunId>,
}

/// What became of one run to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// The run that has the key now, or the new one.
    pub run: RunId,
    /// Whether it is new.
    pub created: bool,
}

/// What a node wants to claim.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The workflows whose code it has, with the room that is left for them.
    pub served: Vec<Served>,
    /// Runs it wants whatever their workflow.
    pub runs: Vec<RunId>,
    /// How many at most.
    pub limit: usize,
    /// Whether a served workflow has a limit of concurrency: then runs are let in first.
    pub limited: bool,
}

/// What a claim gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Runs that are the node's now.
    pub runs: Vec<RunId>,
    /// Those of them that may not start yet: a message or a deadline brought them.
    pub held_back: Vec<RunId>,
    /// Runs that were the node's before and have messages waiting; at most some hundred.
    pub mailed: Vec<RunId>,
    /// When the next run of a served workflow is due, or any unowned run's deadline passes.
    pub next_due: Option<Timestamp>,
    /// Served workflows that are paused in some namespace: what starts of them goes through the queue.
    pub paused: Vec<WorkflowName>,
}
