//! What users gave and got, byte for byte.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::{runs, tasks};
use crate::http::body::ProblemBody;
use crate::http::extract::{Named, TheRun};
use crate::http::part::{Part, Wanted};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::Payload;

/// A run's input, byte for byte
#[utoipa::path(
    get, path = "/runs/{id}/input", tag = "payloads",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("Range" = Option<String>, Header, description = "which bytes: `bytes=0-99`, `bytes=100-`, `bytes=-100`"),
    ),
    responses(
        (status = 200, description = "the input, as it was given", body = serde_json::Value),
        (status = 206, description = "the bytes that `Range` asks for", body = String, content_type = "application/json"),
        (status = 304, description = "it is what `If-None-Match` names"),
        (
            status = 416, description = "`range_not_satisfiable`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn input(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let run = runs::view_of(&service, &row).await?;
    raw(&run.input, &format!("{}-input.json", row.run), &wanted)
}

/// A run's output, byte for byte
#[utoipa::path(
    get, path = "/runs/{id}/output", tag = "payloads",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("Range" = Option<String>, Header, description = "which bytes: `bytes=0-99`, `bytes=100-`, `bytes=-100`"),
    ),
    responses(
        (status = 200, description = "the output, as the code gave it", body = serde_json::Value),
        (status = 206, description = "the bytes that `Range` asks for", body = String, content_type = "application/json"),
        (status = 304, description = "it is what `If-None-Match` names"),
        (
            status = 416, description = "`range_not_satisfiable`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 404, description = "`run_not_found`, `payload_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn output(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let run = runs::view_of(&service, &row).await?;
    let none = || {
        let detail = format!("run {} has no output: it is {}", row.run, run.status);
        Problem::new(Code::PayloadNotFound, detail).fact("run_status", run.status.as_str())
    };
    let output = run.output.as_ref().ok_or_else(none)?;
    raw(output, &format!("{}-output.json", row.run), &wanted)
}

/// A task's output, byte for byte
#[utoipa::path(
    get, path = "/runs/{id}/tasks/{name}/output", tag = "payloads",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("name" = String, Path, description = "the task's name"),
        ("Range" = Option<String>, Header, description = "which bytes: `bytes=0-99`, `bytes=100-`, `bytes=-100`"),
    ),
    responses(
        (status = 200, description = "the output, as the code gave it", body = serde_json::Value),
        (status = 206, description = "the bytes that `Range` asks for", body = String, content_type = "application/json"),
        (status = 304, description = "it is what `If-None-Match` names"),
        (
            status = 416, description = "`range_not_satisfiable`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
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
    wanted: Wanted,
) -> Result<Response, Problem> {
    let task = tasks::find(&service, &row, &name).await?;
    let none = || {
        let detail = format!("task {name:?} has no output: it is {}", task.status);
        Problem::new(Code::PayloadNotFound, detail)
    };
    let output = task.output.as_ref().ok_or_else(none)?;
    raw(output, &format!("{}-task-output.json", row.run), &wanted)
}

/// Answers with a payload as a file, or the part of it that is wanted: a browser never shows it as a page.
fn raw(payload: &Payload, file: &str, wanted: &Wanted) -> Result<Response, Problem> {
    let bytes = payload.text().as_bytes();
    let digest = Sha256::digest(bytes);
    let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let mut pairs = vec![
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let (status, body) = match wanted.of(&tag, bytes.len()) {
        Part::None => (StatusCode::NOT_MODIFIED, Body::empty()),
        Part::Whole => (StatusCode::OK, Body::from(bytes.to_vec())),
        Part::Bytes(first, last) => {
            pairs.push((header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", bytes.len())));
            let part = bytes.get(first..=last).unwrap_or_default();
            (StatusCode::PARTIAL_CONTENT, Body::from(part.to_vec()))
        }
        Part::Outside => {
            let detail = format!("it has {} bytes, and none of those that are asked for", bytes.len());
            return Err(Problem::new(Code::RangeNotSatisfiable, detail).fact("bytes", bytes.len()));
        }
    };
    pairs.push((header::ETAG, tag));
    let mut response = (status, body).into_response();
    for (name, value) in pairs {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
