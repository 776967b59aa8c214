//! The lines that a run's code wrote.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, stream};
use crate::http::body::{LineBody, ProblemBody};
use crate::http::extract::{NUMBER_MAX, Params, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::{Level, TaskName};
use crate::store::{LevelCounts, LogLine, LogQuery};

/// Lines of a text file: more than a person reads.
const TEXT_LINES_MAX: u32 = 10_000;

/// A page of lines.
#[derive(Serialize, ToSchema)]
#[schema(as = LogPage)]
pub(super) struct LogsBody {
    /// The lines, in order.
    data: Vec<LineBody>,
    /// What to ask `after` for the next page; null = this is the last one for now.
    next: Option<String>,
    /// How many lines there are of each level, of the task and attempt that were asked for.
    counts: CountsBody,
}

/// How many lines there are of each level.
#[derive(Serialize, ToSchema)]
#[schema(as = LevelCounts)]
struct CountsBody {
    trace: u64,
    debug: u64,
    info: u64,
    warn: u64,
    error: u64,
}

impl From<LevelCounts> for CountsBody {
    fn from(counts: LevelCounts) -> CountsBody {
        CountsBody {
            trace: counts.of(Level::Trace),
            debug: counts.of(Level::Debug),
            info: counts.of(Level::Info),
            warn: counts.of(Level::Warn),
            error: counts.of(Level::Error),
        }
    }
}

/// Reads which lines are asked for.
pub(crate) fn query(params: &Params) -> Result<LogQuery, Problem> {
    let wrong = |what: String| Problem::new(Code::InvalidQuery, what);
    let mut query = LogQuery::default();
    if let Some(task) = params.text("task") {
        query = query.task(TaskName::new(task).map_err(|error| wrong(error.to_string()))?.as_str());
    }
    if params.text("attempt").is_some() {
        query = query.attempt(params.number("attempt", 1..=NUMBER_MAX, 1)?);
    }
    if let Some(level) = params.text("level") {
        query = query.level_min(level.parse().map_err(|error| wrong(format!("level: {error}")))?);
    }
    Ok(query)
}

/// The lines that a run's code wrote, in order
#[utoipa::path(
    get, path = "/runs/{id}/logs", tag = "logs",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("task" = Option<String>, Query, description = "only those of this task"),
        ("attempt" = Option<u32>, Query, minimum = 1, description = "only those of this attempt"),
        ("level" = Option<String>, Query, description = "only those of this level and above: `trace` to `error`"),
        ("after" = Option<i64>, Query, description = "only those after this place; 0 unless told"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "lines at most, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the lines", body = LogsBody),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    params: Params,
) -> Answer<LogsBody> {
    let limit = params.limit()?;
    let query = query(&params)?.after(stream::last_seen(&params, &HeaderMap::new())?).limit(limit);
    let store = service.details().await?;
    let lines = store.lines(row.run, &query).await?;
    let counts = store.line_counts(row.run, &query).await?;
    let full = lines.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = lines.last().filter(|_| full).map(|last| last.n.to_string());
    Ok(Json(LogsBody { data: lines.into_iter().map(LineBody::from).collect(), next, counts: counts.into() }))
}

/// The same as text, one line each, at most 10,000
///
/// Control characters, which might speak to a terminal, are escaped.
#[utoipa::path(
    get, path = "/runs/{id}/logs.txt", tag = "logs",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("task" = Option<String>, Query, description = "only those of this task"),
        ("attempt" = Option<u32>, Query, minimum = 1, description = "only those of this attempt"),
        ("level" = Option<String>, Query, description = "only those of this level and above: `trace` to `error`"),
    ),
    responses(
        (status = 200, description = "the lines", body = String, content_type = "text/plain"),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn text(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let query = query(&params)?.limit(TEXT_LINES_MAX);
    let lines = service.details().await?.lines(row.run, &query).await?;
    let mut text = String::new();
    for LogLine { at, task, attempt, line, .. } in &lines {
        let (at, message) = (at.format("%Y-%m-%dT%H:%M:%S%.6fZ"), escaped(&line.message));
        let fields =
            line.fields.as_ref().map(|fields| format!(" {}", escaped(fields.text()))).unwrap_or_default();
        // Writing to a string cannot fail.
        let _written =
            writeln!(text, "{at} {:<5} {}/{attempt} {message}{fields}", line.level, escaped(task.as_str()));
    }
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Writes control characters as `\u{…}`, so that a line is one and says nothing to a terminal.
fn escaped(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// The lines as they are written, to the run's end (server-sent events)
///
/// `log` carries a line, its place as the id; `end` says that the run has ended.
#[utoipa::path(
    get, path = "/runs/{id}/logs/stream", tag = "logs",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("task" = Option<String>, Query, description = "only those of this task"),
        ("attempt" = Option<u32>, Query, minimum = 1, description = "only those of this attempt"),
        ("level" = Option<String>, Query, description = "only those of this level and above: `trace` to `error`"),
        ("after" = Option<i64>, Query, description = "only those after this place; 0 unless told"),
        ("Last-Event-ID" = Option<i64>, Header, description = "the same; goes before `after`"),
    ),
    responses(
        (status = 200, description = "the lines", body = String, content_type = "text/event-stream"),
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
pub(super) async fn stream(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query(&params)?.after(stream::last_seen(&params, &headers)?);
    let permit = stream::permit(&service)?;
    let lines = service.runtime.follow_logs(row.run, query);
    Ok(stream::follow(row.run, permit, lines, |line| ("log", line.n.to_string(), LineBody::from(line))))
}
