//! The workflows that can be started.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use super::pauses::PauseBody;
use crate::http::access::Caller;
use crate::http::body::{Page, ProblemBody, Time, millis};
use crate::http::extract::Params;
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::WorkflowName;
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::plan::Role;
use crate::store::{KnownWorkflow, Pause};

/// One version of a workflow that some node served once.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(super) struct WorkflowBody {
    /// Its name.
    name: String,
    /// Its version.
    version: String,
    /// How many living nodes serve it.
    nodes: u32,
    /// When a node served this shape first.
    registered_at: Time,
    /// How long a run may take from its start, unless it is started with another timeout.
    timeout_ms: Option<u64>,
    /// How long a run may wait for its start, unless it is started with another timeout.
    start_timeout_ms: Option<u64>,
    /// Where it is paused, all its versions, as far as the caller may know: no run of it starts there.
    paused: Vec<PauseBody>,
    /// Its tasks, in the plan's order.
    tasks: Vec<PlannedTaskBody>,
}

/// A task of a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = PlannedTask)]
struct PlannedTaskBody {
    /// Its name.
    name: String,
    /// The tasks it waits for.
    after: Vec<String>,
    /// Whether it runs only when another task failed for good.
    on_failure: bool,
}

/// The workflows that are or were served: by name, what living nodes serve first, the newest first
///
/// A start by name goes to the first version listed here, where the serving process does not have the code itself.
#[utoipa::path(
    get, path = "/workflows", tag = "workflows",
    params(
        ("name" = Option<String>, Query, description = "only this workflow's versions"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the workflows", body = Page<WorkflowBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<Page<WorkflowBody>> {
    let refused = |error: crate::model::ids::NameError| Problem::new(Code::InvalidQuery, error.to_string());
    let name = params.text("name").map(WorkflowName::new).transpose().map_err(refused)?;
    let store = service.lists().await?;
    let known = store.workflows(name.as_ref(), params.limit()?).await?;
    let pauses = store.pauses(caller.namespace.as_ref(), PAGE_ROWS_MAX).await?;
    Ok(Json(Page { data: known.iter().map(|known| WorkflowBody::new(known, &pauses)).collect(), next: None }))
}

impl WorkflowBody {
    fn new(known: &KnownWorkflow, pauses: &[Pause]) -> WorkflowBody {
        let paused = pauses.iter().filter(|pause| pause.workflow == known.workflow);
        let name = |place: &u16| known.plan.tasks.get(usize::from(*place)).map(|task| task.name.to_string());
        let tasks = known.plan.tasks.iter().map(|task| PlannedTaskBody {
            name: task.name.to_string(),
            after: task.after.iter().filter_map(name).collect(),
            on_failure: task.role == Role::OnFailure,
        });
        WorkflowBody {
            name: known.workflow.to_string(),
            version: known.version.to_string(),
            nodes: known.nodes,
            registered_at: known.registered_at.into(),
            timeout_ms: known.timeout.map(millis),
            start_timeout_ms: known.start_timeout.map(millis),
            paused: paused.map(PauseBody::from).collect(),
            tasks: tasks.collect(),
        }
    }
}
