//! Keeps the clock of a client in step with the database's; a node's heartbeats do that for it.

use std::sync::Arc;
use std::time::Duration;

use super::supervisor::Engine;

/// The agent that asks the time.
pub(crate) struct Timekeeper {
    pub(crate) engine: Arc<Engine>,
}

/// How often: clocks drift by milliseconds in that time.
const ASK_EVERY: Duration = Duration::from_secs(10);

impl Timekeeper {
    pub(crate) async fn run(self) {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            match self.engine.store.now().await {
                Ok(now) => self.engine.clock.sync(now),
                Err(error) => tracing::warn!(%error, "the database does not tell the time"),
            }
            self.engine.watchers.prune();
            self.engine.followers.prune();
        }
    }
}
