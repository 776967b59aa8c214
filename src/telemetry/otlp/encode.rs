//! Spans as OTLP's messages.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{self as common, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as message;

use crate::model::{NodeId, Timestamp};
use crate::telemetry::spans::{Link, Span, SpanEvent, SpanKind, SpanStatus, Value};

/// The scope of every span. It has no version: a span that a later release exports again is the same span.
const SCOPE: &str = "runlog";

/// The host of every span. All times are the database's, so one clock is what they have in common: Jaeger shifts spans of
/// different hosts against each other.
const HOST: &str = "runlog";

/// Makes messages. All that it knows beside a span is the service's own attributes.
#[derive(Debug)]
pub(super) struct Encoder {
    service: Vec<KeyValue>,
}

impl Encoder {
    /// Takes the attributes of the service, by name.
    pub(super) fn new(service: Vec<(String, String)>) -> Encoder {
        let service = service.into_iter().map(|(key, text)| attribute(key, AnyValue::StringValue(text)));
        Encoder { service: service.collect() }
    }

    /// Makes what spans of a node stand in, without a span. It is the same whoever exports.
    pub(super) fn resource(&self, node: Option<&NodeId>) -> message::ResourceSpans {
        let mut attributes = self.service.clone();
        attributes.push(attribute("host.id", AnyValue::StringValue(HOST.to_owned())));
        attributes.extend(
            node.map(|node| attribute("service.instance.id", AnyValue::StringValue(node.to_string()))),
        );
        message::ResourceSpans {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_spans: vec![message::ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: SCOPE.to_owned(),
                    ..InstrumentationScope::default()
                }),
                ..message::ScopeSpans::default()
            }],
            schema_url: String::new(),
        }
    }

    /// Makes a span's message.
    pub(super) fn span(&self, span: &Span) -> message::Span {
        message::Span {
            trace_id: span.trace_id.bytes().to_vec(),
            span_id: span.span_id.bytes().to_vec(),
            trace_state: span.state.as_ref().map(|state| state.as_str().to_owned()).unwrap_or_default(),
            parent_span_id: span.parent.map(|parent| parent.bytes().to_vec()).unwrap_or_default(),
            flags: span.flags.bits().into(),
            name: span.name.clone(),
            kind: kind(span.kind).into(),
            start_time_unix_nano: nanoseconds(span.start),
            end_time_unix_nano: nanoseconds(span.end),
            attributes: attributes(&span.attributes),
            dropped_attributes_count: 0,
            events: span.events.iter().map(event).collect(),
            dropped_events_count: span.events_dropped,
            links: span.links.iter().map(link).collect(),
            dropped_links_count: 0,
            status: status(&span.status),
        }
    }
}

fn kind(kind: SpanKind) -> message::span::SpanKind {
    match kind {
        SpanKind::Internal => message::span::SpanKind::Internal,
        SpanKind::Producer => message::span::SpanKind::Producer,
        SpanKind::Consumer => message::span::SpanKind::Consumer,
    }
}

fn status(status: &SpanStatus) -> Option<message::Status> {
    match status {
        SpanStatus::Unset => None,
        SpanStatus::Error { description } => Some(message::Status {
            message: description.clone(),
            code: message::status::StatusCode::Error.into(),
        }),
    }
}

fn event(event: &SpanEvent) -> message::span::Event {
    message::span::Event {
        time_unix_nano: nanoseconds(event.at),
        name: event.name.to_owned(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: 0,
    }
}

fn link(link: &Link) -> message::span::Link {
    message::span::Link {
        trace_id: link.to.trace_id.bytes().to_vec(),
        span_id: link.to.span_id.bytes().to_vec(),
        trace_state: link.to.state.as_ref().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        attributes: attributes(&link.attributes),
        dropped_attributes_count: 0,
        flags: link.to.flags.bits().into(),
    }
}

fn attributes(attributes: &[(Cow<'static, str>, Value)]) -> Vec<KeyValue> {
    attributes.iter().map(|(key, value)| attribute(key.to_string(), any(value))).collect()
}

fn any(value: &Value) -> AnyValue {
    match value {
        Value::Text(text) => AnyValue::StringValue(text.to_string()),
        Value::Int(number) => AnyValue::IntValue(*number),
        Value::Bool(yes) => AnyValue::BoolValue(*yes),
        Value::Texts(texts) => {
            let values = texts
                .iter()
                .map(|text| common::AnyValue { value: Some(AnyValue::StringValue(text.clone())) });
            AnyValue::ArrayValue(ArrayValue { values: values.collect() })
        }
    }
}

fn attribute(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(common::AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Returns nanoseconds since 1970; 0 for what was before, or is after the year 2262.
fn nanoseconds(at: Timestamp) -> u64 {
    at.timestamp_nanos_opt().and_then(|nanoseconds| u64::try_from(nanoseconds).ok()).unwrap_or(0)
}
