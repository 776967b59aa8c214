//! What code writes beside its run's log, on its way to the store: the scribe writes lines, the courier chunks.

mod desk;
mod scribe;
mod courier;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub(crate) use self::desk::{Desk, Voice};

use self::courier::{Courier, Delivery};
use self::desk::Entry;
use self::scribe::Scribe;
use super::supervisor::Engine;
use crate::model::limits::{CHUNKS_WAITING_MAX, LINES_WAITING_MAX};
use crate::store::StoreError;
use crate::store::writings::{NewChunk, Written};

/// Where attempts hand in what they write.
pub(crate) struct Writing {
    pub(crate) desk: Arc<Desk>,
    deliveries: mpsc::Sender<Delivery>,
    queues: Mutex<Option<Queues>>,
}

type Queues = (mpsc::Receiver<Entry>, mpsc::Receiver<Delivery>);

/// How long a shutdown waits for the last lines, whatever its grace.
const FLUSH_MIN: Duration = Duration::from_millis(250);

impl Writing {
    pub(crate) fn new() -> Writing {
        let (entries, lines) = mpsc::channel(LINES_WAITING_MAX);
        let (deliveries, chunks) = mpsc::channel(CHUNKS_WAITING_MAX);
        Writing { desk: Arc::new(Desk::new(entries)), deliveries, queues: Mutex::new(Some((lines, chunks))) }
    }

    /// Makes the agents; there is one of each.
    pub(crate) fn agents(&self, engine: &Arc<Engine>) -> Vec<BoxFuture<'static, ()>> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((lines, chunks)) = queues else { return Vec::new() };
        let scribe = Scribe::new(Arc::clone(engine), Arc::clone(&self.desk), lines);
        let courier = Courier { engine: Arc::clone(engine), queue: chunks };
        vec![scribe.run().boxed(), courier.run().boxed()]
    }

    /// Puts a chunk into its stream; waits until that is committed, as long as it takes.
    pub(crate) fn send(&self, chunk: NewChunk) -> BoxFuture<'static, Result<Written, StoreError>> {
        let deliveries = self.deliveries.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            deliveries.send(Delivery { chunk, reply }).await.map_err(|_| StoreError::Fenced)?;
            answer.await.unwrap_or(Err(StoreError::Fenced))
        }
        .boxed()
    }

    /// Waits until the lines handed in so far are written, at most until `deadline` or a moment.
    pub(crate) async fn flush(&self, deadline: Instant) {
        let deadline = deadline.max(Instant::now() + FLUSH_MIN);
        if tokio::time::timeout_at(deadline, self.desk.flush()).await.is_err() {
            tracing::warn!("the last log lines of this process were not written in time");
        }
    }
}
