//! Reads inboxes for the live runs that have mail: many runs by one question.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::run::RunMsg;
use super::supervisor::Engine;
use crate::model::RunId;
use crate::model::limits::CLAIM_ROWS_MAX;

/// The agent that brings mail to live runs.
pub(crate) struct Postman {
    pub(crate) engine: Arc<Engine>,
    pub(crate) queue: mpsc::UnboundedReceiver<RunId>,
}

impl Postman {
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(CLAIM_ROWS_MAX);
        while self.queue.recv_many(&mut waiting, CLAIM_ROWS_MAX).await > 0 {
            let runs: Vec<RunId> = waiting.drain(..).collect::<BTreeSet<_>>().into_iter().collect();
            self.deliver(&runs).await;
        }
    }

    async fn deliver(&self, runs: &[RunId]) {
        let mut inboxes = match self.engine.store.inbox(runs).await {
            Ok(inboxes) => inboxes,
            Err(error) => {
                tracing::warn!(%error, "inboxes cannot be read; the next sweep asks again");
                tokio::time::sleep(Duration::from_millis(100)).await;
                Vec::new()
            }
        };
        for run in runs {
            let Some(actor) = self.engine.live.get(*run) else { continue };
            let at = inboxes.iter().position(|inbox| inbox.run == *run);
            let _gone = actor.cast(RunMsg::Inbox(at.map(|at| inboxes.swap_remove(at))));
        }
    }
}
