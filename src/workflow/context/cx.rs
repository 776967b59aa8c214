//! The context: facts about the attempt, and the durable operations.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::child::Child;
use super::facts::{AttemptFacts, TaskErrors};
use super::ledger::Ledger;
use super::log::Log;
use super::outlet::Outlet;
use super::pen::{Parcel, Pen, Sent};
use super::race::{Race, RaceAll};
use super::rehearsal::Ask;
use super::spawned::spawn_on;
use super::step::{Polled, Step, polled};
use super::transaction::Transaction;
use super::wait::{Signal, Sleep};
use crate::clock::Clock;
use crate::model::command::WaitUntil;
use crate::model::state::OpState;
use crate::model::{
    Key, Line, Namespace, OpKey, PatchId, Payload, Report, RunId, TaskName, Timestamp, TraceContext, Version,
    WorkflowName,
};
use crate::telemetry::{self, Paper, Remote};
use crate::workflow::{CxError, Workflow};

/// What an attempt's code is given: durable operations, and facts about the attempt. Cheap to clone.
///
/// An operation's identity is its name and how often that name was built before in the same task; it is claimed when
/// the operation is built, not when it is awaited, so `join!` over built operations is deterministic; `async` blocks that
/// run side by side each need a [`branch`](Cx::branch) of their own. A clone may be moved into a spawned future: its
/// operations work there as long as the attempt lives.
#[derive(Clone)]
pub struct Cx {
    pub(super) ledger: Arc<Ledger>,
    /// What stands before the names of its operations.
    pub(super) branch: Option<Arc<str>>,
    facts: Arc<AttemptFacts>,
    pub(super) host: Arc<dyn Host>,
    pub(super) pen: Arc<Pen>,
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cx({} {} {})", self.facts.run, self.facts.task, self.facts.attempt)
    }
}

/// What whoever runs the attempt does for its operations.
pub(crate) trait Host: Send + Sync {
    /// Is told that the body of a step begins.
    fn runs(&self, op: &OpKey);

    /// Begins a transaction on the embedder's pool.
    fn begin(&self) -> BoxFuture<'_, Result<sqlx::Transaction<'static, sqlx::Postgres>, CxError>>;

    /// Writes the step's event into the transaction and commits both; the event counts from then on.
    fn commit(
        &self,
        transaction: sqlx::Transaction<'static, sqlx::Postgres>,
        completed: Report,
    ) -> BoxFuture<'_, Result<(), CxError>>;

    /// Writes a line, sooner or later; never waits.
    fn line(&self, at: Timestamp, step: Option<String>, line: Line);

    /// Puts a chunk into its stream; the answer comes when it is committed.
    fn send(&self, parcel: Parcel) -> BoxFuture<'_, Result<Sent, CxError>>;
}

impl Cx {
    pub(crate) fn new(facts: AttemptFacts, ledger: Arc<Ledger>, host: Arc<dyn Host>) -> Cx {
        let facts = Arc::new(facts);
        let pen = Arc::new(Pen::new(Arc::clone(&facts), Arc::clone(&ledger), Arc::clone(&host)));
        Cx { ledger, branch: None, facts, host, pen }
    }

    /// Returns where the code's own `tracing` events go.
    pub(crate) fn paper(&self) -> Arc<dyn Paper> {
        Arc::<Pen>::clone(&self.pen)
    }

    /// Builds a step: a durable checkpoint. Its outcome is recorded once and answered from the log ever after.
    ///
    /// The body may run more than once (a crash between its end and the commit): pass
    /// [`idempotency_key`](Cx::idempotency_key) on to whatever it calls.
    #[track_caller]
    pub fn step<F, Fut, T, E>(&self, name: &str, body: F) -> Step<F, Fut, T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        Step::new(self, name, body)
    }

    /// Builds a step whose SQL and whose checkpoint are one commit: it takes effect exactly once.
    ///
    /// The transaction is on the pool that the runtime was built with.
    #[track_caller]
    pub fn transaction<'code, F, T, E>(&self, name: &str, body: F) -> Transaction<'code, T>
    where
        F: for<'tx> FnOnce(&'tx mut sqlx::PgTransaction<'static>) -> BoxFuture<'tx, Result<T, E>>
            + Send
            + 'code,
        T: Serialize + DeserializeOwned + Send + 'code,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'code,
    {
        Transaction::new(self, name, body)
    }

    /// Builds a durable sleep. Thirty days cost a row.
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self, WaitUntil::After(duration))
    }

    /// Builds a durable sleep until an instant on the database's clock.
    #[track_caller]
    pub fn sleep_until(&self, at: Timestamp) -> Sleep {
        Sleep::new(self, WaitUntil::At(at))
    }

    /// Builds a wait for a signal: the oldest one of that name that no wait took.
    ///
    /// It gives `None` only when its [`timeout`](Signal::timeout) passed first.
    #[track_caller]
    pub fn signal<T: DeserializeOwned>(&self, name: &str) -> Signal<T> {
        Signal::new(self, name)
    }

    /// Builds a child run of `workflow`, linked both ways; it inherits the namespace and ends with this run when
    /// that fails, times out or is cancelled.
    #[track_caller]
    pub fn child<I: Serialize, O>(&self, workflow: &Workflow<I, O>, input: I) -> Child<O> {
        Child::new(self, workflow, &input)
    }

    /// Builds a race of two: the first to be ready wins, the other is dropped, and the winner is recorded.
    #[track_caller]
    pub fn race<A: Future, B: Future>(&self, first: A, second: B) -> Race<A, B> {
        Race::new(self, first, second)
    }

    /// Builds a race of many of one type; gives the winner's place and output.
    #[track_caller]
    pub fn race_all<F: Future>(&self, racers: impl IntoIterator<Item = F>) -> RaceAll<F> {
        RaceAll::new(self, racers)
    }

    /// Waits for both. The same as `join!`; each operation keeps the identity it got when it was built.
    pub async fn join<A: Future, B: Future>(&self, first: A, second: B) -> (A::Output, B::Output) {
        futures_util::future::join(first, second).await
    }

    /// Waits for all, and gives their outputs in order.
    pub async fn join_all<F: Future>(&self, all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
        futures_util::future::join_all(all).await
    }

    /// Begins a line of the run's log lines: `cx.log().info("charged")`. Never waits.
    pub fn log(&self) -> Log<'_> {
        Log::new(self)
    }

    /// Opens a stream of the run, for whoever follows it: `cx.stream("tokens").send(&token).await?`.
    pub fn stream(&self, name: &str) -> Outlet {
        Outlet::new(self, name)
    }

    /// Spawns a future whose `tracing` events are lines of this task, and of the step in whose body it is spawned; with the
    /// feature `otel`, the spans that it opens stand under the span that is current here. Await it before the task returns.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_on(Some(self.paper()), future)
    }

    /// Reads the database's clock; what was read once is read again after a crash.
    #[track_caller]
    pub fn now(&self) -> Timestamp {
        let (op, _) = self.claim("now");
        self.ledger.note(&Ask { op: &op, kind: "now", input: None, location: Location::caller() });
        let read = |recorded: &OpState| match recorded {
            OpState::Time { now } => Some(Ok(*now)),
            other => Some(Err(other.kind())),
        };
        match self.ledger.recorded(&op, read) {
            Some(Ok(now)) => now,
            Some(Err(other)) => {
                self.ledger.diverge(&op, "now", other);
                self.facts.clock.now()
            }
            None => {
                if let Some(OpState::Time { now }) = self.ledger.foreseen(&op) {
                    return *now;
                }
                let now = self.facts.clock.now();
                self.ledger.report(Report::TimeRead { op, now });
                now
            }
        }
    }

    /// Says whether a change of the code, called `id`, applies to this run: how code evolves under its live runs.
    ///
    /// `true` for a task that comes here first with the new code, `false` for one that had recorded operations beyond this
    /// place, which the old code did. The answer is recorded, and is the same ever after, in every attempt of the task.
    /// Once no run is left that was told `false`, the call may be removed with the old code.
    ///
    /// An id that is empty, too long or holds a control character blocks the run, visibly.
    pub fn patched(&self, id: &str) -> bool {
        match PatchId::new(id) {
            Ok(patch) => self.ledger.patch(patch),
            Err(broken) => {
                self.ledger.refuse(broken.to_string());
                false
            }
        }
    }

    /// Draws 64 bits that are the same after a crash, and different for every call, task and run; the same also in a
    /// replay that goes on with the task's work.
    pub fn random(&self) -> u64 {
        let (op, _) = self.claim("random");
        let mut hash = Sha256::new();
        hash.update(self.facts.work.uuid().as_bytes());
        hash.update(self.facts.task.as_str());
        hash.update(op.occurrence.to_be_bytes());
        let digest = hash.finalize();
        digest.iter().take(8).fold(0, |bits, byte| (bits << 8) | u64::from(*byte))
    }

    /// Returns a text that is the same for every try at the same piece of work: the run and task, and inside a step's
    /// body also the step. Hand it to payment services and the like.
    ///
    /// In a replay, a task that goes on with its work keeps the texts of the run that began it: whether the call that failed
    /// there took effect may be unknown.
    pub fn idempotency_key(&self) -> String {
        match polled() {
            Some(step) => format!("{}:{}:{}", self.facts.work, self.facts.task, step.text()),
            None => format!("{}:{}", self.facts.work, self.facts.task),
        }
    }

    /// Moves this attempt's deadline to `by` from now; an attempt without one gets it. Recorded with the next checkpoint.
    pub fn extend_timeout(&self, by: Duration) {
        self.ledger.report(Report::Extend { by });
        self.ledger.wake();
    }

    /// Waits until the run is being cancelled. Code that listens here is given the grace period; code that only waits
    /// for durable operations is not, they answer [`CxError::Cancelled`] at once.
    pub async fn cancelled(&self) {
        std::future::poll_fn(|context| match self.ledger.cancelled() {
            Some(_) => Poll::Ready(()),
            None => {
                self.ledger.register(context.waker());
                Poll::Pending
            }
        })
        .await;
    }

    /// Says whether the run is being cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.ledger.cancelled().is_some()
    }

    /// Reads the output of another task of this run that succeeded; `None` when it has none.
    ///
    /// # Errors
    /// [`CxError::Payload`] when it is not a `T`.
    pub fn output<T: DeserializeOwned>(&self, task: &str) -> Result<Option<T>, CxError> {
        let output = self.facts.outputs.iter().find(|(name, _)| **name == *task);
        let read = |output: &Payload| {
            output.read().map_err(|source| CxError::Payload { what: format!("output of {task}"), source })
        };
        output.map(|(_, output)| read(output)).transpose()
    }

    /// Says whether a task of this run was skipped by a condition. Ask for the tasks before this one: others may be skipped
    /// later.
    pub fn was_skipped(&self, task: &str) -> bool {
        self.facts.skipped.iter().any(|name| *name == *task)
    }

    /// Returns which tasks of this run failed, and why.
    pub fn task_errors(&self) -> &TaskErrors {
        &self.facts.errors
    }

    /// Returns the run's id.
    pub fn run_id(&self) -> RunId {
        self.facts.run
    }

    /// Returns the workflow's name.
    pub fn workflow(&self) -> &WorkflowName {
        &self.facts.workflow
    }

    /// Returns the version that the run started with.
    pub fn version(&self) -> &Version {
        &self.facts.version
    }

    /// Returns the run's namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.facts.namespace
    }

    /// Returns the user's own id for the run.
    pub fn key(&self) -> Option<&Key> {
        self.facts.key.as_ref()
    }

    /// Returns the run's tags.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.facts.metadata
    }

    /// Returns the task's name.
    pub fn task(&self) -> &TaskName {
        &self.facts.task
    }

    /// Returns the number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.facts.attempt
    }

    /// Returns how many attempts failed before this one.
    pub fn retry_count(&self) -> u32 {
        self.facts.attempt.saturating_sub(1)
    }

    /// Returns the `traceparent` for what this code calls: the span that is current here where the host's OpenTelemetry has one
    /// (feature `otel`), else this attempt's, or inside a step's body the step's. Libraries that propagate OpenTelemetry's
    /// context send it by themselves.
    ///
    /// It is the same after a crash, as long as the attempt is.
    pub fn traceparent(&self) -> String {
        self.trace().traceparent()
    }

    /// Returns the `tracestate` that goes with [`traceparent`](Cx::traceparent), if there is one.
    pub fn tracestate(&self) -> Option<String> {
        self.trace().state.map(|state| state.as_str().to_owned())
    }

    fn trace(&self) -> TraceContext {
        let of_step = |step: Polled| self.facts.trace_of_step(&step.op);
        let own = || polled().map_or_else(|| self.facts.trace_of_attempt(), of_step);
        telemetry::caller().filter(|caller| caller.trace_id == self.facts.trace.trace_id).unwrap_or_else(own)
    }

    /// Returns where the attempt's code stands in its trace.
    pub(crate) fn remote(&self) -> Remote {
        Remote::of(|| self.facts.trace_of_attempt())
    }

    /// Returns where the bodies of a step stand.
    pub(super) fn remote_of_step(&self, op: &OpKey) -> Remote {
        Remote::of(|| self.facts.trace_of_step(op))
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.facts.clock
    }

    pub(super) fn depth(&self) -> u32 {
        self.facts.depth
    }
}
