//! What this process counts.

use super::control::Runtime;
use crate::store::Store;
#[cfg(feature = "http")]
use crate::telemetry::Metrics;

impl Runtime {
    /// Writes what this process counts in Prometheus' text format 0.0.4, for an embedder with a `/metrics` of its own; the REST
    /// interface has one, too. `docs/TELEMETRY.md` lists the metrics.
    ///
    /// A question or two go to the database, through the embedder's pool; without an answer its figures are left out.
    pub async fn metrics(&self) -> String {
        self.metrics_from(Some(self.engine.store.as_ref())).await
    }

    /// As [`metrics`](Runtime::metrics), with the database's figures from elsewhere.
    pub(crate) async fn metrics_from(&self, store: Option<&dyn Store>) -> String {
        self.engine.metrics.text(&self.engine.moment(store).await)
    }

    /// Returns where this process counts.
    #[cfg(feature = "http")]
    pub(crate) fn meters(&self) -> &Metrics {
        &self.engine.metrics
    }
}
