//! Keeps the node's lease, and the clock in step with the database's.

use std::sync::Arc;

use super::node::Node;
use super::supervisor::Engine;
use crate::store::Heartbeat;

/// The agent that renews the lease, three times a lease; ends when the node is fenced.
pub(crate) struct Leaseholder {
    pub(crate) engine: Arc<Engine>,
    pub(crate) node: Arc<Node>,
}

impl Leaseholder {
    pub(crate) async fn run(self) {
        let lease = self.engine.settings.lease;
        loop {
            tokio::time::sleep(lease / 3).await;
            if self.node.is_fenced() {
                return;
            }
            match self.engine.store.heartbeat(self.node.id, lease).await {
                Ok(Heartbeat::Alive { now }) => {
                    self.engine.clock.sync(now);
                    self.engine.watchers.prune();
                }
                Ok(Heartbeat::Fenced) => {
                    tracing::error!(node = %self.node.id, "the lease is over: dropping every run and joining anew");
                    self.node.mark_fenced();
                    return;
                }
                Err(error) => tracing::warn!(%error, node = %self.node.id, "a heartbeat got no answer"),
            }
        }
    }
}
