//! One signal to many runs.

use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::control::Runtime;
use super::error::Error;
use crate::inspect::Search;
use crate::model::limits::{BULK_AT_ONCE_DEFAULT, BULK_RUNS_MAX, PAGE_ROWS_MAX};
use crate::model::{MessageBody, Payload, RunId, SignalName};
use crate::store::Sent;

/// What became of a signal to many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalledAll {
    /// Runs that have it, and take it when their code asks for it.
    pub sent: u64,
    /// Runs that ended before it came to them.
    pub ended: u64,
}

impl Runtime {
    /// Sends a signal to every live run that a search finds, whether it waits for the signal already or will ask for it later:
    /// `runtime.signal_all(&Search::new("meta.order:7".parse()?), "approved", &who)`. On return it is durable for each. A run
    /// that is started while this goes on may miss it.
    ///
    /// # Errors
    /// [`Error::Field`] when it finds more than 100,000 live runs: nothing was sent. [`Error::Name`], [`Error::Payload`];
    /// [`Error::Store`]: some runs may have it, and a repetition sends it to them once more.
    pub async fn signal_all<T: Serialize>(
        &self,
        search: &Search,
        name: &str,
        payload: &T,
    ) -> Result<SignalledAll, Error> {
        let name = SignalName::new(name)?;
        let payload = Payload::of(payload).map_err(|source| Error::Payload { field: "signal", source })?;
        let body = MessageBody::Signal { name, key: None, payload };
        let runs = self.live_runs_of(search).await?;
        let sends = futures_util::stream::iter(runs).map(|run| self.send(run, &body));
        let sends = sends.buffer_unordered(BULK_AT_ONCE_DEFAULT);
        let count = |mut done: SignalledAll, sent: Sent| {
            match sent {
                Sent::Accepted { .. } => done.sent += 1,
                Sent::Finished { .. } | Sent::NotFound => done.ended += 1,
            }
            std::future::ready(Ok(done))
        };
        Ok(sends.try_fold(SignalledAll::default(), count).await?)
    }

    /// Finds the runs of a search that have not ended.
    async fn live_runs_of(&self, search: &Search) -> Result<Vec<RunId>, Error> {
        let search = search.clone().limit(PAGE_ROWS_MAX);
        let (mut runs, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = match cursor.take() {
                Some(cursor) => self.list(&search.clone().cursor(cursor)).await?,
                None => self.list(&search).await?,
            };
            runs.extend(page.data.iter().filter(|row| !row.status.is_terminal()).map(|row| row.run));
            if runs.len() > BULK_RUNS_MAX {
                let problem = format!("it finds more than {BULK_RUNS_MAX} live runs: ask for fewer");
                return Err(Error::Field { field: "q", problem });
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(runs),
            }
        }
    }
}
