//! Reading a run's tasks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::{Answer, runs};
use crate::http::access::Caller;
use crate::http::body::{AttemptBody, Page, ProblemBody, Sight, TaskBody, TaskBrief};
use crate::http::extract::{Named, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::inspect::TaskView;
use crate::store::RunRow;

/// A run's tasks, in the plan's order; none before it started
#[utoipa::path(
    get, path = "/runs/{id}/tasks", tag = "tasks",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "the tasks", body = Page<TaskBrief>),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
) -> Answer<Page<TaskBrief>> {
    let run = runs::view_of(&service, &row).await?;
    Ok(Json(Page { data: run.tasks.iter().map(TaskBrief::from).collect(), next: None }))
}

/// Everything about a task: inputs, output, attempts, steps
#[utoipa::path(
    get, path = "/runs/{id}/tasks/{name}", tag = "tasks",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("name" = String, Path, description = "the task's name"),
    ),
    responses(
        (status = 200, description = "the task", body = TaskBody),
        (
            status = 404, description = "`run_not_found`, `task_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    Named(name): Named,
) -> Answer<TaskBody> {
    let task = find(&service, &row, &name).await?;
    Ok(Json(TaskBody::new(&task, Sight::of(&caller))))
}

/// A task's attempts, the first one first
#[utoipa::path(
    get, path = "/runs/{id}/tasks/{name}/attempts", tag = "tasks",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("name" = String, Path, description = "the task's name"),
    ),
    responses(
        (status = 200, description = "the attempts", body = Page<AttemptBody>),
        (
            status = 404, description = "`run_not_found`, `task_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn attempts(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    Named(name): Named,
) -> Answer<Page<AttemptBody>> {
    let task = find(&service, &row, &name).await?;
    Ok(Json(Page { data: task.attempts.iter().map(AttemptBody::from).collect(), next: None }))
}

/// Reads one task of a run.
pub(crate) async fn find(service: &Service, row: &RunRow, name: &str) -> Result<TaskView, Problem> {
    let run = runs::view_of(service, row).await?;
    let found = run.tasks.into_iter().find(|task| task.name == *name);
    let name: String = name.chars().take(64).collect();
    found.ok_or_else(|| {
        let detail = match row.started_at {
            Some(_) => format!("run {} has no task {name:?}", row.run),
            None => format!("run {} has no task {name:?}: it has not started", row.run),
        };
        Problem::new(Code::TaskNotFound, detail)
    })
}
