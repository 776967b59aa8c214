//! What is asked of the runtime about many runs.

use super::control::Runtime;
use super::error::Error;
use crate::inspect::{self, Page, Search, TaskRow};
use crate::model::RunSummary;
use crate::store::{FailureGroups, RunCount};

impl Runtime {
    /// Lists runs, the newest first, without payloads.
    ///
    /// ```no_run
    /// # async fn example(runtime: runlog::Runtime) -> anyhow::Result<()> {
    /// use runlog::Search;
    ///
    /// let search = Search::new("status:failed meta.team:payments since:7d".parse()?).limit(100);
    /// let mut page = runtime.list(&search).await?;
    /// while let Some(next) = page.next.take() {
    ///     page = runtime.list(&search.clone().cursor(next)).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Cursor`]: begin again without one. [`Error::Field`], [`Error::Store`].
    pub async fn list(&self, search: &Search) -> Result<Page<RunSummary>, Error> {
        Ok(inspect::list(&**self.shown(), search).await?)
    }

    /// Counts runs by status: the newest, up to 10,000.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn count(&self, search: &Search) -> Result<RunCount, Error> {
        Ok(inspect::count(&**self.shown(), search).await?)
    }

    /// Groups the runs that failed or timed out by their cause, the most frequent first: of the newest 50,000, at most
    /// 200 groups.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn failures(&self, search: &Search) -> Result<FailureGroups, Error> {
        Ok(inspect::failures(&**self.shown(), search).await?)
    }

    /// Lists the tasks of runs, those of the newest run first, without payloads. A page may be short, or empty, and have a
    /// next one.
    ///
    /// # Errors
    /// As for [`list`](Runtime::list).
    pub async fn tasks(&self, search: &Search) -> Result<Page<TaskRow>, Error> {
        Ok(inspect::tasks(&**self.shown(), search).await?)
    }
}
