//! Who subscribed to which trigger events.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, lists};
use crate::http::access::Caller;
use crate::http::body::{Page, ProblemBody};
use crate::http::extract::{Json, Named, Params};
use crate::http::problem::{Code, Problem, named};
use crate::http::service::Service;
use crate::model::ids::NameError;
use crate::model::{EventKey, SubscriptionName, WorkflowName};
use crate::runtime::Subscription;
use crate::store::SubscriptionRow;

/// A subscription to be made.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewSubscription {
    /// Its name, unique in the namespace.
    name: String,
    /// Of the events that it is about.
    key: String,
    /// Which of them: an expression of the Common Expression Language over `id`, `key`, `payload` and `metadata`; all unless
    /// told.
    filter: Option<String>,
    /// What each of them starts, with the event's payload as the input; its newest version.
    workflow: String,
    /// Tags of each run, besides those of the event.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Of each run; higher goes first; 0 unless told.
    #[serde(default)]
    priority: i16,
    /// Changes the subscription that has the name, instead of refusing.
    #[serde(default)]
    replace: bool,
}

/// A subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(super) struct SubscriptionBody {
    /// Its name, unique in the namespace.
    name: String,
    /// Whose it is, and its runs.
    namespace: String,
    /// Of the events that it is about.
    key: String,
    /// Which of them; null = all.
    filter: Option<String>,
    /// What each of them starts.
    workflow: String,
    /// Tags of each run, besides those of the event.
    metadata: BTreeMap<String, String>,
    /// Of each run.
    priority: i16,
    /// Whether code declares it.
    declared: bool,
    /// Who made it.
    created_by: Option<String>,
}

impl From<&SubscriptionRow> for SubscriptionBody {
    fn from(row: &SubscriptionRow) -> SubscriptionBody {
        SubscriptionBody {
            name: row.name.to_string(),
            namespace: row.namespace.to_string(),
            key: row.key.to_string(),
            filter: row.filter.clone(),
            workflow: row.workflow.to_string(),
            metadata: row.metadata.clone(),
            priority: row.priority,
            declared: row.declared,
            created_by: row.created_by.clone(),
        }
    }
}

/// Makes a subscription, or changes one
///
/// Events that are pushed from now on start its runs.
#[utoipa::path(
    post, path = "/subscriptions", tag = "triggers", request_body = NewSubscription,
    responses(
        (status = 201, description = "the new subscription", body = SubscriptionBody),
        (status = 200, description = "with `replace`: the subscription as it is now", body = SubscriptionBody),
        (
            status = 404, description = "`workflow_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 409, description = "`subscription_exists`", body = ProblemBody,
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
    Json(new): Json<NewSubscription>,
) -> Result<Response, Problem> {
    let name = SubscriptionName::new(&new.name).map_err(named("/name"))?;
    let key = EventKey::new(&new.key).map_err(named("/key"))?;
    let workflow = WorkflowName::new(&new.workflow).map_err(named("/workflow"))?;
    let wanted = Subscription::by_name(name.as_str(), key.as_str(), workflow.as_str());
    let wanted = wanted.metadata(new.metadata).priority(new.priority).by(&*caller.who);
    if let Some(filter) = &new.filter {
        service.refuse_telling(filter)?;
    }
    let wanted = new.filter.into_iter().fold(wanted, Subscription::filter);
    let wanted = caller.namespace.iter().fold(wanted, |wanted, own| wanted.namespace(own.as_str()));
    let triggers = service.runtime.triggers();
    let (row, is_new) = match new.replace {
        true => triggers.put(wanted).await?,
        false => (triggers.subscribe(wanted).await?, true),
    };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, JsonBody(SubscriptionBody::from(&row))).into_response())
}

/// The subscriptions of a namespace, by name
#[utoipa::path(
    get, path = "/subscriptions", tag = "triggers",
    params(
        ("key" = Option<String>, Query, description = "only those to events of this key"),
        ("after" = Option<String>, Query, description = "those after this name: `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the subscriptions", body = Page<SubscriptionBody>),
        (status = 400, description = "`invalid_query`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<Page<SubscriptionBody>> {
    let wrong = |error: NameError| Problem::new(Code::InvalidQuery, error.to_string());
    let namespace = lists::namespace(&caller, &params)?;
    let limit = params.limit()?;
    let key = params.text("key").map(EventKey::new).transpose().map_err(wrong)?;
    let after = params.text("after").map(SubscriptionName::new).transpose().map_err(wrong)?;
    let triggers = service.runtime.triggers().namespace(namespace.as_str())?;
    let (key, after) = (key.as_ref().map(|key| key.as_str()), after.as_ref().map(|after| after.as_str()));
    let rows = triggers.subscriptions(key, after, limit).await?;
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next = rows.last().filter(|_| is_full).map(|row| row.name.to_string());
    Ok(JsonBody(Page { data: rows.iter().map(SubscriptionBody::from).collect(), next }))
}

/// Deletes a subscription; its runs stay
#[utoipa::path(
    delete, path = "/subscriptions/{name}", tag = "triggers",
    params(
        ("name" = String, Path, description = "the subscription's name"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 204, description = "it is gone"),
        (
            status = 404, description = "`subscription_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn delete(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
) -> Result<StatusCode, Problem> {
    let namespace = lists::namespace(&caller, &params)?;
    let was_there = service.runtime.triggers().namespace(namespace.as_str())?.unsubscribe(&name).await?;
    if !was_there {
        let name: String = name.chars().take(64).collect();
        let detail = format!("there is no subscription {name:?}");
        return Err(Problem::new(Code::SubscriptionNotFound, detail).fact("name", name));
    }
    Ok(StatusCode::NO_CONTENT)
}
