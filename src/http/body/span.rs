//! A span of a run's trace.

use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use super::Time;
use crate::telemetry::spans::{Attributes, Span, SpanStatus, Value};

/// Something that took its time in a run: what an OpenTelemetry backend is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Span)]
pub(in crate::http) struct SpanBody {
    /// The trace, 32 hexadecimal digits.
    trace_id: String,
    /// The span, 16 hexadecimal digits.
    span_id: String,
    /// The span that it stands under.
    parent_span_id: Option<String>,
    /// What it is about, such as `step charge`.
    name: String,
    /// `internal`, `producer` or `consumer`.
    kind: &'static str,
    /// When it began.
    started_at: Time,
    /// When it ended.
    finished_at: Time,
    /// `unset` or `error`.
    status: &'static str,
    /// What went wrong, in a span that is an error.
    error: Option<String>,
    /// What is known of it: texts, numbers, lists of texts.
    #[schema(value_type = serde_json::Value)]
    attributes: Map<String, Json>,
    /// What happened meanwhile.
    events: Vec<SpanEventBody>,
    /// How many events were too many to be kept.
    events_dropped: u32,
    /// Spans elsewhere that it has to do with.
    links: Vec<SpanLinkBody>,
    /// The node that recorded its end.
    node: Option<i32>,
}

/// Something that happened at one moment of a span.
#[derive(Serialize, ToSchema)]
#[schema(as = SpanEvent)]
struct SpanEventBody {
    /// What.
    name: &'static str,
    /// When.
    at: Time,
    /// What is known of it.
    #[schema(value_type = serde_json::Value)]
    attributes: Map<String, Json>,
}

/// A span elsewhere.
#[derive(Serialize, ToSchema)]
#[schema(as = SpanLink)]
struct SpanLinkBody {
    /// Its trace.
    trace_id: String,
    /// The span.
    span_id: String,
    /// What it has to do with this one.
    #[schema(value_type = serde_json::Value)]
    attributes: Map<String, Json>,
}

impl From<Span> for SpanBody {
    fn from(span: Span) -> SpanBody {
        let (status, error) = match span.status {
            SpanStatus::Unset => ("unset", None),
            SpanStatus::Error { description } => ("error", Some(description)),
        };
        let event = |event: crate::telemetry::spans::SpanEvent| SpanEventBody {
            name: event.name,
            at: event.at.into(),
            attributes: object(event.attributes),
        };
        let link = |link: crate::telemetry::spans::Link| SpanLinkBody {
            trace_id: link.to.trace_id.to_string(),
            span_id: link.to.span_id.to_string(),
            attributes: object(link.attributes),
        };
        SpanBody {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            parent_span_id: span.parent.map(|parent| parent.to_string()),
            name: span.name,
            kind: span.kind.as_str(),
            started_at: span.start.into(),
            finished_at: span.end.into(),
            status,
            error,
            attributes: object(span.attributes),
            events: span.events.into_iter().map(event).collect(),
            events_dropped: span.events_dropped,
            links: span.links.into_iter().map(link).collect(),
            node: span.node.map(|node| node.0),
        }
    }
}

fn object(attributes: Attributes) -> Map<String, Json> {
    let json = |value| match value {
        Value::Text(text) => Json::from(&*text),
        Value::Int(number) => Json::from(number),
        Value::Bool(yes) => Json::from(yes),
        Value::Texts(texts) => Json::from(texts),
    };
    attributes.into_iter().map(|(key, value)| (key.into_owned(), json(value))).collect()
}
