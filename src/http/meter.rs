//! Counts requests, and writes what is counted as Prometheus' text format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram's buckets in seconds: from a cached answer to the longest question.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// How long requests took, by route, method and status: as many series as the table of routes allows.
#[derive(Default)]
pub(super) struct Meter {
    series: Mutex<BTreeMap<(&'static str, &'static str, u16), Series>>,
}

#[derive(Clone, Default)]
struct Series {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

impl Meter {
    /// Notes one answered request.
    pub(super) fn note(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry((route, method, status)).or_default();
        let over = BUCKETS.iter().zip(&mut series.buckets).filter(|(bound, _)| seconds <= **bound);
        over.for_each(|(_, count)| *count += 1);
        series.count += 1;
        series.seconds += seconds;
    }

    /// Writes the histogram.
    pub(super) fn write(&self, text: &mut String) {
        let name = "runlog_http_request_seconds";
        head(text, name, "histogram", "How long requests took to answer.");
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((route, method, status), series) in all {
            let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
            for (bound, count) in BUCKETS.iter().zip(series.buckets) {
                line(text, &format!("{name}_bucket{{{labels},le=\"{bound}\"}}"), count);
            }
            line(text, &format!("{name}_bucket{{{labels},le=\"+Inf\"}}"), series.count);
            line(text, &format!("{name}_sum{{{labels}}}"), series.seconds);
            line(text, &format!("{name}_count{{{labels}}}"), series.count);
        }
    }
}

/// Writes a metric's name, type and meaning.
pub(super) fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _written = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes one sample.
pub(super) fn line(text: &mut String, series: &str, value: impl std::fmt::Display) {
    let _written = writeln!(text, "{series} {value}");
}
