//! Divides spans among requests of a bounded size.

use std::ops::Range;

use super::encode::Encoder;
use super::encoded::Encoded;
use super::wire::Wire;
use crate::model::NodeId;

/// What stands before a message within another: its tag, and its length of up to four bytes.
const PREFIX_BYTES: usize = 5;

/// Requests for spans in their order; each with how many of them it has.
pub(super) struct Batches<'a> {
    encoder: &'a Encoder,
    spans: &'a Encoded,
    /// Those that are in no request yet.
    left: Range<usize>,
    bytes_max: usize,
}

/// The spans of one node in a request.
struct Part<'a> {
    node: Option<NodeId>,
    resource: Wire,
    scope: Wire,
    spans: Vec<&'a [u8]>,
    /// Of the scope and the spans.
    bytes: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn new(
        encoder: &'a Encoder,
        spans: &'a Encoded,
        which: Range<usize>,
        bytes_max: usize,
    ) -> Batches<'a> {
        Batches { encoder, spans, left: which, bytes_max }
    }

    fn part(&self, node: Option<NodeId>) -> Part<'a> {
        let (mut resource, mut scope) = (Wire::default(), Wire::default());
        self.encoder.resource(&mut resource, node.as_ref());
        Encoder::scope(&mut scope);
        let bytes = scope.len();
        Part { node, resource, scope, spans: Vec::new(), bytes }
    }
}

impl Iterator for Batches<'_> {
    type Item = (usize, Vec<u8>);

    /// Fills an `ExportTraceServiceRequest` as far as it goes. A span that is larger than a request may be is sent alone: it
    /// is the backend's to refuse it.
    fn next(&mut self) -> Option<(usize, Vec<u8>)> {
        let mut parts: Vec<Part<'_>> = Vec::new();
        let (begin, mut bytes) = (self.left.start, 0);
        for index in self.left.clone() {
            let Some((node, span)) = self.spans.get(index) else { break };
            let known = parts.iter_mut().rposition(|part| part.node == node);
            let new = known.is_none().then(|| self.part(node));
            let frame = new.as_ref().map_or(0, |part| part.resource.len() + part.bytes + 3 * PREFIX_BYTES);
            bytes += frame + span.len();
            if index > begin && bytes > self.bytes_max {
                break;
            }
            let place = known.unwrap_or(parts.len());
            parts.extend(new);
            if let Some(part) = parts.get_mut(place) {
                part.bytes += span.len();
                part.spans.push(span);
            }
            self.left.start = index + 1;
        }
        let count = self.left.start - begin;
        (count > 0).then(|| (count, request(&parts)))
    }
}

/// Writes the request into as much room as it needs: moved about, a megabyte costs as much as its spans did.
fn request(parts: &[Part<'_>]) -> Vec<u8> {
    let lengths = parts.iter().map(|part| part.resource.len() + Wire::len_of(part.bytes));
    let mut request = Wire::with_capacity(lengths.clone().map(Wire::len_of).sum());
    for (part, length) in parts.iter().zip(lengths) {
        request.begin(1, length);
        request.append(part.resource.as_bytes());
        request.begin(2, part.bytes);
        request.append(part.scope.as_bytes());
        part.spans.iter().for_each(|span| request.append(span));
    }
    request.into_bytes()
}
