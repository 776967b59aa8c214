//! Tells the other nodes what may concern them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::store::{News, Store};

/// News that may wait; more are dropped, for the others poll.
pub(crate) const NEWS_WAITING_MAX: usize = 1_024;

/// The agent that announces: what comes while it speaks leaves together in its next sentence.
pub(crate) struct Herald {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: mpsc::Receiver<News>,
}

impl Herald {
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(NEWS_WAITING_MAX);
        while self.queue.recv_many(&mut waiting, NEWS_WAITING_MAX).await > 0 {
            let news: Vec<News> = waiting.drain(..).collect::<BTreeSet<_>>().into_iter().collect();
            if let Err(error) = self.store.announce(&news).await {
                tracing::debug!(%error, "news were not announced: the others find out by polling");
            }
        }
    }
}
