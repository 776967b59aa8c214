//! The lines that a run's code wrote.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, StreamExt};

use super::control::Runtime;
use super::error::Error;
use super::follow::{Feed, follow};
use crate::model::RunId;
use crate::store::{LevelCounts, LogLine, LogQuery, Store};

/// The lines of one run, in order, until its end: see [`Runtime::follow_logs`].
#[must_use = "a tail reads when it is asked for the next line"]
pub struct LogTail {
    lines: BoxStream<'static, Result<LogLine, Error>>,
}

/// Lines of one page.
const PAGE_LINES_MAX: u32 = 10_000;

impl Runtime {
    /// Reads a page of the lines that a run's code wrote, in order; at most 10,000. Empty when there is no such run.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn logs(&self, run: RunId, query: LogQuery) -> Result<Vec<LogLine>, Error> {
        let query = LogQuery { limit: query.limit.min(PAGE_LINES_MAX), ..query };
        Ok(self.shown().lines(run, &query).await?)
    }

    /// Counts a run's lines by level, those of a task or an attempt only if the query names one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn log_counts(&self, run: RunId, query: LogQuery) -> Result<LevelCounts, Error> {
        Ok(self.shown().line_counts(run, &query).await?)
    }

    /// Follows a run's lines: gives those that are there and those to come, and ends half a second after the run did. The
    /// query's limit and end do not matter.
    ///
    /// # Errors
    /// As items, each the last one: [`Error::NotFound`], [`Error::Store`]. While the database does not answer, it waits.
    pub fn follow_logs(&self, run: RunId, query: LogQuery) -> LogTail {
        let query = LogQuery { before: None, from_end: false, limit: PAGE_LINES, ..query };
        LogTail { lines: follow(self, run, Lines { run, query }) }
    }
}

/// Lines read at once while following.
const PAGE_LINES: u32 = 256;

impl LogTail {
    /// Waits for the next line; `None` after the last one. Giving up waiting loses nothing.
    pub async fn next(&mut self) -> Option<Result<LogLine, Error>> {
        self.lines.next().await
    }
}

impl Stream for LogTail {
    type Item = Result<LogLine, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.lines.poll_next_unpin(context)
    }
}

/// A run's lines, read up to the place in the query.
struct Lines {
    run: RunId,
    query: LogQuery,
}

impl Feed for Lines {
    type Item = LogLine;

    fn read<'a>(&'a mut self, store: &'a dyn Store) -> BoxFuture<'a, Result<Vec<LogLine>, Error>> {
        Box::pin(async move {
            let page = store.lines(self.run, &self.query).await?;
            self.query.after = page.last().map_or(self.query.after, |line| line.n);
            Ok(page)
        })
    }

    /// The scribe does not hold up the run's end.
    const LATE: Duration = Duration::from_millis(500);
}
