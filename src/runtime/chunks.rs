//! The streams that a run's code sends.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, Stream, StreamExt};

use super::control::Runtime;
use super::error::Error;
use super::follow::{Feed, follow};
use crate::model::{RunId, StreamName};
use crate::store::{Chunk, Store};

/// The chunks of one stream, in order, until the run's end: see [`Runtime::stream`].
#[must_use = "a stream reads when it is asked for the next chunk"]
pub struct Chunks {
    chunks: BoxStream<'static, Result<Chunk, Error>>,
}

/// Chunks of one page; each has at most 64 KiB.
const PAGE_CHUNKS_MAX: u32 = 1_000;

/// Chunks read at once while following.
const PAGE_CHUNKS: u32 = 64;

impl Runtime {
    /// Follows a stream of a run: gives every chunk after place `after` in order, none twice, none left out, those that are
    /// there and those to come, and ends when the run has ended and all were given. A stream to which nothing is sent is
    /// an empty one.
    ///
    /// # Errors
    /// [`Error::Name`]. As items, each the last one: [`Error::NotFound`], [`Error::Store`]. While the database does not
    /// answer, it waits.
    pub fn stream(&self, run: RunId, name: &str, after: u32) -> Result<Chunks, Error> {
        let sent = Sent { run, stream: StreamName::new(name)?, seen: after };
        Ok(Chunks { chunks: follow(self, run, sent) })
    }

    /// Reads at most `limit` chunks of a stream, those after place `after`, in order; at most 1,000.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn chunks(&self, run: RunId, name: &str, after: u32, limit: u32) -> Result<Vec<Chunk>, Error> {
        let stream = StreamName::new(name)?;
        Ok(self.shown().chunks(run, &stream, after, limit.min(PAGE_CHUNKS_MAX)).await?)
    }

    /// Lists a run's streams by name, with how many chunks each has.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn streams(&self, run: RunId) -> Result<Vec<(StreamName, u32)>, Error> {
        Ok(self.shown().streams(run).await?)
    }
}

impl Chunks {
    /// Waits for the next chunk; `None` after the last one. Giving up waiting loses nothing.
    pub async fn next(&mut self) -> Option<Result<Chunk, Error>> {
        self.chunks.next().await
    }
}

impl Stream for Chunks {
    type Item = Result<Chunk, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_next_unpin(context)
    }
}

/// A stream, read up to place `seen`.
struct Sent {
    run: RunId,
    stream: StreamName,
    seen: u32,
}

impl Feed for Sent {
    type Item = Chunk;

    fn read<'a>(&'a mut self, store: &'a dyn Store) -> BoxFuture<'a, Result<Vec<Chunk>, Error>> {
        Box::pin(async move {
            let page = store.chunks(self.run, &self.stream, self.seen, PAGE_CHUNKS).await?;
            self.seen = page.last().map_or(self.seen, |chunk| chunk.n);
            Ok(page)
        })
    }
}
