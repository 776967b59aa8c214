//! A span, as OpenTelemetry means it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat;

use crate::model::limits::SPAN_EVENTS_MAX;
use crate::model::{NodeId, SpanId, Timestamp, TraceContext, TraceFlags, TraceId, TraceState};
use crate::telemetry::names::traces::{Attribute, EventName};

/// What is known of something, by names of [`names`](crate::telemetry::names::traces).
pub type Attributes = Vec<(Cow<'static, str>, Value)>;

/// Something that took its time in a run, or the moment of its start. A span is given once, when it has ended; there is no
/// other content for its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace: the caller's, or the run's own.
    pub trace_id: TraceId,
    /// Its id, a function of the run and of what it is about; see [`ids`](crate::telemetry::ids).
    pub span_id: SpanId,
    /// The span that it stands under; `None` for the start of a run that nobody traced.
    pub parent: Option<SpanId>,
    /// The flags of the trace.
    pub flags: TraceFlags,
    /// What tracing systems carry along for themselves.
    pub state: Option<TraceState>,
    /// What it is, of few values: `step charge`.
    pub name: String,
    /// What it is to other spans.
    pub kind: SpanKind,
    /// When it began, on the database's clock.
    pub start: Timestamp,
    /// When it ended; never before its start.
    pub end: Timestamp,
    /// Whether it is an error.
    pub status: SpanStatus,
    /// What is known of it.
    pub attributes: Attributes,
    /// What happened meanwhile, in order.
    pub events: Vec<SpanEvent>,
    /// How many events were too many to be kept.
    pub events_dropped: u32,
    /// Spans elsewhere that it has to do with.
    pub links: Vec<Link>,
    /// The node that wrote its end; `None` for what a client's own transaction wrote (a start).
    pub node: Option<NodeId>,
}

impl Span {
    /// Returns how long it took.
    pub fn duration(&self) -> Duration {
        (self.end - self.start).to_std().unwrap_or_default()
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Adds what is known.
    pub(super) fn set(&mut self, attribute: Attribute, value: impl Into<Value>) {
        self.attributes.push((Cow::Borrowed(attribute.key), value.into()));
    }

    /// Adds what may be known.
    pub(super) fn set_some(&mut self, attribute: Attribute, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(attribute, value);
        }
    }
}

/// What a span is to other spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Something within the run.
    Internal,
    /// It asks for work that begins later, and does not wait for it.
    Producer,
    /// It is the work that was asked for.
    Consumer,
}

impl SpanKind {
    /// Returns the kind's word, as OpenTelemetry has it.
    pub fn as_str(self) -> &'static str {
        match self {
            SpanKind::Internal => "internal",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        }
    }
}

/// Whether a span is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanStatus {
    /// It is none.
    Unset,
    /// It is one.
    Error {
        /// What went wrong, for a person.
        description: String,
    },
}

/// Something that happened at one moment of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    /// What.
    pub name: &'static str,
    /// When.
    pub at: Timestamp,
    /// What is known of it.
    pub attributes: Attributes,
}

impl SpanEvent {
    pub(super) fn new(name: EventName, at: Timestamp) -> SpanEvent {
        SpanEvent { name: name.name, at, attributes: Vec::new() }
    }

    /// Adds what is known.
    pub(super) fn with(mut self, attribute: Attribute, value: Option<impl Into<Value>>) -> SpanEvent {
        if let Some(value) = value {
            self.attributes.push((Cow::Borrowed(attribute.key), value.into()));
        }
        self
    }
}

/// The events of a span that has not ended: as many as are kept, and how many were too many.
#[derive(Clone, Debug, Default)]
pub(super) struct SpanEvents {
    pub(super) kept: Vec<SpanEvent>,
    pub(super) dropped: u32,
}

impl SpanEvents {
    pub(super) fn push(&mut self, event: SpanEvent) {
        match self.kept.len() < SPAN_EVENTS_MAX {
            true => self.kept.push(event),
            false => self.dropped = self.dropped.saturating_add(1),
        }
    }
}

/// A span elsewhere, and what it has to do with this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The span.
    pub to: TraceContext,
    /// What it has to do with this one.
    pub attributes: Attributes,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(Arc<str>),
    /// A number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// Several texts.
    Texts(Vec<String>),
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Value {
        Value::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Value {
        Value::Bool(yes)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Value {
        Value::from(at.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}
