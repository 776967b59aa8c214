//! A handle of one run that outlives the runtime's crashes.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::log;
use super::world::Kit;
use crate::inspect::RunView;
use crate::model::{RunId, Status};
use crate::runtime::{CancelOptions, Cancelled, Error, ReplayOptions, ReplayPlan, RunError};
use crate::store::Store;

/// A run of a [`Kit`]; `O` is its output's type. Stays good across crashes.
pub struct KitRun<O> {
    kit: Kit,
    run: RunId,
    output: PhantomData<fn() -> O>,
}

/// Events that are read of one run: more than any test writes.
const EVENTS_READ_MAX: u32 = 100_000;

/// The virtual time after which a run that has not ended never will: a test would wait for ever.
const PATIENCE: Duration = Duration::from_secs(20 * 365 * 24 * 3_600);

impl<O> KitRun<O> {
    pub(super) fn new(kit: &Kit, run: RunId) -> KitRun<O> {
        KitRun { kit: kit.clone(), run, output: PhantomData }
    }

    /// Returns the run's id.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// Reads everything about the run.
    ///
    /// # Errors
    /// As for [`Runtime::get`](crate::Runtime::get).
    pub async fn get(&self) -> Result<RunView, Error> {
        let view = crate::inspect::get(&*self.kit.store(), self.run).await?;
        view.ok_or(Error::NotFound { run: self.run })
    }

    /// Sends the run a signal; on return it was taken, unless the run is blocked or nobody serves it.
    ///
    /// # Errors
    /// As for [`Runtime::signal`](crate::Runtime::signal).
    pub async fn signal<T: Serialize>(&self, name: &str, payload: &T) -> Result<(), Error> {
        self.kit.retried(async |runtime| runtime.signal(self.run, name, payload).await).await?;
        self.kit.settle().await;
        Ok(())
    }

    /// Cancels the run.
    ///
    /// # Errors
    /// As for [`Runtime::cancel`](crate::Runtime::cancel).
    pub async fn cancel(&self, options: CancelOptions) -> Result<Cancelled, Error> {
        self.kit.retried(async |runtime| runtime.cancel(self.run, options.clone()).await).await
    }

    /// Replays the run; returns the new one, and what it takes over.
    ///
    /// # Errors
    /// As for [`Runtime::replay`](crate::Runtime::replay).
    pub async fn replay(&self, options: ReplayOptions) -> Result<(KitRun<O>, ReplayPlan), Error> {
        self.kit.replay(self.run, options).await
    }

    /// Lets time pass until the run ends; returns its status.
    ///
    /// # Errors
    /// As for [`RunHandle::wait`](crate::RunHandle::wait), and when the run has not ended after 20 years.
    pub async fn wait(&self) -> Result<Status, Error> {
        let ended =
            self.kit.retried(async |runtime| self.patient(runtime.handle(self.run).wait()).await?).await;
        self.kit.settle().await;
        ended
    }

    /// Lets time pass until the run ends, and reads its output.
    ///
    /// # Errors
    /// As for [`RunHandle::output`](crate::RunHandle::output), and when the run has not ended after 20 years.
    pub async fn output(&self) -> Result<O, RunError>
    where
        O: DeserializeOwned,
    {
        let run = self.run;
        self.wait().await?;
        let output = self.kit.current()?.handle(run).output_json().await?;
        output.read().map_err(|source| RunError::Output { run, source })
    }

    async fn patient<T>(&self, ended: impl Future<Output = T>) -> Result<T, Error> {
        if let Ok(ended) = tokio::time::timeout(PATIENCE, ended).await {
            return Ok(ended);
        }
        let view = self.get().await?;
        let waits = view.waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let problem = format!("after 20 years of virtual time it is {} and waits for [{waits}]", view.status);
        Err(Error::Field { field: "the run", problem })
    }

    /// Writes the log as text, one line an event: its kind, its task where the run has several tasks, `@n` from the
    /// second attempt on, and what it is about: `step_completed charge#0`, `attempt_failed pay@2 Declined`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn log(&self) -> Result<String, Error> {
        Ok(log::text(&self.kit.store().log(self.run, 0, EVENTS_READ_MAX).await?))
    }

    /// As [`log`](KitRun::log), each line after the seconds since the run's creation: `86400.000 timer_fired sleep#0`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn timeline(&self) -> Result<String, Error> {
        let recorded = self.kit.store().log(self.run, 0, EVENTS_READ_MAX).await?;
        let from = recorded.first().map(|first| first.at).unwrap_or_default();
        Ok(log::timeline(&recorded, from))
    }
}
