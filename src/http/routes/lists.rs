//! Lists, counts and groups of runs: one grammar of filters for all.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{GroupBody, ListBody, ProblemBody, RunBrief, StatsBody, TaskRowBody};
use crate::http::extract::Params;
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::inspect::{self, Search};
use crate::model::filter::Filter;
use crate::model::{Namespace, TaskName, TaskStatus};

/// How far back a list looks unless its filter says, or is a look-up.
pub(crate) const WINDOW_DEFAULT: Duration = Duration::from_secs(24 * 3_600);

/// Reads what is common to all questions about many runs.
pub(crate) fn search(caller: &Caller, params: &Params) -> Result<Search, Problem> {
    let filter: Filter = params.text("q").unwrap_or_default().parse()?;
    let mut search = Search::new(filter).namespace(namespace(caller, params)?).within(WINDOW_DEFAULT);
    search = search.limit(params.limit()?);
    Ok(params.text("cursor").into_iter().fold(search, Search::cursor))
}

/// Whose runs are asked for: the caller's own, or, by a caller who sees all, those of one namespace.
pub(crate) fn namespace(caller: &Caller, params: &Params) -> Result<Namespace, Problem> {
    let asked = params.text("namespace").map(Namespace::new).transpose();
    let asked = asked.map_err(|error| Problem::new(Code::InvalidQuery, error.to_string()))?;
    let Some(asked) = asked else { return Ok(caller.namespace.clone().unwrap_or_default()) };
    caller.require_namespace(asked.as_str())?;
    Ok(asked)
}

/// Answers with a page, and with the next one's address as a link (RFC 8288).
fn page<T: Serialize>(body: ListBody<T>, next: Option<&str>, uri: &Uri) -> Response {
    let rest = uri.query().unwrap_or_default().split('&');
    let rest = rest.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let link = next.map(|next| {
        let pairs: Vec<&str> = rest.collect();
        let before = if pairs.is_empty() { String::new() } else { format!("{}&", pairs.join("&")) };
        format!("<{}?{before}cursor={next}>; rel=\"next\"", uri.path())
    });
    let mut response = Json(body).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// Runs, the newest first, without payloads
///
/// Without `since:`, `until:` or a look-up the last 24 hours are searched; `window` says what was.
#[utoipa::path(
    get, path = "/runs", tag = "lists",
    params(
        ("q" = Option<String>, Query, description = "the filter, such as `status:failed workflow:checkout since:7d`"),
        ("cursor" = Option<String>, Query, description = "where to go on: the `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
        ("count" = Option<String>, Query, description = "`none` unless told, or `capped`: how many there are, up to 10,000"),
        ("namespace" = Option<String>, Query, description = "whose runs; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the runs", body = ListBody<RunBrief>),
        (
            status = 400, description = "`invalid_query`, `invalid_filter`, `cursor_mismatch`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn runs(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let counted = match params.text("count") {
        None | Some("none") => false,
        Some("capped") => true,
        Some(other) => {
            let detail = format!("count is {other:?}: expected none or capped");
            return Err(Problem::new(Code::InvalidQuery, detail));
        }
    };
    let (search, store) = (search(&caller, &params)?, service.lists().await?);
    let found = inspect::list(store, &search).await?;
    let mut body = ListBody::<RunBrief>::new(&found);
    if counted {
        let count = inspect::count(store, &search).await?;
        (body.count, body.count_capped) = (Some(count.total()), Some(count.capped));
    }
    Ok(page(body, found.next.as_deref(), &uri))
}

/// The tasks of the runs that a filter finds, those of the newest run first
#[utoipa::path(
    get, path = "/tasks", tag = "lists",
    params(
        ("q" = Option<String>, Query, description = "the filter of the runs"),
        ("name" = Option<String>, Query, description = "only tasks of these names, divided by commas"),
        ("status" = Option<String>, Query, description = "only tasks of these statuses, divided by commas"),
        ("cursor" = Option<String>, Query, description = "where to go on: the `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
        ("namespace" = Option<String>, Query, description = "whose runs; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the tasks", body = ListBody<TaskRowBody>),
        (
            status = 400, description = "`invalid_query`, `invalid_filter`, `cursor_mismatch`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn tasks(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let wrong = |what: String| Problem::new(Code::InvalidQuery, what);
    let mut search = search(&caller, &params)?;
    if let Some(names) = params.text("name") {
        let names: Result<Vec<TaskName>, _> = names.split(',').map(TaskName::new).collect();
        search = search.tasks(names.map_err(|error| wrong(error.to_string()))?);
    }
    if let Some(words) = params.text("status") {
        let statuses: Result<Vec<TaskStatus>, Problem> = words.split(',').map(task_status).collect();
        search = search.task_statuses(statuses?);
    }
    let found = inspect::tasks(service.lists().await?, &search).await?;
    Ok(page(ListBody::<TaskRowBody>::new(&found), found.next.as_deref(), &uri))
}

fn task_status(word: &str) -> Result<TaskStatus, Problem> {
    let all = [
        TaskStatus::Queued,
        TaskStatus::Running,
        TaskStatus::Succeeded,
        TaskStatus::Failed,
        TaskStatus::Cancelled,
        TaskStatus::TimedOut,
        TaskStatus::Skipped,
        TaskStatus::Reused,
    ];
    let found = all.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(word));
    found.ok_or_else(|| {
        let words = all.map(TaskStatus::as_str).join(", ");
        Problem::new(Code::InvalidQuery, format!("{word:?} is no task's status: expected some of {words}"))
    })
}

/// Runs that failed or timed out, by their cause.
#[derive(Serialize, ToSchema)]
#[schema(as = Failures)]
pub(super) struct FailuresBody {
    /// The groups, the most frequent first; at most 200.
    data: Vec<GroupBody>,
    /// Whether there are more failures, or groups: the newest 50,000 were read.
    capped: bool,
}

/// Runs that failed or timed out, by their cause, the most frequent first
#[utoipa::path(
    get, path = "/failures", tag = "lists",
    params(
        ("q" = Option<String>, Query, description = "the filter; the last 24 hours unless told"),
        ("namespace" = Option<String>, Query, description = "whose runs; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the groups", body = FailuresBody),
        (
            status = 400, description = "`invalid_query`, `invalid_filter`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn failures(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<FailuresBody> {
    let search = search(&caller, &params)?;
    let found = inspect::failures(service.lists().await?, &search).await?;
    let data = found.groups.iter().map(GroupBody::from).collect();
    Ok(Json(FailuresBody { data, capped: found.capped }))
}

/// How many runs there are, by status, up to 10,000
#[utoipa::path(
    get, path = "/stats", tag = "lists",
    params(
        ("q" = Option<String>, Query, description = "the filter; the last 24 hours unless told"),
        ("namespace" = Option<String>, Query, description = "whose runs; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the counts", body = StatsBody),
        (
            status = 400, description = "`invalid_query`, `invalid_filter`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stats(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<StatsBody> {
    let search = search(&caller, &params)?;
    Ok(Json(StatsBody::from(&inspect::count(service.lists().await?, &search).await?)))
}
