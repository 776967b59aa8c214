//! A run's spans.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::Timestamp;

/// A span.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Span {
    pub(in crate::cli) trace_id: String,
    pub(in crate::cli) span_id: String,
    pub(in crate::cli) parent_span_id: Option<String>,
    pub(in crate::cli) name: String,
    pub(in crate::cli) started_at: Timestamp,
    pub(in crate::cli) finished_at: Timestamp,
    pub(in crate::cli) status: String,
    pub(in crate::cli) error: Option<String>,
    pub(in crate::cli) attributes: Map<String, Value>,
    pub(in crate::cli) events: Vec<SpanEvent>,
    pub(in crate::cli) events_dropped: u32,
}

/// Something that happened at one moment of it.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct SpanEvent {
    pub(in crate::cli) name: String,
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) attributes: Map<String, Value>,
}

/// How far the export of traces is.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct TraceExport {
    pub(in crate::cli) exporter: Option<String>,
    pub(in crate::cli) lag_ms: u64,
    pub(in crate::cli) commits: u64,
    pub(in crate::cli) catches_up: bool,
    pub(in crate::cli) refused: u64,
    pub(in crate::cli) refused_spans: Vec<RefusedSpan>,
}

/// A span that the backend refused for good.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct RefusedSpan {
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) run: String,
    pub(in crate::cli) trace_id: Option<String>,
    pub(in crate::cli) span_id: Option<String>,
    pub(in crate::cli) name: String,
    pub(in crate::cli) reason: String,
}

impl Span {
    /// Returns an attribute that is a text.
    pub(in crate::cli) fn text(&self, key: &str) -> Option<&str> {
        self.attributes.get(key)?.as_str()
    }
}

impl SpanEvent {
    /// Returns an attribute that is a text.
    pub(in crate::cli) fn text(&self, key: &str) -> Option<&str> {
        self.attributes.get(key)?.as_str()
    }
}
