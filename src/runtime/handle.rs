//! A handle of one run.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::control::{CancelOptions, Cancelled, Runtime};
use super::error::{Error, RunError};
use crate::actor::Finish;
use crate::inspect::RunView;
use crate::model::state::End;
use crate::model::{Payload, RunId, Status};

/// A handle of one run; `O` is its output's type. Dropping it changes nothing.
pub struct RunHandle<O> {
    runtime: Runtime,
    run: RunId,
    watch: Mutex<Option<oneshot::Receiver<Finish>>>,
    output: PhantomData<fn() -> O>,
}

impl<O> fmt::Debug for RunHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunHandle({})", self.run)
    }
}

/// How often a run of another node is asked for while somebody waits for its end: at first so; doubles up to the
/// runtime's poll interval.
const POLL_MIN: Duration = Duration::from_millis(20);

impl<O> RunHandle<O> {
    pub(super) fn new(runtime: &Runtime, run: RunId) -> RunHandle<O> {
        RunHandle { runtime: runtime.clone(), run, watch: Mutex::new(None), output: PhantomData }
    }

    pub(super) fn watching(runtime: &Runtime, run: RunId, watch: oneshot::Receiver<Finish>) -> RunHandle<O> {
        RunHandle { watch: Mutex::new(Some(watch)), ..RunHandle::new(runtime, run) }
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Returns the run's id.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// Reads everything about the run.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Quarantined`].
    pub async fn get(&self) -> Result<RunView, Error> {
        self.runtime.get(self.run).await?.ok_or(Error::NotFound { run: self.run })
    }

    /// Cancels the run; see [`Runtime::cancel`].
    ///
    /// # Errors
    /// As for [`Runtime::cancel`].
    pub async fn cancel(&self, options: CancelOptions) -> Result<Cancelled, Error> {
        self.runtime.cancel(self.run, options).await
    }

    /// Sends the run a signal; see [`Runtime::signal`].
    ///
    /// # Errors
    /// As for [`Runtime::signal`].
    pub async fn signal<T: serde::Serialize>(&self, name: &str, payload: &T) -> Result<(), Error> {
        self.runtime.signal(self.run, name, payload).await
    }

    /// Waits for the run's end, as long as that takes; returns its status.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]; while the database does not answer, it waits.
    pub async fn wait(&self) -> Result<Status, Error> {
        self.finish().await.map(|finish| finish.status)
    }

    /// Waits for the run's end, as long as that takes, and reads its output.
    ///
    /// # Errors
    /// [`RunError::Failed`], [`RunError::TimedOut`], [`RunError::Cancelled`] as the run ended; [`RunError::Output`] when its
    /// output is no `O`; [`RunError::Unreadable`].
    pub async fn output(&self) -> Result<O, RunError>
    where
        O: DeserializeOwned,
    {
        let output = self.output_json().await?;
        output.read().map_err(|source| RunError::Output { run: self.run, source })
    }

    /// As [`output`](RunHandle::output), as the JSON it is.
    ///
    /// # Errors
    /// As for [`output`](RunHandle::output).
    pub async fn output_json(&self) -> Result<Payload, RunError> {
        let run = self.run;
        let finish = self.finish().await?;
        match (finish.output, finish.end) {
            (Some(output), _) => Ok(output),
            (None, Some(End::Failed { task, error })) => Err(RunError::Failed { run, task, error }),
            (None, Some(End::TimedOut { timeout, .. })) => Err(RunError::TimedOut { run, timeout }),
            (None, Some(End::Cancelled { reason, by })) => Err(RunError::Cancelled { run, reason, by }),
            (None, None) => {
                let reason = "it ended without an output or a reason".to_owned();
                Err(RunError::Unreadable(Error::Quarantined { run, reason }))
            }
        }
    }

    async fn finish(&self) -> Result<Finish, Error> {
        let watch = self.watch.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let engine = &self.runtime.engine;
        let (mut watch, mut sure) = match watch {
            Some(watch) => (watch, true),
            None => (engine.watchers.watch(self.run), false),
        };
        let pause_max = engine.settings.poll_interval;
        let mut pause = POLL_MIN.min(pause_max);
        loop {
            if !sure && let Some(finish) = self.stored_finish().await? {
                return Ok(finish);
            }
            // A run that lives here tells us; still look now and then, for it may move to another node.
            let here = engine.live.get(self.run).is_some();
            let wait = if here { pause_max } else { pause };
            match tokio::time::timeout(wait, &mut watch).await {
                Ok(Ok(finish)) => return Ok(finish),
                Ok(Err(_)) => watch = engine.watchers.watch(self.run),
                Err(_) => pause = (pause * 2).min(pause_max),
            }
            sure = false;
        }
    }

    async fn stored_finish(&self) -> Result<Option<Finish>, Error> {
        use crate::store::StoreError::Unavailable;
        let row = match self.runtime.engine.store.row(self.run).await {
            Ok(row) => row.ok_or(Error::NotFound { run: self.run })?,
            Err(Unavailable { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !row.status.is_terminal() {
            return Ok(None);
        }
        let state = match self.runtime.state(self.run).await {
            Err(Error::Store(Unavailable { .. })) => return Ok(None),
            state => state?.ok_or(Error::NotFound { run: self.run })?,
        };
        let (status, output) = (state.status, state.output());
        Ok(Some(Finish { status, output, end: state.end }))
    }
}
