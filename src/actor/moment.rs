//! What of this process is read when somebody asks for its metrics.

use super::supervisor::Engine;
use crate::store::LiveRuns;
use crate::telemetry::{Census, Moment};

impl Engine {
    /// Reads the gauges; `live` is what the database says, if it has time.
    pub(crate) fn moment(&self, live: Option<LiveRuns>) -> Moment {
        let slots = if self.settings.client { 0 } else { self.settings.live_runs };
        let pool = self.store.pool().map(|pool| {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            (pool.size().saturating_sub(idle), idle)
        });
        let database = live.map(|LiveRuns { held, queued, scheduled, parked, lag }| Census {
            runs: [("held", held), ("queued", queued), ("scheduled", scheduled), ("parked", parked)],
            lag: lag.as_secs_f64(),
        });
        Moment { node: (self.live.count(), slots), pool, database }
    }
}
