//! A run's log as it grows.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, StreamExt};

use super::control::Runtime;
use super::error::Error;
use super::follow::{Feed, follow};
use crate::model::{Recorded, RunId};
use crate::store::Store;

/// The events of one run, in order, from the moment of asking to the run's end: see [`Runtime::watch`].
///
/// It is a [`Stream`]; [`next`](Watch::next) needs no other crate.
#[must_use = "a watch reads when it is asked for the next event"]
pub struct Watch {
    run: RunId,
    events: BoxStream<'static, Result<Recorded, Error>>,
}

/// Events read at once: what a slow reader keeps in memory.
const PAGE_EVENTS: u32 = 256;

impl Runtime {
    /// Watches a run: gives every event after seq `after` in order, none twice, none left out, those that are there
    /// and those to come, and ends after the run's last one. `after` is 0 for all of them, or the seq of the last event
    /// that the reader has, from whatever watch of whatever process.
    ///
    /// While the database does not answer it waits. A run of this process is told of at once, one of another node within
    /// a round trip of it where both [`listen`](super::RuntimeBuilder::listen), else within the poll interval.
    ///
    /// # Errors
    /// As items, each the last one: [`Error::NotFound`]; [`Error::Quarantined`] when the log has a hole;
    /// [`Error::Store`] when an event cannot be read.
    pub fn watch(&self, run: RunId, after: u32) -> Watch {
        Watch { run, events: follow(self, run, Log { run, seen: after }) }
    }
}

impl Watch {
    /// Returns which run it watches.
    pub fn run_id(&self) -> RunId {
        self.run
    }

    /// Waits for the next event; `None` after the run's last one. Giving up waiting loses nothing.
    pub async fn next(&mut self) -> Option<Result<Recorded, Error>> {
        self.events.next().await
    }
}

impl Stream for Watch {
    type Item = Result<Recorded, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_next_unpin(context)
    }
}

/// A run's log, read up to seq `seen`.
struct Log {
    run: RunId,
    seen: u32,
}

impl Feed for Log {
    type Item = Recorded;

    fn read<'a>(&'a mut self, store: &'a dyn Store) -> BoxFuture<'a, Result<Vec<Recorded>, Error>> {
        Box::pin(async move {
            let page = store.log(self.run, self.seen, PAGE_EVENTS).await?;
            for event in &page {
                if event.seq != self.seen + 1 {
                    let reason = format!("event {} follows event {}", event.seq, self.seen);
                    return Err(Error::Quarantined { run: self.run, reason });
                }
                self.seen = event.seq;
            }
            Ok(page)
        })
    }

    fn ends_with(&self, event: &Recorded) -> bool {
        event.event.is_terminal()
    }
}
