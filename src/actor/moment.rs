//! What of this process is read when somebody asks for its metrics.

use super::supervisor::Engine;
#[cfg(feature = "otel")]
use crate::store::outbox::Backlog;
use crate::store::{LiveRuns, Store};
#[cfg(feature = "otel")]
use crate::telemetry::Unexported;
use crate::telemetry::{Census, Moment};

impl Engine {
    /// Reads the gauges; those of the database from `store`, as far as it has time.
    pub(crate) async fn moment(&self, store: Option<&dyn Store>) -> Moment {
        let slots = if self.settings.client { 0 } else { self.settings.live_runs };
        let pool = self.store.pool().map(|pool| {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            (pool.size().saturating_sub(idle), idle)
        });
        let mut moment = Moment { node: (self.live.count(), slots), pool, ..Moment::default() };
        if let Some(store) = store {
            moment.database = store.live_runs().await.ok().map(census);
            #[cfg(feature = "otel")]
            if self.settings.export.is_some() {
                moment.unexported = store.backlog().await.ok().map(unexported);
            }
        }
        moment
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
