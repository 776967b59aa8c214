//! Replaying a run.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::runs;
use crate::http::access::{Action, Caller};
use crate::http::audit::Facts;
use crate::http::body::{PlanBody, ProblemBody, RunBody, Sight};
use crate::http::extract::{Json, TheRun};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::model::{Payload, RunId};
use crate::runtime::{Error, NotReplayable, ReplayOptions};

/// How a run is replayed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Replay {
    /// From where it runs anew; `failed` unless told.
    pub(crate) from: Option<From>,
    /// Runs this task and what comes after it again, and whatever else did not succeed; instead of `from`.
    pub(crate) task: Option<String>,
    /// Another input; then nothing is taken over, unless it is the original's byte for byte. It asks for the action
    /// `replay_with_input`, too.
    #[schema(value_type = Option<serde_json::Value>)]
    pub(crate) input: Option<Box<RawValue>>,
    /// Replays even a run that was cancelled.
    #[serde(default)]
    pub(crate) force: bool,
    /// Why.
    pub(crate) reason: Option<String>,
    /// The version of the code; the newest that is served unless told.
    pub(crate) version: Option<String>,
    /// Only says what it would do.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// From where a replay runs anew.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReplayFrom)]
pub(crate) enum From {
    /// What did not succeed runs again.
    Failed,
    /// Everything runs again.
    Start,
}

/// A replay.
#[derive(Serialize, ToSchema)]
#[schema(as = Replayed)]
pub(super) struct ReplayedBody {
    /// The new run; null when it is only said what would be done.
    run: Option<RunBody>,
    /// What it takes over, and what it does not.
    plan: PlanBody,
}

/// Replays a run that ended: a new run, linked both ways, that takes over what succeeded
#[utoipa::path(
    post, path = "/runs/{id}/replay", tag = "runs", request_body = Replay,
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "what it would do, with `dry_run`", body = ReplayedBody),
        (status = 202, description = "the new run; `Location` is its address", body = ReplayedBody),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 404, description = "`run_not_found`, `workflow_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 409, description = "`run_not_replayable`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn replay(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    Json(replay): Json<Replay>,
) -> Result<Response, Problem> {
    let (dry_run, reason) = (replay.dry_run, replay.reason.clone());
    let options = replay.options(&service, row.run, &caller).await?;
    if dry_run {
        let plan = service.runtime.plan_replay(row.run, options).await.map_err(refused)?;
        let body = ReplayedBody { run: None, plan: PlanBody::from(&plan) };
        return Ok((StatusCode::OK, axum::Json(body)).into_response());
    }
    let replayed = service.runtime.replay(row.run, options).await.map_err(refused)?;
    let new = replayed.run.id();
    let run = RunBody::new(&runs::view(&service, new).await?, Sight::of(&caller));
    let body = ReplayedBody { run: Some(run), plan: PlanBody::from(&replayed.plan) };
    let mut response = super::accepted(body);
    if let Ok(place) = HeaderValue::from_str(&format!("../{new}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response.extensions_mut().insert(Facts { runs: Vec::new(), reason });
    Ok(response)
}

impl Replay {
    /// Says it as the runtime takes it, in the caller's name.
    pub(crate) async fn options(
        self,
        service: &Service,
        run: RunId,
        caller: &Caller,
    ) -> Result<ReplayOptions, Problem> {
        let mut options = ReplayOptions::default().by(&*caller.who);
        options = match (self.from, self.task) {
            (None | Some(From::Failed), None) => options,
            (Some(From::Start), None) => options.from_start(),
            (None, Some(task)) => options.from_task(task),
            (Some(_), Some(_)) => return Err(Problem::at("/task", "give either from or task")),
        };
        if let Some(input) = self.input {
            caller.require(Action::ReplayWithInput)?;
            let input = String::from(Box::<str>::from(input));
            // Refused here, it is pointed at.
            Payload::parse(input.clone()).map_err(crate::http::problem::paid("/input"))?;
            options = options.input_json(service.whole_input(run, input).await?);
        }
        if self.force {
            options = options.force();
        }
        if let Some(reason) = self.reason {
            options = options.reason(reason);
        }
        Ok(self.version.into_iter().fold(options, ReplayOptions::version))
    }
}

pub(crate) fn refused(error: Error) -> Problem {
    match error {
        Error::NotReplayable { why: why @ NotReplayable::UnknownTask { .. }, .. } => {
            Problem::at("/task", why.to_string())
        }
        Error::Name(error) => Problem::at("", error.to_string()),
        error => error.into(),
    }
}
