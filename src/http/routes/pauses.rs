//! Workflows of which no run may start.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::Caller;
use crate::http::audit::Facts;
use crate::http::body::{ProblemBody, Time};
use crate::http::extract::{Json, Named};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::runtime::PauseOptions;
use crate::store::Pause;

/// A pause of a workflow in a namespace.
#[derive(Serialize, ToSchema)]
#[schema(as = Pause)]
pub(super) struct PauseBody {
    /// In which namespace.
    namespace: String,
    /// Since when.
    since: Time,
    /// Who paused it.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
}

impl From<&Pause> for PauseBody {
    fn from(pause: &Pause) -> PauseBody {
        PauseBody {
            namespace: pause.namespace.to_string(),
            since: pause.since.into(),
            by: pause.by.clone(),
            reason: pause.reason.clone(),
        }
    }
}

/// How a workflow is paused.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPause {
    /// In which namespace; the caller's own, or `default`, unless told.
    namespace: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// Where a workflow is resumed.
#[derive(Deserialize, ToSchema)]
pub(super) struct Resume {
    /// In which namespace; the caller's own, or `default`, unless told.
    namespace: Option<String>,
}

/// What pausing or resuming came to.
#[derive(Serialize, ToSchema)]
pub(super) struct Paused {
    /// The workflow.
    workflow: String,
    /// The namespace.
    namespace: String,
    /// Whether it is paused now.
    paused: bool,
    /// Whether this request changed that.
    changed: bool,
}

/// Pauses a workflow in a namespace
///
/// Runs that have started go on. Others wait, new ones too, until it is resumed; their `start_timeout` goes on counting. A
/// pause that is there already stays as it is.
#[utoipa::path(
    post, path = "/workflows/{name}/pause", tag = "workflows", request_body = NewPause,
    params(("name" = String, Path, description = "the workflow's name")),
    responses(
        (status = 200, description = "it is paused", body = Paused),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 404, description = "`workflow_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn pause(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(workflow): Named,
    Json(new): Json<NewPause>,
) -> Result<Response, Problem> {
    let namespace = namespace(&caller, new.namespace)?;
    let options = PauseOptions::default().namespace(&namespace).by(&*caller.who);
    let options = new.reason.iter().fold(options, |options, reason| options.reason(reason));
    let changed = service.runtime.pause(&workflow, options).await?;
    let mut response = JsonBody(Paused { workflow, namespace, paused: true, changed }).into_response();
    response.extensions_mut().insert(Facts { runs: Vec::new(), reason: new.reason });
    Ok(response)
}

/// Resumes a workflow in a namespace
///
/// Its runs start, in the order in which they would have. One that is not paused stays as it is.
#[utoipa::path(
    post, path = "/workflows/{name}/resume", tag = "workflows", request_body = Resume,
    params(("name" = String, Path, description = "the workflow's name")),
    responses(
        (status = 200, description = "it is not paused", body = Paused),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn resume(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(workflow): Named,
    Json(resume): Json<Resume>,
) -> Result<JsonBody<Paused>, Problem> {
    let namespace = namespace(&caller, resume.namespace)?;
    let changed = service.runtime.resume(&workflow, Some(&namespace)).await?;
    Ok(JsonBody(Paused { workflow, namespace, paused: false, changed }))
}

/// Returns the namespace that is meant, if the caller may mean it.
pub(crate) fn namespace(caller: &Caller, said: Option<String>) -> Result<String, Problem> {
    let Some(said) = said else { return Ok(caller.namespace.clone().unwrap_or_default().to_string()) };
    caller.require_namespace(&said)?;
    Ok(said)
}
