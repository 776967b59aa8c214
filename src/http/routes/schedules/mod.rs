//! What starts runs by the clock.

mod body;
mod change;

#[cfg(feature = "dashboard")]
pub(crate) use self::change::theirs;
pub(super) use self::change::*;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use self::body::ScheduleBody;
use super::{Answer, json_text, lists};
use crate::http::access::Caller;
use crate::http::body::{Page, ProblemBody, Sight};
use crate::http::extract::{Json, Params};
use crate::http::problem::{Code, Problem, named};
use crate::http::service::Service;
use crate::model::ids::NameError;
use crate::model::schedule::MisfireError;
use crate::model::{ScheduleName, Timestamp, WorkflowName};
use crate::runtime::Schedule;
use crate::store::ScheduleQuery;

/// A schedule to be made: with `cron`, or with `at`.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewSchedule {
    /// Its name, unique in the namespace.
    name: String,
    /// Which workflow it starts; its newest version.
    workflow: String,
    /// What each run is given; null unless told.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    input: Option<Box<RawValue>>,
    /// When, again and again: `[second] minute hour day-of-month month day-of-week`.
    cron: Option<String>,
    /// On which wall clock `cron` is read, by a name of the tz database; UTC unless told.
    zone: Option<String>,
    /// When, once.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Tags of each run: at most 32 pairs, values of at most 1,024 bytes.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Of each run; higher goes first; 0 unless told.
    #[serde(default)]
    priority: i16,
    /// What becomes of occurrences that were missed because no node was there: `skip`, `once` or `all:N` with N up to 100.
    /// Unless told, `skip` with `cron` and `once` with `at`.
    misfire: Option<String>,
    /// Changes the schedule that has the name, instead of refusing.
    #[serde(default)]
    replace: bool,
}

impl NewSchedule {
    /// Reads what is wanted, for a caller.
    fn wanted(self, service: &Service, caller: &Caller) -> Result<Schedule, Problem> {
        let input = json_text(self.input);
        service.refuse_hidden("/input", &input)?;
        let name = ScheduleName::new(&self.name).map_err(named("/name"))?;
        let workflow = WorkflowName::new(&self.workflow).map_err(named("/workflow"))?;
        let schedule = match (self.cron, self.at) {
            (Some(cron), None) => Schedule::cron_by_name(name.as_str(), cron, workflow.as_str(), input),
            (None, Some(at)) => Schedule::at_by_name(name.as_str(), at, workflow.as_str(), input),
            (Some(_), Some(_)) => {
                return Err(Problem::at("/at", "cron says when already: leave one of them out"));
            }
            (None, None) => return Err(Problem::at("/cron", "it says not when: give cron, or at")),
        };
        let schedule = schedule.metadata(self.metadata).priority(self.priority).by(&*caller.who);
        let schedule = self.zone.into_iter().fold(schedule, Schedule::zone);
        let schedule =
            caller.namespace.iter().fold(schedule, |schedule, own| schedule.namespace(own.as_str()));
        let Some(misfire) = self.misfire else { return Ok(schedule) };
        let misfire =
            misfire.parse().map_err(|error: MisfireError| Problem::at("/misfire", error.to_string()))?;
        Ok(schedule.misfire(misfire))
    }
}

/// Makes a schedule, or changes one
///
/// When this answers, it is committed, and every node will see to it.
#[utoipa::path(
    post, path = "/schedules", tag = "schedules", request_body = NewSchedule,
    responses(
        (status = 201, description = "the new schedule", body = ScheduleBody),
        (status = 200, description = "with `replace`: the schedule as it is now", body = ScheduleBody),
        (
            status = 404, description = "`workflow_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 409, description = "`schedule_exists`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(new): Json<NewSchedule>,
) -> Result<Response, Problem> {
    let (replace, schedules) = (new.replace, service.runtime.schedules());
    let schedule = new.wanted(&service, &caller)?;
    let (row, is_new) = match replace {
        true => schedules.put(schedule).await?,
        false => (schedules.create(schedule).await?, true),
    };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, JsonBody(ScheduleBody::new(&row, Sight::of(&caller)))).into_response())
}

/// The schedules of a namespace, by name
#[utoipa::path(
    get, path = "/schedules", tag = "schedules",
    params(
        ("workflow" = Option<String>, Query, description = "only this workflow's"),
        ("prefix" = Option<String>, Query, description = "only those whose name begins so"),
        ("after" = Option<String>, Query, description = "those after this name: `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the schedules", body = Page<ScheduleBody>),
        (status = 400, description = "`invalid_query`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<Page<ScheduleBody>> {
    let wrong = |error: NameError| Problem::new(Code::InvalidQuery, error.to_string());
    let namespace = lists::namespace(&caller, &params)?;
    let after = params.text("after").map(ScheduleName::new).transpose().map_err(wrong)?;
    let limit = params.limit()?;
    let query = ScheduleQuery {
        namespace: Some(namespace.clone()),
        workflow: params.text("workflow").map(WorkflowName::new).transpose().map_err(wrong)?,
        prefix: params.text("prefix").map(ToOwned::to_owned),
        after: after.map(|after| (namespace, after)),
        limit,
    };
    let rows = service.runtime.schedules().list(&query).await?;
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next = rows.last().filter(|_| is_full).map(|row| row.spec.name.to_string());
    let sight = Sight::of(&caller);
    Ok(JsonBody(Page { data: rows.iter().map(|row| ScheduleBody::new(row, sight)).collect(), next }))
}
