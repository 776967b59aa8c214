//! What is done to schedules that are there.

use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::ScheduleBody;
use super::{NewSchedule, lists};
use crate::http::access::{Action, Caller};
use crate::http::audit::Facts;
use crate::http::body::{ProblemBody, RunBody, Sight};
use crate::http::extract::{Json, Named, Params};
use crate::http::problem::{Code, Problem};
use crate::http::routes::{Answer, runs};
use crate::http::service::Service;
use crate::model::Timestamp;
use crate::runtime::Schedules;

/// There is nothing to say.
#[derive(Deserialize, ToSchema)]
pub(in crate::http::routes) struct Nothing {}

/// Where a one-off schedule is moved to.
#[derive(Deserialize, ToSchema)]
pub(in crate::http::routes) struct MoveSchedule {
    /// When it is due from here on.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// The schedules that the request is about.
pub(crate) fn theirs<'a>(
    service: &'a Service,
    caller: &Caller,
    params: &Params,
) -> Result<Schedules<'a>, Problem> {
    Ok(service.runtime.schedules().namespace(lists::namespace(caller, params)?.as_str())?)
}

/// What most of them answer: the schedule as it is by then.
async fn as_it_stands(schedules: &Schedules<'_>, caller: &Caller, name: &str) -> Answer<ScheduleBody> {
    let row = schedules.get(name).await?.ok_or_else(|| nobodys(name))?;
    Ok(JsonBody(ScheduleBody::new(&row, Sight::of(caller))))
}

fn nobodys(name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    Problem::new(Code::ScheduleNotFound, format!("there is no schedule {name:?}")).fact("name", name)
}

/// A schedule
#[utoipa::path(
    get, path = "/schedules/{name}", tag = "schedules",
    params(
        ("name" = String, Path, description = "the schedule's name"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the schedule", body = ScheduleBody),
        (
            status = 404, description = "`schedule_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(in crate::http::routes) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
) -> Answer<ScheduleBody> {
    as_it_stands(&theirs(&service, &caller, &params)?, &caller, &name).await
}

/// Deletes a schedule; its runs stay
#[utoipa::path(
    delete, path = "/schedules/{name}", tag = "schedules",
    params(
        ("name" = String, Path, description = "the schedule's name"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 204, description = "it is gone"),
        (
            status = 404, description = "`schedule_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(in crate::http::routes) async fn delete(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
) -> Result<StatusCode, Problem> {
    match theirs(&service, &caller, &params)?.delete(&[&name]).await? {
        0 => Err(nobodys(&name)),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Pauses a schedule: what falls due from now on is left out
#[utoipa::path(
    post, path = "/schedules/{name}/pause", tag = "schedules", request_body = Nothing,
    params(
        ("name" = String, Path, description = "the schedule's name"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the schedule as it is now", body = ScheduleBody),
        (
            status = 404, description = "`schedule_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(in crate::http::routes) async fn pause(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<ScheduleBody> {
    let schedules = theirs(&service, &caller, &params)?;
    schedules.pause(&[&name], &caller.who).await?;
    as_it_stands(&schedules, &caller, &name).await
}

/// Lets a paused schedule go on, from its next occurrence after now
#[utoipa::path(
    post, path = "/schedules/{name}/resume", tag = "schedules", request_body = Nothing,
    params(
        ("name" = String, Path, description = "the schedule's name"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the schedule as it is now", body = ScheduleBody),
        (
            status = 404, description = "`schedule_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(in crate::http::routes) async fn resume(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<ScheduleBody> {
    let schedules = theirs(&service, &caller, &params)?;
    schedules.resume(&[&name]).await?;
    as_it_stands(&schedules, &caller, &name).await
}

/// Moves a one-off schedule; one that ended is due again
#[utoipa::path(
    post, path = "/schedules/{name}/move", tag = "schedules", request_body = MoveSchedule,
    params(
        ("name" = String, Path, description = "the schedule's name"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the schedule as it is now", body = ScheduleBody),
        (
            status = 404, description = "`schedule_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`: it has a cron expression", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(in crate::http::routes) async fn move_to(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
    Json(MoveSchedule { at }): Json<MoveSchedule>,
) -> Answer<ScheduleBody> {
    let schedules = theirs(&service, &caller, &params)?;
    schedules.move_to(&[&name], at).await?;
    as_it_stands(&schedules, &caller, &name).await
}

/// Starts a run of a schedule out of turn, paused or not; the next occurrence comes as if nothing had happened
#[utoipa::path(
    post, path = "/schedules/{name}/trigger", tag = "schedules", request_body = Nothing,
    params(
        ("name" = String, Path, description = "the schedule's name"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 201, description = "the new run", body = RunBody),
        (
            status = 404, description = "`schedule_not_found`, `workflow_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(in crate::http::routes) async fn trigger(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
    Json(Nothing {}): Json<Nothing>,
) -> Result<Response, Problem> {
    let run = theirs(&service, &caller, &params)?.trigger(&name, Some(&caller.who)).await?;
    let body = RunBody::new(&runs::view(&service, run.id()).await?, Sight::of(&caller));
    let mut response = (StatusCode::CREATED, JsonBody(body)).into_response();
    response.extensions_mut().insert(Facts { runs: vec![run.id()], reason: None });
    Ok(response)
}

/// One thing done to many schedules: at most 1,000.
#[derive(Deserialize, ToSchema)]
pub(in crate::http::routes) struct BulkSchedules {
    /// What: `create`, `pause`, `resume`, `move` or `delete`.
    action: Deed,
    /// To which; but for `create`.
    #[serde(default)]
    names: Vec<String>,
    /// Those to make, for `create`; those whose name is taken are left as they are.
    #[serde(default)]
    schedules: Vec<NewSchedule>,
    /// Where they are moved to, for `move`.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// What is done to many schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ScheduleDeed)]
enum Deed {
    /// They are made.
    Create,
    /// They are paused.
    Pause,
    /// They go on.
    Resume,
    /// They are due at another time.
    Move,
    /// They are deleted.
    Delete,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(in crate::http::routes) struct BulkSchedulesDone {
    /// How many schedules it was done to; of `create` and `delete` those that were new, or there.
    done: usize,
}

/// Does one thing to many schedules, to all of them or none
#[utoipa::path(
    post, path = "/bulk/schedules", tag = "schedules", request_body = BulkSchedules,
    params(("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own")),
    responses(
        (status = 200, description = "how many it was done to", body = BulkSchedulesDone),
        (
            status = 404, description = "`schedule_not_found`: nothing was changed", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(in crate::http::routes) async fn bulk(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
    Json(bulk): Json<BulkSchedules>,
) -> Answer<BulkSchedulesDone> {
    caller.require(Action::Bulk)?;
    let schedules = theirs(&service, &caller, &params)?;
    let mut names: Vec<&str> = bulk.names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if (bulk.action == Deed::Create) == bulk.schedules.is_empty() {
        return Err(Problem::at("/schedules", "they go with create, and only with that"));
    }
    let done = match bulk.action {
        Deed::Create => {
            let namespace = lists::namespace(&caller, &params)?;
            let wanted = bulk.schedules.into_iter().map(|new| new.wanted(&service, &caller));
            let wanted = wanted.map(|new| new.map(|new| new.namespace(namespace.as_str())));
            let made = schedules.create_many(wanted.collect::<Result<_, _>>()?).await?;
            made.into_iter().filter(|made| *made).count()
        }
        Deed::Pause => schedules.pause(&names, &caller.who).await.map(|()| names.len())?,
        Deed::Resume => schedules.resume(&names).await.map(|()| names.len())?,
        Deed::Move => {
            let at = bulk.at.ok_or_else(|| Problem::at("/at", "move needs it"))?;
            schedules.move_to(&names, at).await.map(|()| names.len())?
        }
        Deed::Delete => schedules.delete(&names).await?,
    };
    Ok(JsonBody(BulkSchedulesDone { done }))
}
