//! Reading a run's log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{EventBody, Page, ProblemBody, Sight, Size};
use crate::http::extract::{NUMBER_MAX, Named, Params, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::event::CodecError;
use crate::model::{Recorded, RunEvent, TaskEvent};
use crate::store::RunRow;

/// Events read at once: their values may have a megabyte each, and are cut before the next ones are read.
const EVENTS_AT_ONCE: u32 = 64;

/// Events looked at for one page of a kind, so that a page takes no longer than its time; a page may then be short.
const EVENTS_LOOKED_AT_MAX: u32 = 20_000;

/// A run's log in order, page by page
///
/// The log has no holes: `next` is the seq to ask `after`. With `kind` a page may be short or empty, and not the last one.
#[utoipa::path(
    get, path = "/runs/{id}/events", tag = "events",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("after" = Option<u32>, Query, description = "only events after this seq; 0 unless told"),
        ("kind" = Option<String>, Query, description = "only events of these kinds, divided by commas"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "events of a page, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the events", body = Page<EventBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    params: Params,
) -> Answer<Page<EventBody>> {
    let sight = Sight::of(&caller);
    let (events, next) = page(&service, &row, &params, params.limit()?).await?;
    let data = events.into_iter().map(|recorded| body(recorded, sight, Size::Listed));
    Ok(Json(Page { data: data.collect::<Result<_, _>>()?, next: next.map(|last| last.to_string()) }))
}

/// Reads at most `limit` events of a run that the parameters ask for, and after which one to go on.
pub(crate) async fn page(
    service: &Service,
    row: &RunRow,
    params: &Params,
    limit: u32,
) -> Result<(Vec<Recorded>, Option<u32>), Problem> {
    let mut picked = Picked::by(params, limit)?;
    let store = service.details().await?;
    while picked.wants_more() {
        let page = store.log(row.run, picked.last, EVENTS_AT_ONCE).await?;
        picked.end = page.len() < EVENTS_AT_ONCE as usize;
        picked.take(page);
    }
    Ok(picked.answer())
}

/// Picks such events of a whole log.
#[cfg(feature = "dashboard")]
pub(crate) fn page_of(
    log: &[Recorded],
    params: &Params,
    limit: u32,
) -> Result<(Vec<Recorded>, Option<u32>), Problem> {
    let mut picked = Picked::by(params, limit)?;
    let rest = log.get(picked.after as usize..).unwrap_or_default();
    picked.end = true;
    picked.take(rest.iter().take(EVENTS_LOOKED_AT_MAX as usize).cloned());
    picked.end &= rest.len() <= EVENTS_LOOKED_AT_MAX as usize;
    Ok(picked.answer())
}

/// Events that parameters ask for.
struct Picked<'a> {
    after: u32,
    kinds: Option<Vec<&'a str>>,
    limit: usize,
    found: Vec<Recorded>,
    /// The last one that was looked at.
    last: u32,
    /// Whether there is none after it.
    end: bool,
}

impl Picked<'_> {
    fn by(params: &Params, limit: u32) -> Result<Picked<'_>, Problem> {
        let after = params.number("after", 0..=NUMBER_MAX, 0)?;
        let kinds = params.text("kind").map(kinds).transpose()?;
        Ok(Picked { after, kinds, limit: limit as usize, found: Vec::new(), last: after, end: false })
    }

    fn wants_more(&self) -> bool {
        let looked_at = self.last.saturating_sub(self.after);
        self.found.len() < self.limit && !self.end && looked_at < EVENTS_LOOKED_AT_MAX
    }

    fn take(&mut self, events: impl IntoIterator<Item = Recorded>) {
        for recorded in events {
            if self.found.len() == self.limit {
                self.end = false;
                break;
            }
            self.last = recorded.seq;
            if self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&recorded.event.kind())) {
                self.found.push(recorded);
            }
        }
    }

    fn answer(self) -> (Vec<Recorded>, Option<u32>) {
        (self.found, (!self.end).then_some(self.last))
    }
}

/// One event, its values whole
#[utoipa::path(
    get, path = "/runs/{id}/events/{seq}", tag = "events",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("seq" = u32, Path, description = "the event's position, from 1"),
    ),
    responses(
        (status = 200, description = "the event", body = EventBody),
        (
            status = 404, description = "`run_not_found`, `event_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    Named(text): Named,
) -> Answer<EventBody> {
    let none = || {
        let text: String = text.chars().take(16).collect();
        Problem::new(Code::EventNotFound, format!("run {} has no event {text:?}", row.run))
    };
    let seq =
        text.parse().ok().filter(|seq: &u32| *seq > 0 && text.bytes().all(|byte| byte.is_ascii_digit()));
    let seq = seq.ok_or_else(none)?;
    let found = service.details().await?.log(row.run, seq - 1, 1).await?;
    let recorded = found.into_iter().find(|recorded| recorded.seq == seq).ok_or_else(none)?;
    Ok(Json(body(recorded, Sight::of(&caller), Size::Whole)?))
}

/// Writes an event's data as JSON, without what the caller may not see.
#[cfg(feature = "dashboard")]
pub(crate) fn data(recorded: Recorded, caller: &Caller, whole: bool) -> Result<String, Problem> {
    let size = if whole { Size::Whole } else { Size::Listed };
    Ok(body(recorded, Sight::of(caller), size)?.data())
}

pub(super) fn body(recorded: Recorded, sight: Sight, size: Size) -> Result<EventBody, Problem> {
    let bug = |error: CodecError| {
        tracing::error!(%error, "an event cannot be written as JSON");
        Problem::new(Code::Internal, "an event cannot be written as JSON")
    };
    EventBody::new(recorded, sight, size).map_err(bug)
}

/// Reads a list of kinds, and refuses one that does not exist.
pub(super) fn kinds(text: &str) -> Result<Vec<&str>, Problem> {
    let known = || RunEvent::KINDS.iter().chain(TaskEvent::KINDS).map(|(kind, _)| *kind);
    let kinds: Vec<&str> = text.split(',').collect();
    let Some(wrong) = kinds.iter().find(|kind| !known().any(|known| known == **kind)) else {
        return Ok(kinds);
    };
    let all = known().collect::<Vec<_>>().join(", ");
    Err(Problem::new(Code::InvalidQuery, format!("kind {wrong:?} is unknown: expected some of {all}")))
}
