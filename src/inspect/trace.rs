//! A run as spans.

use super::InspectError;
use crate::model::RunId;
use crate::store::Store;
use crate::telemetry::spans::{Span, Tracer};

/// Events read at once: their values may have a megabyte each.
const EVENTS_AT_ONCE: u32 = 64;

/// Spans of a run, in the order of their ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Spans {
    /// The spans.
    pub spans: Vec<Span>,
    /// The event to go on after; `None` = these were the last ones so far.
    pub next: Option<u32>,
}

/// Folds a run's log into the spans that events after `after` end: about `limit` of them, and all that the last of those events
/// ends; `None` when there is no such run. They are the very spans that an exporter sends.
///
/// The log is read from its beginning, a piece at a time; what is in memory at once is what has not ended.
///
/// # Errors
/// [`InspectError`].
pub async fn spans(
    store: &dyn Store,
    run: RunId,
    after: u32,
    limit: usize,
) -> Result<Option<Spans>, InspectError> {
    let mut tracer = Tracer::new(run);
    let mut spans = Vec::new();
    loop {
        let page = store.log(run, tracer.seq(), EVENTS_AT_ONCE).await?;
        for recorded in &page {
            let ended = tracer.record(recorded);
            if recorded.seq > after {
                spans.extend(ended);
            }
            if spans.len() >= limit {
                return Ok(Some(Spans { spans, next: Some(recorded.seq) }));
            }
        }
        if page.len() < EVENTS_AT_ONCE as usize {
            return Ok((tracer.seq() > 0).then_some(Spans { spans, next: None }));
        }
    }
}
