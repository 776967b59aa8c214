//! Lists that change.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior};

use super::lists::search;
use super::stream::{answer, permit, retry, told};
use crate::http::access::Caller;
use crate::http::body::ProblemBody;
use crate::http::extract::Params;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::inspect::{self, Search};
use crate::model::limits::STREAM_TIME_MAX;
use crate::model::{RunId, Status};

/// How often the list is read: what a person notices. It is read by asking, for a position in all runs' logs would pass by
/// a transaction that began earlier and commits later.
const READ_EVERY: Duration = Duration::from_secs(2);

/// Tells when the first page of a list changes (server-sent events)
///
/// `changed` names the runs of the page that are new or changed their status since the last time, at most every two
/// seconds; the first one names them all. It is a hint to read the list again, and carries no id to come back with.
#[utoipa::path(
    get, path = "/stream", tag = "lists",
    params(
        ("q" = Option<String>, Query, description = "the filter, as of `GET /runs`"),
        ("limit" = Option<u32>, Query, description = "rows of the page, 1 to 500; 50 unless told"),
        ("namespace" = Option<String>, Query, description = "whose runs; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the changes", body = String, content_type = "text/event-stream"),
        (
            status = 400, description = "`invalid_query`, `invalid_filter`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 503, description = "`too_many_streams`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Result<Response, Problem> {
    let search = search(&caller, &params)?;
    let permit = permit(&service)?;
    let mut ticks = tokio::time::interval(READ_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader { service, search, ticks, seen: BTreeMap::new(), began: false, _permit: permit };
    let changes = stream::unfold(reader, Reader::next).take_until(tokio::time::sleep(STREAM_TIME_MAX));
    let opening = stream::once(async { Event::default().retry(retry(0)).comment("runlog") });
    Ok(answer(opening.chain(changes).map(Ok::<_, Infallible>)))
}

/// Who waits for a list to change.
struct Reader {
    service: Arc<Service>,
    search: Search,
    ticks: Interval,
    seen: BTreeMap<RunId, Status>,
    began: bool,
    _permit: super::stream::Permit,
}

impl Reader {
    async fn next(mut self) -> Option<(Event, Reader)> {
        loop {
            self.ticks.tick().await;
            // A database that does not answer has changed nothing that can be shown.
            let Ok(changed) = self.read().await else { continue };
            if !changed.is_empty() || !self.began {
                self.began = true;
                let runs: Vec<String> = changed.iter().map(RunId::to_string).collect();
                return Some((told("changed", &json!({ "runs": runs })), self));
            }
        }
    }

    /// Reads the page; returns its runs that are new or changed their status.
    async fn read(&mut self) -> Result<Vec<RunId>, Problem> {
        let page = inspect::list(self.service.lists().await?, &self.search).await?;
        let now: BTreeMap<RunId, Status> = page.data.iter().map(|run| (run.run, run.status)).collect();
        let changed = now.iter().filter(|(run, status)| self.seen.get(run) != Some(status));
        let changed = changed.map(|(run, _)| *run).collect();
        self.seen = now;
        Ok(changed)
    }
}
