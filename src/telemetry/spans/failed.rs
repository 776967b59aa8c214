//! How a failure stands in a span.

use crate::model::failure::cut_to;
use crate::model::limits::{SPAN_CHAIN_MAX, SPAN_TEXT_BYTES_MAX};
use crate::model::{Failure, Timestamp};
use crate::telemetry::names::traces as names;

use super::span::{Span, SpanEvent, SpanStatus, Value};

impl Span {
    /// Makes it an error.
    pub(super) fn fail(&mut self, kind: &str, description: &str) {
        self.status = SpanStatus::Error { description: text(description) };
        self.set(names::ERROR_TYPE, kind);
    }

    /// Makes it an error by a failure. The event that tells more stands for itself.
    pub(super) fn fail_by(&mut self, failure: &Failure) {
        self.fail(&failure.kind, &failure.message);
        let place = failure.location.as_deref().and_then(|location| location.rsplit_once(':'));
        let place = place.and_then(|(file, line)| Some((file, line.parse::<u32>().ok()?)));
        if let Some((file, line)) = place {
            self.set(names::CODE_FILE, file);
            self.set(names::CODE_LINE, line);
        }
    }
}

/// Makes the event of a failure.
pub(super) fn exception(failure: &Failure, at: Timestamp) -> SpanEvent {
    let chain: Vec<String> = failure.chain.iter().take(SPAN_CHAIN_MAX).map(|cause| text(cause)).collect();
    SpanEvent::new(names::EXCEPTION, at)
        .with(names::EXCEPTION_TYPE, Some(&*failure.kind))
        .with(names::EXCEPTION_MESSAGE, Some(text(&failure.message)))
        .with(names::ERROR_CHAIN, (!chain.is_empty()).then_some(Value::Texts(chain)))
}

/// Cuts a text to what a span may hold.
pub(super) fn text(text: &str) -> String {
    cut_to(text.to_owned(), SPAN_TEXT_BYTES_MAX)
}
