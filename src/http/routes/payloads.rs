//! What users gave and got, byte for byte.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::{runs, tasks};
use crate::http::body::ProblemBody;
use crate::http::extract::{Named, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::Payload;

/// A run's input, byte for byte
#[utoipa::path(
    get, path = "/runs/{id}/input", tag = "payloads",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "the input, as it was given", body = serde_json::Value),
        (status = 304, description = "it is what `If-None-Match` names"),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn input(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = runs::view(&service, row.run).await?;
    Ok(raw(&run.input, &format!("{}-input.json", row.run), &headers))
}

/// A run's output, byte for byte
#[utoipa::path(
    get, path = "/runs/{id}/output", tag = "payloads",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "the output, as the code gave it", body = serde_json::Value),
        (status = 304, description = "it is what `If-None-Match` names"),
        (
            status = 404, description = "`run_not_found`, `payload_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn output(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = runs::view(&service, row.run).await?;
    let none = || {
        let detail = format!("run {} has no output: it is {}", row.run, run.status);
        Problem::new(Code::PayloadNotFound, detail).fact("run_status", run.status.as_str())
    };
    let output = run.output.as_ref().ok_or_else(none)?;
    Ok(raw(output, &format!("{}-output.json", row.run), &headers))
}

/// A task's output, byte for byte
#[utoipa::path(
    get, path = "/runs/{id}/tasks/{name}/output", tag = "payloads",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("name" = String, Path, description = "the task's name"),
    ),
    responses(
        (status = 200, description = "the output, as the code gave it", body = serde_json::Value),
        (status = 304, description = "it is what `If-None-Match` names"),
        (
            status = 404, description = "`run_not_found`, `task_not_found`, `payload_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn task_output(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    Named(name): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let task = tasks::find(&service, &row, &name).await?;
    let none = || {
        let detail = format!("task {name:?} has no output: it is {}", task.status);
        Problem::new(Code::PayloadNotFound, detail)
    };
    let output = task.output.as_ref().ok_or_else(none)?;
    Ok(raw(output, &format!("{}-task-output.json", row.run), &headers))
}

/// Answers with a payload as a file: a browser never shows it as a page.
fn raw(payload: &Payload, file: &str, headers: &HeaderMap) -> Response {
    let digest = Sha256::digest(payload.text());
    let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let unchanged =
        known.is_some_and(|known| known.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == tag));
    let body = if unchanged { Body::empty() } else { Body::from(payload.text().to_owned()) };
    let mut response = body.into_response();
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let pairs = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    for (name, value) in pairs {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
