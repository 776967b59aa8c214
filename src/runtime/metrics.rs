//! What this process counts.

use super::control::Runtime;
#[cfg(feature = "otel")]
use crate::store::outbox::Backlog;
use crate::store::{LiveRuns, Store};
#[cfg(feature = "http")]
use crate::telemetry::Metrics;
#[cfg(feature = "otel")]
use crate::telemetry::Unexported;
use crate::telemetry::{Census, Moment};

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
        let mut moment = self.moment();
        if let Some(store) = store {
            moment.database = store.live_runs().await.ok().map(census);
            #[cfg(feature = "otel")]
            if self.engine.settings.export.is_some() {
                moment.unexported = store.backlog().await.ok().map(unexported);
            }
        }
        self.engine.metrics.text(&moment)
    }

    /// Returns where this process counts.
    #[cfg(feature = "http")]
    pub(crate) fn meters(&self) -> &Metrics {
        &self.engine.metrics
    }

    fn moment(&self) -> Moment {
        let engine = &self.engine;
        let slots = if engine.settings.client { 0 } else { engine.settings.live_runs };
        let pool = engine.store.pool().map(|pool| {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            (pool.size().saturating_sub(idle), idle)
        });
        Moment { node: (self.live_runs(), slots), pool, ..Moment::default() }
    }
}

fn census(live: LiveRuns) -> Census {
    let LiveRuns { held, queued, scheduled, parked, lag } = live;
    Census {
        runs: [("held", held), ("queued", queued), ("scheduled", scheduled), ("parked", parked)],
        lag: lag.as_secs_f64(),
    }
}

#[cfg(feature = "otel")]
fn unexported(backlog: Backlog) -> Unexported {
    Unexported { commits: backlog.commits, lag: backlog.lag().as_secs_f64() }
}
