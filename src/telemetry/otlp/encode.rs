//! Spans in OTLP's wire format. The numbers are those of the fields in `trace.proto`, `resource.proto` and `common.proto`.

use std::borrow::Cow;

use super::wire::Wire;
use crate::model::{NodeId, Timestamp};
use crate::telemetry::spans::{Link, Span, SpanEvent, SpanKind, SpanStatus, Value};

/// The scope of every span. It has no version: a span that a later release exports again is the same span.
pub(super) const SCOPE: &str = "runlog";

/// The host of every span. All times are the database's, so one clock is what they have in common: Jaeger shifts spans of
/// different hosts against each other.
const HOST: &str = "runlog";

/// Writes messages. All that it knows beside a span is the service's own attributes.
#[derive(Debug)]
pub(super) struct Encoder {
    service: Vec<(String, String)>,
}

impl Encoder {
    /// Takes the attributes of the service, by name.
    pub(super) fn new(service: Vec<(String, String)>) -> Encoder {
        Encoder { service }
    }

    /// Writes what spans of a node stand in, as the field of a `ResourceSpans`. It is the same whoever exports.
    pub(super) fn resource(&self, wire: &mut Wire, node: Option<&NodeId>) {
        wire.message(1, |resource| {
            for (name, text) in &self.service {
                attribute(resource, 1, name, &Value::from(text.as_str()));
            }
            attribute(resource, 1, "host.id", &Value::from(HOST));
            if let Some(node) = node {
                attribute(resource, 1, "service.instance.id", &Value::from(node.to_string()));
            }
        });
    }

    /// Writes the scope, as the field of a `ScopeSpans`.
    pub(super) fn scope(wire: &mut Wire) {
        wire.message(1, |scope| scope.text(1, SCOPE));
    }

    /// Writes a span, as a field of a `ScopeSpans`.
    pub(super) fn span(wire: &mut Wire, span: &Span) {
        wire.message(2, |wire| {
            wire.bytes(1, &span.trace_id.bytes());
            wire.bytes(2, &span.span_id.bytes());
            if let Some(state) = &span.state {
                wire.text(3, state.as_str());
            }
            if let Some(parent) = span.parent {
                wire.bytes(4, &parent.bytes());
            }
            wire.text(5, &span.name);
            wire.number(6, kind(span.kind));
            wire.fixed64(7, nanoseconds(span.start));
            wire.fixed64(8, nanoseconds(span.end));
            attributes(wire, 9, &span.attributes);
            for event in &span.events {
                wire.message(11, |wire| self::event(wire, event));
            }
            if span.events_dropped > 0 {
                wire.number(12, span.events_dropped.into());
            }
            for link in &span.links {
                wire.message(13, |wire| self::link(wire, link));
            }
            if let SpanStatus::Error { description } = &span.status {
                wire.message(15, |status| {
                    status.text(2, description);
                    status.number(3, ERROR);
                });
            }
            wire.fixed32(16, span.flags.bits().into());
        });
    }
}

/// `STATUS_CODE_ERROR`
const ERROR: u64 = 2;

/// Returns the number of a `SPAN_KIND_…`.
fn kind(kind: SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn event(wire: &mut Wire, event: &SpanEvent) {
    wire.fixed64(1, nanoseconds(event.at));
    wire.text(2, event.name);
    attributes(wire, 3, &event.attributes);
}

fn link(wire: &mut Wire, link: &Link) {
    wire.bytes(1, &link.to.trace_id.bytes());
    wire.bytes(2, &link.to.span_id.bytes());
    if let Some(state) = &link.to.state {
        wire.text(3, state.as_str());
    }
    attributes(wire, 4, &link.attributes);
    wire.fixed32(6, link.to.flags.bits().into());
}

fn attributes(wire: &mut Wire, field: u8, attributes: &[(Cow<'static, str>, Value)]) {
    for (name, value) in attributes {
        attribute(wire, field, name, value);
    }
}

/// Writes a `KeyValue`. Spans are little else, so their lengths are found beforehand instead of filled in.
fn attribute(wire: &mut Wire, field: u8, name: &str, value: &Value) {
    let length = len_of(value);
    wire.begin(field, Wire::len_of(name.len()) + Wire::len_of(length));
    wire.text(1, name);
    wire.begin(2, length);
    match value {
        Value::Text(text) => wire.text(1, text),
        Value::Bool(yes) => wire.number(2, u64::from(*yes)),
        Value::Int(number) => wire.number(3, number.cast_unsigned()),
        Value::Texts(texts) => {
            wire.begin(5, len_of_array(texts));
            for text in texts {
                wire.begin(1, Wire::len_of(text.len()));
                wire.text(1, text);
            }
        }
    }
}

/// Returns how many bytes an `AnyValue` takes.
fn len_of(value: &Value) -> usize {
    match value {
        Value::Text(text) => Wire::len_of(text.len()),
        Value::Bool(yes) => Wire::len_of_number(u64::from(*yes)),
        Value::Int(number) => Wire::len_of_number(number.cast_unsigned()),
        Value::Texts(texts) => Wire::len_of(len_of_array(texts)),
    }
}

/// Returns how many bytes an `ArrayValue` of texts takes.
fn len_of_array(texts: &[String]) -> usize {
    texts.iter().map(|text| Wire::len_of(Wire::len_of(text.len()))).sum()
}

/// Returns nanoseconds since 1970; 0 for what was before, or is after the year 2262.
pub(super) fn nanoseconds(at: Timestamp) -> u64 {
    at.timestamp_nanos_opt().and_then(|nanoseconds| u64::try_from(nanoseconds).ok()).unwrap_or(0)
}
