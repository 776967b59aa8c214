//! The workflows that can be started.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::http::body::Page;
use crate::http::service::Service;

/// One version of a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(super) struct WorkflowBody {
    /// Its name.
    name: String,
    /// Its version.
    version: String,
}

/// The workflows, by name and version
#[utoipa::path(
    get, path = "/workflows", tag = "workflows",
    responses((status = 200, description = "the workflows", body = Page<WorkflowBody>))
)]
pub(super) async fn list(State(service): State<Arc<Service>>) -> Answer<Page<WorkflowBody>> {
    let served = service.runtime.workflows().into_iter();
    let data =
        served.map(|(name, version)| WorkflowBody { name: name.to_string(), version: version.to_string() });
    Ok(Json(Page { data: data.collect(), next: None }))
}
