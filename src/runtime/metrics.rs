//! What this process counts.

use super::control::Runtime;
use crate::store::LiveRuns;
#[cfg(feature = "http")]
use crate::telemetry::Metrics;
use crate::telemetry::{Census, Moment};

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
        self.engine.metrics.text(&self.moment(live))
    }

    /// Returns where this process counts.
    #[cfg(feature = "http")]
    pub(crate) fn meters(&self) -> &Metrics {
        &self.engine.metrics
    }

    fn moment(&self, live: Option<LiveRuns>) -> Moment {
        let engine = &self.engine;
        let slots = if engine.settings.client { 0 } else { engine.settings.live_runs };
        let pool = engine.store.pool().map(|pool| {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            (pool.size().saturating_sub(idle), idle)
        });
        let database = live.map(|LiveRuns { held, queued, scheduled, parked, lag }| Census {
            runs: [("held", held), ("queued", queued), ("scheduled", scheduled), ("parked", parked)],
            lag: lag.as_secs_f64(),
        });
        Moment { node: (self.live_runs(), slots), pool, database }
    }
}
