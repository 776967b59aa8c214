//! What this process counts.

use super::control::Runtime;
use crate::store::LiveRuns;
#[cfg(feature = "http")]
use crate::telemetry::Metrics;

impl Runtime {
    /// Writes what this process counts in Prometheus' text format 0.0.4, for an embedder with a `/metrics` of its own; the REST
    /// interface has one, too. `docs/TELEMETRY.md` lists the metrics.
    ///
    /// One question goes to the database, through the embedder's pool; without an answer its figures are left out.
    pub async fn metrics(&self) -> String {
        let live = self.engine.store.live_runs().await;
        self.metrics_with(live.ok())
    }

    /// As [`metrics`](Runtime::metrics), with the database's figures from elsewhere.
    pub(crate) fn metrics_with(&self, live: Option<LiveRuns>) -> String {
        self.engine.metrics.text(&self.engine.moment(live))
    }

    /// Returns where this process counts.
    #[cfg(feature = "http")]
    pub(crate) fn meters(&self) -> &Metrics {
        &self.engine.metrics
    }
}
