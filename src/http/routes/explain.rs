//! Why a run is where it is, what differs, and how it was.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Answer, runs};
use crate::http::access::Caller;
use crate::http::body::{ChangesBody, DiffBody, GraphBody, ProblemBody, Sight, Time, WhyBody};
use crate::http::extract::{NUMBER_MAX, Params, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::inspect::{self, RunDiff};
use crate::model::RunId;
use crate::store::RunRow;

/// Why a run is where it is: the root cause of a failure, what it waits for, who cancelled it
#[utoipa::path(
    get, path = "/runs/{id}/why", tag = "explain",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "the cause, and what to do about it", body = WhyBody),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn why(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
) -> Answer<WhyBody> {
    let why = runs::open(&service, row).await?.why().await?;
    Ok(Json(WhyBody::new(&why, Sight::of(&caller))))
}

/// Columns of a drawing unless told: a terminal's.
const WIDTH_DEFAULT: u32 = 100;

/// A run's tasks and child runs as a graph
#[utoipa::path(
    get, path = "/runs/{id}/graph", tag = "explain",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("format" = Option<String>, Query, description = "`json` unless told, `ascii`, `dot` or `mermaid`"),
        ("width" = Option<u32>, Query, minimum = 20, maximum = 1_000, description = "columns of `ascii`, 20 to 1,000; 100 unless told"),
    ),
    responses(
        (status = 200, description = "the graph; text in another format than `json`", body = GraphBody),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn graph(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let width = params.number("width", 20..=1_000, WIDTH_DEFAULT)?;
    let format = params.text("format").unwrap_or("json");
    if !["json", "ascii", "dot", "mermaid"].contains(&format) {
        let detail = format!("format is {format:?}: expected json, ascii, dot or mermaid");
        return Err(Problem::new(Code::InvalidQuery, detail));
    }
    let graph = runs::open(&service, row).await?.graph().await?;
    let text = match format {
        "ascii" => graph.ascii(usize::try_from(width).unwrap_or(usize::MAX)),
        "dot" => graph.dot(),
        "mermaid" => graph.mermaid(),
        _ => return Ok(Json(GraphBody::from(&graph)).into_response()),
    };
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// A run's state after one of its events.
#[derive(Serialize, ToSchema)]
#[schema(as = StateAt)]
pub(super) struct StateBody {
    /// The event's seq.
    seq: u32,
    /// Its kind.
    kind: &'static str,
    /// When it was committed.
    at: Time,
    /// The fold of the log up to it.
    #[schema(value_type = serde_json::Value)]
    state: Box<RawValue>,
    /// What the event changed in that; nothing for the first one, which makes all of it.
    changes: ChangesBody,
}

/// A run's state after its first `at` events
///
/// What is in `state` is the engine's own, and may change with a release.
#[utoipa::path(
    get, path = "/runs/{id}/state", tag = "explain",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("at" = Option<u32>, Query, minimum = 1, description = "after which event; the last one unless told"),
    ),
    responses(
        (status = 200, description = "the state", body = StateBody),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 404, description = "`run_not_found`, `event_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn state(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    params: Params,
) -> Answer<StateBody> {
    let at = match params.text("at") {
        Some(_) => params.number("at", 1..=NUMBER_MAX, 1)?,
        None => runs::events_of(&service, &row).await?,
    };
    let found = inspect::state_at(service.details().await?, row.run, at).await?;
    let found = found.ok_or_else(|| Problem::no_run(&row.run.to_string()))?;
    let bug = |error: serde_json::Error| Problem::new(Code::Internal, error.to_string());
    Ok(Json(StateBody {
        seq: found.seq,
        kind: found.kind,
        at: found.at.into(),
        state: RawValue::from_string(found.json).map_err(bug)?,
        changes: ChangesBody::new(&found.changes, Sight::of(&caller)),
    }))
}

/// What differs between another run and this one
///
/// The other one is `a`, this one is `b`.
#[utoipa::path(
    get, path = "/runs/{id}/diff", tag = "explain",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("with" = Option<String>, Query, description = "the other run's id, or `last-good`, which it is unless told"),
    ),
    responses(
        (status = 200, description = "the differences", body = DiffBody),
        (
            status = 404, description = "`run_not_found`: one of the two, or there is no last good run",
            body = ProblemBody, content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn diff(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    params: Params,
) -> Answer<DiffBody> {
    let diff = difference(&service, &caller, &row, &params).await?;
    Ok(Json(DiffBody::new(&diff, Sight::of(&caller))))
}

/// Compares a run with the one that the parameters name, or with the last good one before it.
pub(crate) async fn difference(
    service: &Service,
    caller: &Caller,
    row: &RunRow,
    params: &Params,
) -> Result<RunDiff, Problem> {
    let other = match params.text("with").unwrap_or("last-good") {
        "last-good" => {
            let good = inspect::last_good(service.lists().await?, row.run).await?;
            let none = "no run of this workflow succeeded before this one";
            good.ok_or_else(|| Problem::new(Code::RunNotFound, none))?
        }
        id => {
            let run: RunId = id.parse().map_err(|_| Problem::no_run(id))?;
            service.run(caller, run).await?.run
        }
    };
    let diff = inspect::diff(service.details().await?, other, row.run).await?;
    diff.ok_or_else(|| Problem::no_run(&other.to_string()))
}
