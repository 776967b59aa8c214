//! How long runs are kept, and a run to take along.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{ProblemBody, Time, millis};
use crate::http::extract::{Json, Params, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::inspect;
use crate::runtime::{Error, RetentionPolicy};
use crate::store::{Policy, Retention};

/// How long runs are kept, and what the passes that see to it came to.
#[derive(Serialize, ToSchema)]
#[schema(as = Retention)]
pub(super) struct RetentionBody {
    /// The policies, that of everything first; the most specific one counts for a run.
    policies: Vec<PolicyBody>,
    /// Who is at a pass at the moment.
    under_way_by: Option<String>,
    /// When the last pass began.
    begun_at: Option<Time>,
    /// When it ended.
    ended_at: Option<Time>,
    /// When the next one is due.
    next_at: Time,
    /// What the last pass failed with; null when it did not.
    error: Option<String>,
    /// How many passes failed in a row.
    failures: u32,
    /// Runs that the last pass archived.
    archived: u64,
    /// Archived runs that the last pass deleted.
    deleted: u64,
    /// Runs that were ever archived.
    archived_ever: u64,
    /// Archived runs that were ever deleted.
    deleted_ever: u64,
}

/// How long some runs are kept, counted from their end.
#[derive(Serialize, ToSchema)]
#[schema(as = Policy)]
struct PolicyBody {
    /// Of which namespace; null = of all.
    namespace: Option<String>,
    /// Of which workflow; null = of all.
    workflow: Option<String>,
    /// When they go to the archive, where every question still finds them; null = never.
    archive_after_ms: Option<u64>,
    /// When they go for good; null = never.
    delete_after_ms: Option<u64>,
}

impl From<&Policy> for PolicyBody {
    fn from(policy: &Policy) -> PolicyBody {
        PolicyBody {
            namespace: policy.scope.namespace.as_ref().map(ToString::to_string),
            workflow: policy.scope.workflow.as_ref().map(ToString::to_string),
            archive_after_ms: policy.archive_after.map(millis),
            delete_after_ms: policy.delete_after.map(millis),
        }
    }
}

impl From<Retention> for RetentionBody {
    fn from(found: Retention) -> RetentionBody {
        RetentionBody {
            policies: found.policies.iter().map(PolicyBody::from).collect(),
            under_way_by: found.holder.map(|holder| holder.by),
            begun_at: found.begun_at.map(Time),
            ended_at: found.ended_at.map(Time),
            next_at: found.next_at.into(),
            failures: found.failure.as_ref().map_or(0, |failure| failure.failures),
            error: found.failure.map(|failure| failure.error),
            archived: found.last.archived,
            deleted: found.last.deleted,
            archived_ever: found.archived_ever,
            deleted_ever: found.deleted_ever,
        }
    }
}

/// How long some runs are to be kept.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPolicy)]
pub(super) struct NewPolicy {
    /// Of which namespace; of all unless told.
    namespace: Option<String>,
    /// Of which workflow; of all unless told.
    workflow: Option<String>,
    /// How long after their end they go to the archive; null = never, which must be said.
    #[serde(deserialize_with = "said")]
    #[schema(required = true)]
    archive_after_ms: Option<u64>,
    /// How long after their end they go for good; null = never, which must be said.
    #[serde(deserialize_with = "said")]
    #[schema(required = true)]
    delete_after_ms: Option<u64>,
}

/// A pass to make; there is nothing to say about it.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPass)]
pub(super) struct NewPass {}

/// Reads a value or null; a member that is missing is refused, unlike one that serde leaves out by itself: a request
/// without a body would keep everything for ever.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(from)
}

/// How long runs are kept, and what the passes that see to it came to
///
/// Only for callers that are bound to no namespace.
#[utoipa::path(
    get, path = "/retention", tag = "retention",
    responses(
        (status = 200, description = "the policies and the passes", body = RetentionBody),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(State(service): State<Arc<Service>>, caller: Caller) -> Answer<RetentionBody> {
    caller.require_unbound()?;
    as_it_stands(&service).await
}

/// What every one of them answers: the policies and the passes, as they are by then.
async fn as_it_stands(service: &Service) -> Answer<RetentionBody> {
    Ok(JsonBody(service.runtime.retention().await?.into()))
}

/// Sets how long some runs are kept, in the place of what was set for the same ones
///
/// The next pass goes by it. Only for callers that are bound to no namespace.
#[utoipa::path(
    put, path = "/retention", tag = "retention", request_body = NewPolicy,
    responses(
        (status = 200, description = "the policies and the passes", body = RetentionBody),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn set(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(new): Json<NewPolicy>,
) -> Answer<RetentionBody> {
    caller.require_unbound()?;
    let policy = RetentionPolicy::default()
        .archive_after(new.archive_after_ms.map(Duration::from_millis))
        .delete_after(new.delete_after_ms.map(Duration::from_millis));
    let policy = new.namespace.into_iter().fold(policy, RetentionPolicy::namespace);
    let policy = new.workflow.into_iter().fold(policy, RetentionPolicy::workflow);
    service.runtime.set_retention(policy).await?;
    as_it_stands(&service).await
}

/// Removes what was set for a namespace, a workflow, or a workflow of a namespace: what is set for more of them counts again
///
/// What is set for all runs cannot be removed. Only for callers that are bound to no namespace.
#[utoipa::path(
    delete, path = "/retention", tag = "retention",
    params(
        ("of_namespace" = Option<String>, Query, description = "the policy's namespace"),
        ("workflow" = Option<String>, Query, description = "the policy's workflow"),
    ),
    responses(
        (status = 200, description = "the policies and the passes", body = RetentionBody),
        (status = 400, description = "`invalid_query`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 404, description = "`policy_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn unset(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<RetentionBody> {
    caller.require_unbound()?;
    let (namespace, workflow) = (params.text("of_namespace"), params.text("workflow"));
    let was_set = service.runtime.unset_retention(namespace, workflow).await;
    let was_set = was_set.map_err(|error| match error {
        Error::Name(_) | Error::Field { .. } => Problem::new(Code::InvalidQuery, error.to_string()),
        error => error.into(),
    })?;
    if !was_set {
        let of = |name: Option<&str>| name.map_or("all".to_owned(), |name| format!("{name:?}"));
        let detail = format!("nothing is set for namespace {}, workflow {}", of(namespace), of(workflow));
        return Err(Problem::new(Code::PolicyNotFound, detail));
    }
    as_it_stands(&service).await
}

/// Begins a pass now, whether one is due or not
///
/// It is made by the process that answers, and goes on after the answer; `GET /retention` shows how far it is, and its end.
/// Only for callers that are bound to no namespace.
#[utoipa::path(
    post, path = "/retention/pass", tag = "retention", request_body = NewPass,
    responses(
        (status = 202, description = "the policies and the passes", body = RetentionBody),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 409, description = "`pass_under_way`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn prune(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(NewPass {}): Json<NewPass>,
) -> Result<(StatusCode, JsonBody<RetentionBody>), Problem> {
    caller.require_unbound()?;
    service.runtime.begin_pruning().await?;
    Ok((StatusCode::ACCEPTED, as_it_stands(&service).await?))
}

/// A run as JSON lines: what it is, then each event with its payload as the text that it is
#[utoipa::path(
    get, path = "/runs/{id}/export", tag = "retention",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "the lines", body = String, content_type = "application/jsonl"),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn export(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
) -> Result<Response, Problem> {
    let lines = inspect::export(service.details().await?, row.run).await?;
    let lines = lines.ok_or_else(|| Problem::no_run(&row.run.to_string()))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"))], lines).into_response())
}
