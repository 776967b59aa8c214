//! What is asked of the runtime about a run that went wrong.

use super::control::Runtime;
use super::error::Error;
use crate::inspect::{self, Graph, RunDiff, StateAt, Why};
use crate::model::RunId;

impl Runtime {
    /// Says why a run failed, or why it stands where it stands: the root cause, followed through its child runs. `None` when
    /// there is no such run.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn why(&self, run: RunId) -> Result<Option<Why>, Error> {
        Ok(inspect::why(&**self.shown(), run).await?)
    }

    /// Folds the first `seq` events of a run, from 1; `None` when there is no such run.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when its log has no such event, [`Error::Quarantined`], [`Error::Store`].
    pub async fn state_at(&self, run: RunId, seq: u32) -> Result<Option<StateAt>, Error> {
        Ok(inspect::state_at(&**self.shown(), run, seq).await?)
    }

    /// Compares two runs; `None` when one of them does not exist.
    ///
    /// # Errors
    /// [`Error::Quarantined`], [`Error::Store`].
    pub async fn diff(&self, a: RunId, b: RunId) -> Result<Option<RunDiff>, Error> {
        Ok(inspect::diff(&**self.shown(), a, b).await?)
    }

    /// Finds the newest run before `run` of the same workflow that succeeded, preferring one that is alike.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn last_good(&self, run: RunId) -> Result<Option<RunId>, Error> {
        Ok(inspect::last_good(&**self.shown(), run).await?)
    }

    /// Draws a run's tasks and child runs as a graph; `None` when there is no such run.
    ///
    /// # Errors
    /// [`Error::Quarantined`], [`Error::Store`].
    pub async fn graph(&self, run: RunId) -> Result<Option<Graph>, Error> {
        Ok(inspect::graph(&**self.shown(), run).await?)
    }
}
