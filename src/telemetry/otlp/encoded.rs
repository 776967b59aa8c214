//! Spans in the form in which they are sent.

use super::encode::Encoder;
use super::wire::{Wire, leading_fields};
use crate::model::{NodeId, SpanId, TraceId};
use crate::telemetry::spans::Span;

/// Spans, one after the other, each as a field of a `ScopeSpans`: one piece of memory instead of a dozen each, to be kept and put
/// into requests as it is.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    wire: Wire,
    places: Vec<Place>,
}

/// Where a span ends, and the node that it stands under.
#[derive(Clone, Copy, Debug)]
struct Place {
    end: usize,
    node: Option<NodeId>,
}

/// What tells one span from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) name: String,
}

impl Encoded {
    /// Adds a span.
    pub(crate) fn push(&mut self, span: &Span) {
        Encoder::span(&mut self.wire, span);
        self.places.push(Place { end: self.wire.len(), node: span.node });
    }

    /// Adds the spans of another.
    pub(crate) fn append(&mut self, others: &Encoded) {
        let before = self.wire.len();
        self.wire.append(others.wire.as_bytes());
        self.places.extend(others.places.iter().map(|place| Place { end: before + place.end, ..*place }));
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns how many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.wire.len()
    }

    /// Returns a span, and the node that it stands under.
    pub(super) fn get(&self, index: usize) -> Option<(Option<NodeId>, &[u8])> {
        let place = self.places.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.places.get(before));
        let start = before.map_or(0, |before| before.end);
        Some((place.node, self.wire.as_bytes().get(start..place.end)?))
    }

    /// Reads back what a span is called.
    pub(crate) fn named(&self, index: usize) -> Option<Named> {
        let (_, field) = self.get(index)?;
        let (_, span) = leading_fields(field).next()?;
        let of =
            |number: u64| leading_fields(span).find(|(field, _)| *field == number).map(|(_, bytes)| bytes);
        Some(Named {
            trace_id: TraceId::new(of(1)?.try_into().ok()?)?,
            span_id: SpanId::new(of(2)?.try_into().ok()?)?,
            name: String::from_utf8_lossy(of(5)?).into_owned(),
        })
    }
}

impl<'a> FromIterator<&'a Span> for Encoded {
    fn from_iter<I: IntoIterator<Item = &'a Span>>(spans: I) -> Encoded {
        let mut encoded = Encoded::default();
        spans.into_iter().for_each(|span| encoded.push(span));
        encoded
    }
}
