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
