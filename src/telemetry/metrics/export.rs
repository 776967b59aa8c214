//! What an exporter counts, and what waits for it.

use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec};

use super::meters::{counter, counters, gauge, gauges};
use super::set;
use crate::telemetry::names;

/// The figures of the export.
pub(super) struct ExportMeters {
    spans: IntCounterVec,
    failures: IntCounter,
    runs: Gauge,
    lag: GaugeVec,
    commits: GaugeVec,
}

/// What is not exported yet, as the database says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unexported {
    /// Commits.
    pub(crate) commits: u64,
    /// For how long the oldest of them has been waiting, in seconds.
    pub(crate) lag: f64,
}

impl ExportMeters {
    pub(super) fn new() -> Result<ExportMeters, prometheus::Error> {
        Ok(ExportMeters {
            spans: counters(&names::EXPORT_SPANS)?,
            failures: counter(&names::EXPORT_FAILURES)?,
            runs: gauge(&names::EXPORT_RUNS)?,
            lag: gauges(&names::EXPORT_LAG)?,
            commits: gauges(&names::EXPORT_COMMITS)?,
        })
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.spans.clone()),
            Box::new(self.failures.clone()),
            Box::new(self.runs.clone()),
            Box::new(self.lag.clone()),
            Box::new(self.commits.clone()),
        ]
    }

    /// Takes down what waits; without an answer of the database nothing is shown.
    pub(super) fn read(&self, unexported: Option<&Unexported>) {
        match unexported {
            Some(unexported) => {
                set(&self.lag, &[], unexported.lag);
                set(&self.commits, &[], unexported.commits as f64);
            }
            None => {
                self.lag.reset();
                self.commits.reset();
            }
        }
    }
}

impl super::Metrics {
    /// Counts spans that the backend has answered for.
    pub(crate) fn exported(&self, accepted: usize, refused: usize) {
        for (outcome, spans) in [("accepted", accepted), ("refused", refused)] {
            if let Ok(counter) = self.export.spans.get_metric_with_label_values(&[outcome]) {
                counter.inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
            }
        }
    }

    /// Counts a request that the backend did not take.
    pub(crate) fn export_failed(&self) {
        self.export.failures.inc();
    }

    /// Takes down how many runs' folds are kept.
    pub(crate) fn export_keeps(&self, runs: usize) {
        self.export.runs.set(runs as f64);
    }
}
