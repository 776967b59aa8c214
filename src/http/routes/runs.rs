//! Reading one run.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{ProblemBody, RunBody, Sight};
use crate::http::extract::TheRun;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::inspect::{self, Dossier, RunView};
use crate::model::RunId;
use crate::store::RunRow;

/// Everything about a run at once
#[utoipa::path(
    get, path = "/runs/{id}", tag = "runs",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "the run", body = RunBody),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
) -> Answer<RunBody> {
    Ok(Json(RunBody::new(&view_of(&service, &row).await?, Sight::of(&caller))))
}

/// Opens a run whose row was read.
pub(crate) async fn open(service: &Service, row: RunRow) -> Result<Dossier<'_>, Problem> {
    let run = row.run;
    let dossier = Dossier::of(service.details().await?, row).await?;
    dossier.ok_or_else(|| Problem::no_run(&run.to_string()))
}

/// Tells everything about a run whose row was read.
pub(crate) async fn view_of(service: &Service, row: &RunRow) -> Result<RunView, Problem> {
    Ok(open(service, row.clone()).await?.view().await?)
}

/// Returns how many events the log of a run has whose row was read.
pub(crate) async fn events_of(service: &Service, row: &RunRow) -> Result<u32, Problem> {
    let dossier = open(service, row.clone()).await?;
    Ok(dossier.log()?.last().map_or(0, |last| last.seq))
}

/// Reads everything about a run that is there.
pub(crate) async fn view(service: &Service, run: RunId) -> Result<RunView, Problem> {
    let view = inspect::get(service.details().await?, run).await?;
    view.ok_or_else(|| Problem::no_run(&run.to_string()))
}
