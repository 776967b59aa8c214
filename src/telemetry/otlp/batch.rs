//! Divides spans among requests of a bounded size.

use super::encode::Encoder;
use super::wire::Wire;
use crate::model::NodeId;
use crate::telemetry::spans::Span;

/// What stands before a message within another: its tag, and its length of up to four bytes.
const PREFIX_BYTES: usize = 5;

/// Requests for spans in their order; each with how many of them it has.
pub(super) struct Batches<'a> {
    encoder: &'a Encoder,
    spans: &'a [Span],
    bytes_max: usize,
}

/// The spans of one node in a request.
struct Part {
    node: Option<NodeId>,
    resource: Wire,
    /// The scope, and the spans.
    scope_spans: Wire,
}

impl<'a> Batches<'a> {
    pub(super) fn new(encoder: &'a Encoder, spans: &'a [Span], bytes_max: usize) -> Batches<'a> {
        Batches { encoder, spans, bytes_max }
    }

    fn part(&self, node: Option<NodeId>) -> Part {
        let (mut resource, mut scope_spans) = (Wire::default(), Wire::default());
        self.encoder.resource(&mut resource, node.as_ref());
        Encoder::scope(&mut scope_spans);
        Part { node, resource, scope_spans }
    }
}

impl Iterator for Batches<'_> {
    type Item = (usize, Vec<u8>);

    /// Fills an `ExportTraceServiceRequest` as far as it goes. A span that is larger than a request may be is sent alone: it
    /// is the backend's to refuse it.
    fn next(&mut self) -> Option<(usize, Vec<u8>)> {
        let mut parts: Vec<Part> = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        while let Some((span, rest)) = self.spans.split_first() {
            let known = parts.len();
            let place = parts.iter().rposition(|part| part.node == span.node).unwrap_or_else(|| {
                let part = self.part(span.node);
                bytes += part.resource.len() + part.scope_spans.len() + 3 * PREFIX_BYTES;
                parts.push(part);
                parts.len() - 1
            });
            let Some(part) = parts.get_mut(place) else { break };
            let before = part.scope_spans.len();
            Encoder::span(&mut part.scope_spans, span);
            bytes += part.scope_spans.len() - before;
            if count > 0 && bytes > self.bytes_max {
                part.scope_spans.truncate(before);
                parts.truncate(known);
                break;
            }
            self.spans = rest;
            count += 1;
        }
        (count > 0).then(|| (count, request(&parts)))
    }
}

/// Writes the request into as much room as it needs: moved about, a megabyte costs as much as its spans did.
fn request(parts: &[Part]) -> Vec<u8> {
    let lengths = parts.iter().map(|part| part.resource.len() + Wire::len_of(part.scope_spans.len()));
    let mut request = Wire::with_capacity(lengths.clone().map(Wire::len_of).sum());
    for (part, length) in parts.iter().zip(lengths) {
        request.begin(1, length);
        request.append(&part.resource);
        request.begin(2, part.scope_spans.len());
        request.append(&part.scope_spans);
    }
    request.into_bytes()
}
