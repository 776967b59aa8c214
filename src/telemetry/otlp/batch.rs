//! Divides spans among requests of a bounded size.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as message;
use prost::Message;

use super::encode::Encoder;
use crate::model::NodeId;
use crate::telemetry::spans::Span;

/// What stands before a message within another: its tag, and its length of up to four bytes.
const PREFIX_BYTES: usize = 5;

/// Requests for spans in their order; each with how many of them it has.
pub(super) struct Batches<'a> {
    encoder: &'a Encoder,
    spans: std::slice::Iter<'a, Span>,
    /// A span that did not fit into the last request.
    left_over: Option<Weighed>,
    bytes_max: usize,
}

/// A span's message and its size.
struct Weighed {
    node: Option<NodeId>,
    span: message::Span,
    bytes: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn new(encoder: &'a Encoder, spans: &'a [Span], bytes_max: usize) -> Batches<'a> {
        Batches { encoder, spans: spans.iter(), left_over: None, bytes_max }
    }

    fn next_span(&mut self) -> Option<Weighed> {
        let encoded = |span: &Span| {
            let message = self.encoder.span(span);
            let bytes = message.encoded_len() + PREFIX_BYTES;
            Weighed { node: span.node, span: message, bytes }
        };
        self.left_over.take().or_else(|| self.spans.next().map(encoded))
    }
}

impl Iterator for Batches<'_> {
    type Item = (usize, ExportTraceServiceRequest);

    /// Fills a request as far as it goes. A span that is larger than a request may be is sent alone: it is the backend's to
    /// refuse it.
    fn next(&mut self) -> Option<(usize, ExportTraceServiceRequest)> {
        let mut resources: Vec<(Option<NodeId>, message::ResourceSpans)> = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        while let Some(next) = self.next_span() {
            let place = resources.iter().rposition(|(node, _)| *node == next.node);
            let resource = match place {
                Some(_) => None,
                None => Some(self.encoder.resource(next.node.as_ref())),
            };
            let more = next.bytes + resource.as_ref().map_or(0, |r| r.encoded_len() + 3 * PREFIX_BYTES);
            if count > 0 && bytes + more > self.bytes_max {
                self.left_over = Some(next);
                break;
            }
            if let Some(resource) = resource {
                resources.push((next.node, resource));
            }
            let place = place.unwrap_or(resources.len() - 1);
            let scope = resources.get_mut(place).and_then(|(_, resource)| resource.scope_spans.first_mut());
            if let Some(scope) = scope {
                scope.spans.push(next.span);
            }
            count += 1;
            bytes += more;
        }
        let resource_spans = resources.into_iter().map(|(_, resource)| resource).collect();
        (count > 0).then_some((count, ExportTraceServiceRequest { resource_spans }))
    }
}
