//! OTLP's messages read back as spans, so that what was received and what was derived are compared as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::DateTime;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{self as common, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as message;
use runlog::model::{NodeId, SpanId, Timestamp, TraceContext, TraceFlags, TraceId, TraceState};
use runlog::telemetry::spans::{Link, Span, SpanEvent, SpanKind, SpanStatus, Value};

/// A span with what it stood in.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// Who sent it.
    pub resource: BTreeMap<String, String>,
    /// The scope's name and version.
    pub scope: (String, String),
    pub span: Span,
}

pub(super) fn spans(request: ExportTraceServiceRequest) -> Vec<Received> {
    let mut received = Vec::new();
    for resource_spans in request.resource_spans {
        let resource: BTreeMap<String, String> =
            resource_spans.resource.unwrap_or_default().attributes.into_iter().map(text).collect();
        for scope_spans in resource_spans.scope_spans {
            let scope = scope_spans.scope.unwrap_or_default();
            let scope = (scope.name, scope.version);
            for message in scope_spans.spans {
                let span = span(&resource, message);
                received.push(Received { resource: resource.clone(), scope: scope.clone(), span });
            }
        }
    }
    received
}

fn span(resource: &BTreeMap<String, String>, message: message::Span) -> Span {
    assert_eq!((message.dropped_attributes_count, message.dropped_links_count), (0, 0));
    Span {
        trace_id: trace_id(&message.trace_id),
        span_id: span_id(&message.span_id),
        parent: (!message.parent_span_id.is_empty()).then(|| span_id(&message.parent_span_id)),
        flags: flags(message.flags),
        state: TraceState::parse(&message.trace_state).expect("a trace state"),
        kind: match message.kind() {
            message::span::SpanKind::Internal => SpanKind::Internal,
            message::span::SpanKind::Producer => SpanKind::Producer,
            message::span::SpanKind::Consumer => SpanKind::Consumer,
            other => panic!("a span of kind {other:?}"),
        },
        name: message.name,
        start: instant(message.start_time_unix_nano),
        end: instant(message.end_time_unix_nano),
        status: match message.status {
            None => SpanStatus::Unset,
            Some(status) => {
                assert_eq!(status.code(), message::status::StatusCode::Error);
                SpanStatus::Error { description: status.message }
            }
        },
        attributes: attributes(message.attributes),
        events: message.events.into_iter().map(event).collect(),
        events_dropped: message.dropped_events_count,
        links: message.links.into_iter().map(link).collect(),
        node: resource.get("service.instance.id").map(|node| {
            let digits: String = node.chars().filter(char::is_ascii_digit).collect();
            NodeId(digits.parse().expect("a node's number"))
        }),
    }
}

fn event(event: message::span::Event) -> SpanEvent {
    SpanEvent {
        // There are few names, and a test's process is short-lived.
        name: String::leak(event.name),
        at: instant(event.time_unix_nano),
        attributes: attributes(event.attributes),
    }
}

fn link(link: message::span::Link) -> Link {
    Link {
        to: TraceContext {
            trace_id: trace_id(&link.trace_id),
            span_id: span_id(&link.span_id),
            flags: flags(link.flags),
            state: TraceState::parse(&link.trace_state).expect("a trace state"),
        },
        attributes: attributes(link.attributes),
    }
}

fn trace_id(bytes: &[u8]) -> TraceId {
    TraceId::new(bytes.try_into().expect("16 bytes")).expect("not zero")
}

fn span_id(bytes: &[u8]) -> SpanId {
    SpanId::new(bytes.try_into().expect("8 bytes")).expect("not zero")
}

fn flags(flags: u32) -> TraceFlags {
    TraceFlags::new(u8::try_from(flags).expect("the flags of a traceparent"))
}

fn instant(nanoseconds: u64) -> Timestamp {
    assert_eq!(nanoseconds % 1_000, 0, "times are the database's, to the microsecond");
    DateTime::from_timestamp_nanos(i64::try_from(nanoseconds).expect("an instant"))
}

fn attributes(attributes: Vec<KeyValue>) -> Vec<(Cow<'static, str>, Value)> {
    attributes.into_iter().map(|KeyValue { key, value, .. }| (Cow::Owned(key), self::value(value))).collect()
}

fn value(value: Option<common::AnyValue>) -> Value {
    match value.and_then(|value| value.value).expect("a value") {
        AnyValue::StringValue(text) => Value::from(text),
        AnyValue::IntValue(number) => Value::Int(number),
        AnyValue::BoolValue(yes) => Value::Bool(yes),
        AnyValue::ArrayValue(values) => Value::Texts(
            values
                .values
                .into_iter()
                .map(|value| match value.value {
                    Some(AnyValue::StringValue(text)) => text,
                    other => panic!("{other:?} in a list of texts"),
                })
                .collect(),
        ),
        other => panic!("a value {other:?}"),
    }
}

/// An attribute of a resource: all of them are texts.
fn text(KeyValue { key, value, .. }: KeyValue) -> (String, String) {
    match value.and_then(|value| value.value) {
        Some(AnyValue::StringValue(text)) => (key, text),
        other => panic!("a resource's {key} is {other:?}"),
    }
}
