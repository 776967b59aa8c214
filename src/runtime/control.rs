//! The runtime, and what is asked of it about any run.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;

use super::builder::RuntimeBuilder;
use super::error::Error;
use super::handle::RunHandle;
use super::start::{NewRun, Started, start_many};
use crate::actor::Engine;
use crate::inspect::{self, RunView};
#[cfg(feature = "http")]
use crate::model::Redaction;
use crate::model::limits::{CANCEL_GRACE_DEFAULT, MESSAGE_BYTES_MAX};
use crate::model::{
    Key, MessageBody, MessageId, Namespace, Payload, Recorded, RunId, RunState, SignalName, Status, Version,
    WorkflowName,
};
#[cfg(feature = "http")]
use crate::store::Redacted;
use crate::store::{Sent, Store, StoreError};
use crate::workflow::Workflow;

/// The engine inside an embedder's process: starts runs, executes them, and answers for them. Cheap to clone.
///
/// Dropping the last clone does not stop it; [`shutdown`](Runtime::shutdown) does, and releases its runs at once.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) engine: Arc<Engine>,
    /// Where a service's readers are answered from; `None` = from the engine's own store.
    shown: Option<Arc<dyn Store>>,
}

/// How a run is cancelled.
#[derive(Clone, Debug, Default)]
pub struct CancelOptions {
    reason: Option<String>,
    by: Option<String>,
    grace: Option<Duration>,
}

impl CancelOptions {
    /// Sets why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets who.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Self {
        self.by = Some(by.into());
        self
    }

    /// Sets how long code may go on after it was told. Default: 5 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}

/// The answer to a cancel that was accepted. The run will end as CANCELLED, whatever its code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended.
    Ended,
    /// Its code was told and has its grace.
    Ending,
}

/// How long a cancel waits before it asks whether its message was taken; doubles from the first to the last.
const ASK_MIN: Duration = Duration::from_millis(1);
const ASK_MAX: Duration = Duration::from_millis(250);

/// Asks after which it looks whether the run's log can be folded at all: first after about a second.
const ASKS_PER_FOLD: u32 = 12;

impl Runtime {
    /// Begins to build a runtime on the embedder's pool. The engine keeps a few connections of its own with the pool's
    /// options; the pool itself serves queries and the code's transactions.
    pub fn builder(pool: PgPool) -> RuntimeBuilder {
        RuntimeBuilder::on(pool)
    }

    /// Begins to build a runtime on any store, such as the one in memory.
    pub fn on_store(store: Arc<dyn Store>) -> RuntimeBuilder {
        RuntimeBuilder::on_store(store)
    }

    pub(super) fn new(engine: Arc<Engine>) -> Runtime {
        Runtime { engine, shown: None }
    }

    /// Returns the same runtime for a service that hides values: what it tells of runs, schedules and trigger events is without
    /// them, what it does is done with them.
    #[cfg(feature = "http")]
    pub(crate) fn redacted(&self, redaction: &Arc<Redaction>) -> Runtime {
        let over = || Redacted::over(Arc::clone(&self.engine.store), redaction);
        Runtime { engine: Arc::clone(&self.engine), shown: (!redaction.is_empty()).then(over) }
    }

    /// Says whether it hides values.
    pub(super) fn hides(&self) -> bool {
        self.shown.is_some()
    }

    /// Returns where what it tells is read; the engine works on its own store.
    pub(super) fn shown(&self) -> &Arc<dyn Store> {
        self.shown.as_ref().unwrap_or(&self.engine.store)
    }

    /// Returns the store that the engine works on.
    #[cfg(feature = "http")]
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.engine.store
    }

    /// Says whether this process has its lease; a client needs none.
    #[cfg(feature = "http")]
    pub(crate) fn is_in_order(&self) -> bool {
        self.engine.settings.client || self.engine.node().is_some()
    }

    /// Makes an id as of a run that is created now.
    #[cfg(feature = "http")]
    pub(crate) fn new_id(&self) -> RunId {
        self.engine.clock.new_run_id()
    }

    /// Begins to start a run.
    pub fn run<I: Serialize, O>(&self, workflow: &Workflow<I, O>, input: I) -> NewRun<'_, O> {
        NewRun::typed(self, workflow, &input)
    }

    /// Begins to start a run of a workflow by its name. Where it is served here, the JSON is read as the workflow's input
    /// first; of one that only other nodes serve, the newest version is started, and the node that runs it reads the input.
    pub fn run_by_name(&self, workflow: &str, input: impl Into<String>) -> NewRun<'_, serde_json::Value> {
        NewRun::untyped(self, workflow, input.into())
    }

    pub(super) fn served(&self) -> Vec<String> {
        let all = self.engine.registry.all();
        all.iter().map(|definition| format!("{} {}", definition.name, definition.version)).collect()
    }

    /// Starts many runs by one statement, all or none; at most 50,000.
    ///
    /// # Errors
    /// As for [`NewRun::start`]; one refused run refuses all, and so does one with
    /// [`if_exists_fail`](NewRun::if_exists_fail).
    pub async fn start_many<O>(&self, runs: Vec<NewRun<'_, O>>) -> Result<Vec<Started<O>>, Error> {
        start_many(self, runs).await
    }

    /// Returns a handle of a run, without looking whether it exists.
    pub fn handle(&self, run: RunId) -> RunHandle<serde_json::Value> {
        RunHandle::new(self, run)
    }

    /// Finds the run of a key.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn find(&self, workflow: &str, key: &str) -> Result<Option<RunId>, Error> {
        let (workflow, key) = (WorkflowName::new(workflow)?, Key::new(key)?);
        Ok(self.engine.store.find(&Namespace::default(), &workflow, &key).await?)
    }

    /// Reads everything about a run; `None` when there is no such run.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when its log cannot be folded, [`Error::Store`].
    pub async fn get(&self, run: RunId) -> Result<Option<RunView>, Error> {
        Ok(inspect::get(&**self.shown(), run).await?)
    }

    /// Reads at most `limit` events of a run, those after seq `after`, in order.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn events(&self, run: RunId, after: u32, limit: u32) -> Result<Vec<Recorded>, Error> {
        Ok(self.shown().log(run, after, limit).await?)
    }

    pub(super) async fn state(&self, run: RunId) -> Result<Option<RunState>, Error> {
        Ok(inspect::state(&**self.shown(), run).await?)
    }

    /// Cancels a run: a queued one never starts; the code of a running one is told, and aborted when its grace is over; its
    /// child runs are cancelled, too. On return the decision is committed and every query shows it.
    ///
    /// A run that is cancelled already answers the same, without a second event.
    ///
    /// # Errors
    /// [`Error::Finished`] when the run ended otherwise, [`Error::NotFound`], [`Error::Field`], [`Error::Store`].
    pub async fn cancel(&self, run: RunId, options: CancelOptions) -> Result<Cancelled, Error> {
        for (field, text) in [("reason", &options.reason), ("by", &options.by)] {
            check_text(field, text.as_deref())?;
        }
        let grace = options.grace.unwrap_or(CANCEL_GRACE_DEFAULT);
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let body = MessageBody::Cancel { reason: options.reason, by: options.by, grace_ms };
        match self.send(run, &body).await? {
            Sent::NotFound => Err(Error::NotFound { run }),
            Sent::Finished { status } => decided(run, status),
            Sent::Accepted { message, .. } => {
                self.taken(run, message).await?;
                let row = self.engine.store.row(run).await?.ok_or(Error::NotFound { run })?;
                decided(run, row.status)
            }
        }
    }

    /// Sends a signal to a run. On return it is durable; the run takes it when its code asks for it.
    ///
    /// # Errors
    /// [`Error::Finished`], [`Error::NotFound`], [`Error::Name`], [`Error::Payload`], [`Error::Store`].
    pub async fn signal<T: Serialize>(&self, run: RunId, name: &str, payload: &T) -> Result<(), Error> {
        let name = SignalName::new(name)?;
        let payload = Payload::of(payload).map_err(|source| Error::Payload { field: "signal", source })?;
        match self.send(run, &MessageBody::Signal { name, key: None, payload }).await? {
            Sent::NotFound => Err(Error::NotFound { run }),
            Sent::Finished { status } => Err(Error::Finished { run, status, attempted: "signalled" }),
            Sent::Accepted { .. } => Ok(()),
        }
    }

    /// Puts a message into a run's inbox; whoever has the run is told.
    pub(super) async fn send(&self, run: RunId, body: &MessageBody) -> Result<Sent, StoreError> {
        let sent = self.engine.store.send(run, body).await?;
        if let Sent::Accepted { .. } = sent {
            self.engine.mailed(run);
        }
        Ok(sent)
    }

    /// Waits until the run's owner took the message, or the run ended without it.
    ///
    /// # Errors
    /// [`Error::Quarantined`] and [`Error::Store`]: nobody will take it, for the log cannot be folded.
    async fn taken(&self, run: RunId, message: MessageId) -> Result<(), Error> {
        let mut pause = ASK_MIN;
        for asked in 1_u32.. {
            if !self.engine.store.is_waiting(run, message).await? {
                break;
            }
            if asked % ASKS_PER_FOLD == 0 {
                self.state(run).await?;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(ASK_MAX);
        }
        Ok(())
    }

    /// Stops serving: code at work may come to a checkpoint within `grace`, then every run is released and goes on on
    /// another node, or when the next one starts.
    ///
    /// # Errors
    /// [`Error::Store`] when the release got no answer; the lease then runs out by itself.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), Error> {
        Ok(self.engine.stop(grace).await?)
    }

    /// Stops as a crash does, for tests: nothing is released, nobody is told; the runs wait for the lease to run out.
    #[cfg(feature = "testing")]
    pub fn crash(&self) {
        self.engine.halt();
    }

    /// Lists the workflows served here, by name and version.
    pub fn workflows(&self) -> Vec<(WorkflowName, Version)> {
        let all = self.engine.registry.all();
        all.iter().map(|definition| (definition.name.clone(), definition.version.clone())).collect()
    }

    /// Returns how many runs are in memory here.
    pub fn live_runs(&self) -> usize {
        self.engine.live.count()
    }
}

fn decided(run: RunId, status: Status) -> Result<Cancelled, Error> {
    match status {
        Status::Cancelled => Ok(Cancelled::Ended),
        Status::Queued | Status::Running => Ok(Cancelled::Ending),
        Status::Succeeded | Status::Failed | Status::TimedOut => {
            Err(Error::Finished { run, status, attempted: "cancelled" })
        }
    }
}

pub(crate) fn check_text(field: &'static str, text: Option<&str>) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    let problem = match text {
        text if text.len() > MESSAGE_BYTES_MAX => {
            format!("{} bytes, the limit is {MESSAGE_BYTES_MAX}: shorten it", text.len())
        }
        text if text.contains('\0') => "holds a NUL character: remove it".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::Field { field, problem })
}
