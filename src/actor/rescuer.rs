//! Declares nodes dead whose lease expired, and releases their runs.

use std::sync::Arc;
use std::time::Duration;

use super::node::Node;
use super::supervisor::Engine;
use crate::store::News;

/// The agent that frees what dead nodes hold; looks again when the next lease expires, at least once a lease.
pub(crate) struct Rescuer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) node: Arc<Node>,
}

/// The shortest pause between two looks: an expiry that is due now is seen by the next one.
const PAUSE_MIN: Duration = Duration::from_millis(10);

impl Rescuer {
    pub(crate) async fn run(self) {
        while !self.node.is_fenced() {
            let pause = match self.engine.store.rescue().await {
                Ok(rescue) => {
                    for node in &rescue.died {
                        tracing::warn!(%node, "a node's lease is over: its runs go to the others");
                    }
                    if rescue.released > 0 {
                        tracing::warn!(runs = rescue.released, "released the runs of dead nodes");
                        self.engine.hint_due();
                        self.engine.announce(News::Due);
                        continue;
                    }
                    let expiry = rescue.next_expiry.map(|at| self.engine.clock.until(at));
                    // Our own lease is among them and is renewed long before: that look finds nothing.
                    expiry.unwrap_or(self.engine.settings.lease).clamp(PAUSE_MIN, self.engine.settings.lease)
                }
                Err(error) => {
                    tracing::warn!(%error, "dead nodes cannot be looked for");
                    self.engine.settings.lease / 3
                }
            };
            tokio::select! {
                biased;
                () = self.node.fenced() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}
