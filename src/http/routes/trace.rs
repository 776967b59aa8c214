//! A run as spans.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::http::body::{Page, ProblemBody, SpanBody};
use crate::http::extract::{Params, TheRun};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::inspect;

/// A run's trace, in the order of the spans' ends, page by page
///
/// They are the spans that an OpenTelemetry backend is sent, folded from the log anew. Of a run that lives, those that have
/// ended. `next` is what to ask `after`; a page may be a little longer than its limit.
#[utoipa::path(
    get, path = "/runs/{id}/trace", tag = "explain",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("after" = Option<u32>, Query, description = "only spans that events after this seq end; 0 unless told"),
        ("limit" = Option<u32>, Query, description = "spans of a page, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the spans", body = Page<SpanBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn spans(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    params: Params,
) -> Answer<Page<SpanBody>> {
    let (after, limit) = (params.number("after", 0..=u32::MAX, 0)?, params.limit()?);
    let found = inspect::spans(service.details().await?, row.run, after, limit as usize).await?;
    let found = found.ok_or_else(|| Problem::no_run(&row.run.to_string()))?;
    let data = found.spans.into_iter().map(SpanBody::from).collect();
    Ok(Json(Page { data, next: found.next.map(|next| next.to_string()) }))
}
