//! Checking recorded histories against the code at hand, before it is deployed.

use std::sync::Arc;

use super::control::Runtime;
use super::error::Error;
use crate::clock::Clock;
use crate::model::limits::EVENTS_MAX;
use crate::model::{Recorded, RunId, Timestamp};
use crate::store::Store;
use crate::workflow::check::{CheckReport, check};
use crate::workflow::{BuildError, Registry, Workflow};

/// Code to check histories against, without a runtime.
///
/// ```
/// # use runlog::{Cx, Workflow};
/// # use runlog::runtime::Check;
/// # async fn order(_: Cx, cents: u64) -> anyhow::Result<u64> { Ok(cents) }
/// # async fn example(histories: Vec<(runlog::RunId, Vec<runlog::model::Recorded>)>) -> anyhow::Result<()> {
/// let report = Check::new().workflow(Workflow::function("order", order)).histories(histories).await?;
/// assert!(report.is_ok(), "{report}");
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "a check does nothing until it is given histories"]
pub struct Check {
    registry: Registry,
    broken: Option<BuildError>,
}

impl Check {
    /// Begins without any code.
    pub fn new() -> Check {
        Check::default()
    }

    /// Adds a workflow; several versions of one may be given side by side.
    pub fn workflow<I, O>(mut self, workflow: Workflow<I, O>) -> Check {
        let added =
            workflow.definition().map(Arc::clone).and_then(|definition| self.registry.add(definition));
        if let Err(error) = added {
            self.broken.get_or_insert(error);
        }
        self
    }

    /// Plays whole logs, each from its first event, against the code: no body, child, timer or transaction runs, and
    /// nothing is written. What the code does between its operations is run for real, on the calling future.
    ///
    /// Needs a tokio runtime with time.
    ///
    /// # Errors
    /// [`Error::Workflow`] when a workflow given cannot be served.
    pub async fn histories(
        &self,
        histories: impl IntoIterator<Item = (RunId, Vec<Recorded>)>,
    ) -> Result<CheckReport, Error> {
        self.code()?;
        let clock = Arc::new(Clock::starting_at(Timestamp::UNIX_EPOCH));
        let mut report = CheckReport::default();
        for (run, log) in histories {
            report.runs.push(check(&self.registry, run, &log, &clock).await);
        }
        Ok(report)
    }

    /// As [`histories`](Check::histories), with the logs of `runs` from a store. Unknown runs are an error.
    ///
    /// # Errors
    /// [`Error::Workflow`], [`Error::NotFound`], [`Error::Store`].
    pub async fn runs(&self, store: &dyn Store, runs: &[RunId]) -> Result<CheckReport, Error> {
        self.code()?;
        check_stored(&self.registry, store, runs).await
    }

    fn code(&self) -> Result<(), Error> {
        self.broken.clone().map_or(Ok(()), |broken| Err(Error::Workflow(broken)))
    }
}

impl Runtime {
    /// Checks the workflows that were given to the builder against the recorded histories of `runs`: whether a run that
    /// is live would be blocked by this code, and whether it still does what runs that have ended did.
    ///
    /// Nothing is executed and nothing written; a [client](crate::RuntimeBuilder::client) can do it, too.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn check(&self, runs: &[RunId]) -> Result<CheckReport, Error> {
        check_stored(&self.engine.registry, &*self.engine.store, runs).await
    }
}

async fn check_stored(registry: &Registry, store: &dyn Store, runs: &[RunId]) -> Result<CheckReport, Error> {
    let clock = Arc::new(Clock::starting_at(store.now().await?));
    let mut report = CheckReport::default();
    for run in runs.iter().copied() {
        let log = store.log(run, 0, EVENTS_MAX).await?;
        if log.is_empty() {
            return Err(Error::NotFound { run });
        }
        report.runs.push(check(registry, run, &log, &clock).await);
    }
    Ok(report)
}
