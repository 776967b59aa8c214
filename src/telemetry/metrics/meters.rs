//! Makes the registry's parts from the table of names.

use prometheus::{Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts};

use crate::telemetry::names::Metric;

fn described(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

pub(super) fn counter(metric: &Metric) -> Result<IntCounter, prometheus::Error> {
    IntCounter::with_opts(described(metric))
}

pub(super) fn counters(metric: &Metric) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(described(metric), metric.labels)
}

pub(super) fn gauge(metric: &Metric) -> Result<Gauge, prometheus::Error> {
    Gauge::with_opts(described(metric))
}

pub(super) fn gauges(metric: &Metric) -> Result<GaugeVec, prometheus::Error> {
    GaugeVec::new(described(metric), metric.labels)
}

pub(super) fn histograms(metric: &Metric, bounds: &[f64]) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts { common_opts: described(metric), buckets: bounds.to_vec() };
    HistogramVec::new(options, metric.labels)
}
