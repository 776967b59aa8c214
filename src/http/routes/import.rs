//! Exported runs, taken in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::audit::Facts;
use crate::http::body::ProblemBody;
use crate::http::extract::{Exports, Unbound};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::inspect::{Exported, ImportError, read_export, split_exports};
use crate::model::RunId;
use crate::model::limits::IMPORT_RUNS_MAX;
use crate::runtime::Error;
use crate::store::StoreError;

/// What became of exported runs.
#[derive(Serialize, ToSchema)]
#[schema(as = Imported)]
struct ImportedBody {
    /// One for each, in their order.
    data: Vec<ImportedRun>,
}

/// What became of one of them.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedRun)]
struct ImportedRun {
    /// The run.
    run: String,
    /// Its namespace.
    namespace: String,
    /// Its workflow.
    workflow: String,
    /// How it ended.
    status: &'static str,
    /// Whether it was put into the archive; false = it was here already.
    imported: bool,
    /// Whether values were hidden where it was exported: such a run is replayed only with an input that is written out.
    redacted: bool,
}

/// Puts exported runs into the archive: what `GET /runs/{id}/export` answered, one after another
///
/// All of them are read before the first is written, and nothing is when one of them is refused. Sent again, it imports
/// what is not here yet. Only for callers that are bound to no namespace: a run keeps its own.
#[utoipa::path(
    post, path = "/import", tag = "retention",
    request_body(content = String, content_type = "application/jsonl", description = "the lines, at most 64 MiB"),
    responses(
        (status = 200, description = "what became of each; at least one was imported", body = ImportedBody),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 409, description = "`run_exists`: all of them are here already", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 413, description = "`body_too_large`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`invalid_export`, `newer_export`, `live_export`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 503, description = "`too_many_imports`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn import(
    State(service): State<Arc<Service>>,
    _: Unbound,
    Exports(text): Exports,
) -> Result<Response, Problem> {
    // Reading and folding take the time that they take: others are answered meanwhile.
    let read = tokio::task::spawn_blocking(move || read_all(&text)).await;
    let exports = read.map_err(|error| Problem::new(Code::Internal, error.to_string()))??;
    let (mut data, mut runs) = (Vec::new(), Vec::new());
    let mut failed = None;
    for exported in &exports {
        match service.runtime.import_read(exported).await {
            Ok(run) => {
                runs.push(run);
                data.push(imported(exported, true));
            }
            Err(Error::Import(ImportError::Exists { .. })) => data.push(imported(exported, false)),
            Err(error) => {
                failed = Some(refused(exported, error));
                break;
            }
        }
    }
    let ids: Vec<String> = runs.iter().map(RunId::to_string).collect();
    let mut response = match (failed, exports.first()) {
        (Some(problem), _) => problem.fact("imported", ids).into_response(),
        (None, Some(first)) if runs.is_empty() => {
            Problem::from(ImportError::Exists { run: first.state.id }).into_response()
        }
        (None, _) => Json(ImportedBody { data }).into_response(),
    };
    if runs.is_empty() {
        runs.extend(exports.first().map(|exported| exported.state.id));
    }
    response.extensions_mut().insert(Facts { runs, reason: None });
    Ok(response)
}

/// Reads all of them; says which cannot be.
fn read_all(text: &str) -> Result<Vec<Exported>, Problem> {
    let parts = split_exports(text);
    if parts.len() > IMPORT_RUNS_MAX {
        let detail = format!("{} runs are too many: at most {IMPORT_RUNS_MAX} at once", parts.len());
        return Err(Problem::new(Code::InvalidExport, detail));
    }
    let read = |(number, part): (usize, &str)| {
        let exported = read_export(part).and_then(|exported| exported.require_ended().map(|()| exported));
        exported.map_err(|error| Problem::from(error).fact("export", number))
    };
    (1..).zip(parts).map(read).collect()
}

fn imported(exported: &Exported, imported: bool) -> ImportedRun {
    let (state, origin) = (&exported.state, &exported.state.origin);
    ImportedRun {
        run: state.id.to_string(),
        namespace: origin.namespace.to_string(),
        workflow: origin.workflow.to_string(),
        status: state.status.as_str(),
        imported,
        redacted: exported.redacted,
    }
}

/// Says why one that could be read cannot be written.
fn refused(exported: &Exported, error: Error) -> Problem {
    match error {
        // Its texts are the sender's: what the database cannot keep was never exported.
        Error::Store(StoreError::Refused { message }) => {
            let detail = format!("run {}: the database refuses a value of it: {message}", exported.state.id);
            Problem::new(Code::InvalidExport, detail)
        }
        error => error.into(),
    }
}
