//! A run's events as they happen.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::{events, runs};
use crate::http::access::Caller;
use crate::http::body::{ProblemBody, Sight, Size};
use crate::http::extract::{Params, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::limits::{STREAM_BACKLOG_EVENTS_MAX, STREAM_TIME_MAX};
use crate::model::{Recorded, RunId};
use crate::runtime::{Error, Watch};
use crate::telemetry::Streaming;

/// How often a stream that has nothing to tell says that it lives: proxies cut what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// When a reader that was cut comes back: at first so, and up to as long again.
const RETRY_MS: u64 = 2_000;

/// A run's events from `after` on, as they are committed, to its end (server-sent events)
///
/// `run.event` carries an event as `GET …/events/{seq}` has it, with its seq as the id; `end` the run's status, after which
/// the stream is over; `reset` says that over 10,000 events were left out: read the run anew, the stream goes on after
/// the `seq` that it names; `error` a problem, after which the stream is over. A reader that was cut sends the last id
/// that it saw as `Last-Event-ID`, as browsers do, and misses nothing. After an hour the stream ends without `end`: come
/// back.
#[utoipa::path(
    get, path = "/runs/{id}/stream", tag = "events",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("after" = Option<u32>, Query, description = "only events after this seq; 0 unless told"),
        ("Last-Event-ID" = Option<u32>, Header, description = "the same; goes before `after`"),
    ),
    responses(
        (status = 200, description = "the events", body = String, content_type = "text/event-stream"),
        (
            status = 400, description = "`invalid_query`, `invalid_header`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 503, description = "`too_many_streams`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn run(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after: u32 = last_seen(&params, &headers)?;
    let permit = permit(&service)?;
    let behind =
        service.details().await?.log(row.run, after.saturating_add(STREAM_BACKLOG_EVENTS_MAX), 1).await?;
    let reset = if behind.is_empty() { None } else { Some(runs::events_of(&service, &row).await?) };
    let after = reset.unwrap_or(after);
    let watch = service.runtime.watch(row.run, after);
    let opening = opening(row.run, reset);
    let told = Told { service, watch, run: row.run, sight: Sight::of(&caller), over: false, _permit: permit };
    let live = stream::unfold(told, Told::next).take_until(tokio::time::sleep(STREAM_TIME_MAX));
    let events = stream::iter(opening).chain(live).map(Ok::<_, Infallible>);
    Ok(answer(events))
}

/// Reads where the reader goes on.
pub(crate) fn last_seen<T: std::str::FromStr + Default>(
    params: &Params,
    headers: &HeaderMap,
) -> Result<T, Problem> {
    if let Some(last) = headers.get("last-event-id") {
        let last = last.to_str().ok().and_then(|last| last.parse().ok());
        return last.ok_or_else(|| Problem::new(Code::InvalidHeader, "Last-Event-ID is none of this stream"));
    }
    let Some(after) = params.text("after") else { return Ok(T::default()) };
    let wrong =
        || Problem::new(Code::InvalidQuery, format!("after is {after:?}: expected a place in the stream"));
    after.parse().map_err(|_| wrong())
}

/// Takes one of the places for streams.
pub(super) fn permit(service: &Service) -> Result<Permit, Problem> {
    let full = |_| Problem::new(Code::TooManyStreams, "as many streams are open as this process serves");
    let place = Arc::clone(&service.streams).try_acquire_owned().map_err(full)?;
    Ok(Permit { _place: place, _counted: service.runtime.meters().streaming() })
}

/// One of the places for streams, held and counted while the stream is open.
pub(super) struct Permit {
    _place: OwnedSemaphorePermit,
    _counted: Streaming,
}

/// Answers with items as they come, and `end` after the last one.
pub(super) fn follow<T: Send + 'static, B: Serialize>(
    run: RunId,
    permit: Permit,
    items: impl Stream<Item = Result<T, Error>> + Send + 'static,
    tell: impl Fn(T) -> (&'static str, String, B) + Send + 'static,
) -> Response {
    let messages = items.map(move |item| match item {
        Ok(item) => {
            let (kind, id, body) = tell(item);
            told(kind, &body).id(id)
        }
        Err(error) => {
            let problem = Problem::from(error);
            told("error", &json!({ "code": problem.code().as_str(), "detail": problem.detail() }))
        }
    });
    let end = stream::once(async { told("end", &json!({})) });
    let live = messages.chain(end).take_until(tokio::time::sleep(STREAM_TIME_MAX));
    let events = stream::iter(opening(run, None)).chain(live).map(move |event| {
        let _held = &permit;
        Ok::<_, Infallible>(event)
    });
    answer(events)
}

/// Answers with a stream that no proxy may hold back.
pub(super) fn answer(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let alive = KeepAlive::new().interval(HEARTBEAT).text("hb");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    let (name, no) = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().insert(name, no);
    response
}

/// What is told before the first event: when to come back, and what was left out.
fn opening(run: RunId, reset: Option<u32>) -> Vec<Event> {
    let mut opening = vec![Event::default().retry(retry(run.shard())).comment("runlog")];
    if let Some(seq) = reset {
        opening.push(told("reset", &json!({ "seq": seq })).id(seq.to_string()));
    }
    opening
}

/// When a reader comes back that was cut: those that were cut together do not come back together.
pub(super) fn retry(shard: u64) -> Duration {
    Duration::from_millis(RETRY_MS + shard % RETRY_MS)
}

/// One reader of one run. It is asked for the next event when its socket takes it: a slow one costs a page.
struct Told {
    service: Arc<Service>,
    watch: Watch,
    run: RunId,
    sight: Sight,
    over: bool,
    _permit: Permit,
}

impl Told {
    async fn next(mut self) -> Option<(Event, Told)> {
        if self.over {
            return None;
        }
        let event = match self.watch.next().await {
            Some(Ok(recorded)) => self.event(recorded),
            Some(Err(error)) => self.failed(error.into()),
            None => self.end().await,
        };
        Some((event, self))
    }

    fn event(&mut self, recorded: Recorded) -> Event {
        let seq = recorded.seq;
        match events::body(recorded, self.sight, Size::Listed) {
            Ok(body) => told("run.event", &body).id(seq.to_string()),
            Err(problem) => self.failed(problem),
        }
    }

    async fn end(&mut self) -> Event {
        self.over = true;
        let row = async { Ok::<_, Problem>(self.service.details().await?.row(self.run).await?) };
        match row.await {
            Ok(row) => told("end", &json!({ "status": row.map(|row| row.status.as_str()) })),
            Err(problem) => self.failed(problem),
        }
    }

    fn failed(&mut self, problem: Problem) -> Event {
        self.over = true;
        told("error", &json!({ "code": problem.code().as_str(), "detail": problem.detail() }))
    }
}

pub(super) fn told(kind: &str, data: &impl Serialize) -> Event {
    // JSON has no line break, and nothing of ours fails to be JSON.
    let data = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(kind).data(data)
}
