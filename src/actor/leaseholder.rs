//! Keeps the node's lease, and the clock in step with the database's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::node::{Loss, Node};
use super::supervisor::Engine;
use crate::store::{Heartbeat, StoreError};

/// The agent that renews the lease, three times a lease; ends when the node is fenced.
///
/// When it got no renewal for a whole lease by this process's own clock, the database's is over, too, whatever it would
/// say: the node is fenced then without asking. Code that can record nothing any more stops before another node begins it.
pub(crate) struct Leaseholder {
    pub(crate) engine: Arc<Engine>,
    pub(crate) node: Arc<Node>,
    /// When the last renewal was asked for that was granted: at first the joining.
    pub(crate) renewed: Instant,
}

impl Leaseholder {
    pub(crate) async fn run(mut self) {
        let lease = self.engine.settings.lease;
        let mut pause = lease / 3;
        // Whether the process itself stood still: its threads were blocked, or it was stopped.
        let mut stalled = false;
        loop {
            let before = Instant::now();
            tokio::time::sleep(pause).await;
            if self.node.is_fenced() {
                return;
            }
            stalled |= before.elapsed() > pause + lease / 3;
            let asked = Instant::now();
            let Some(left) = lease.checked_sub(asked - self.renewed).filter(|left| !left.is_zero()) else {
                return self.lose(if stalled { Loss::Stall } else { Loss::Silence });
            };
            pause = match self.renew(lease, left).await {
                Ok(true) => {
                    self.renewed = asked;
                    stalled = false;
                    lease / 3
                }
                Ok(false) => return self.lose(Loss::Lease),
                Err(error) => {
                    tracing::warn!(%error, node = %self.node.id, "a heartbeat got no answer");
                    lease / 10
                }
            };
        }
    }

    /// Asks for a renewal, at most as long as the lease lasts; says whether it was granted.
    async fn renew(&self, lease: Duration, left: Duration) -> Result<bool, StoreError> {
        let heartbeat = self.engine.store.heartbeat(self.node.id, lease);
        let late = || StoreError::Unavailable { source: "no answer while the lease lasted".into() };
        match tokio::time::timeout(left, heartbeat).await.map_err(|_| late())?? {
            Heartbeat::Alive { now } => {
                self.engine.clock.sync(now);
                self.engine.watchers.prune();
                self.engine.followers.prune();
                Ok(true)
            }
            Heartbeat::Fenced { .. } => Ok(false),
        }
    }

    fn lose(&self, loss: Loss) {
        tracing::error!(node = %self.node.id, "{loss}: dropping every run and joining anew");
        self.node.lose(loss);
    }
}
