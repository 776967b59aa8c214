//! What starts runs from outside: trigger events, and who subscribed to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Answer, json_text, lists};
use crate::http::access::Caller;
use crate::http::audit::Facts;
use crate::http::body::{Page, ProblemBody, Sight, Time};
use crate::http::extract::{Json, Named, Params};
use crate::http::problem::{Code, Problem, named};
use crate::http::service::Service;
use crate::model::ids::NameError;
use crate::model::trigger::Outcome;
use crate::model::{EventId, EventKey, Payload, Timestamp};
use crate::runtime::TriggerEvent;
use crate::store::{TriggerEventQuery, TriggerEventRow};

/// A trigger event to be pushed.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewEvent {
    /// Its id: the same one is the same event, for 30 days.
    id: String,
    /// What subscriptions know it by.
    key: String,
    /// What it carries, at most 131,072 bytes; null unless told.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
    /// Tags, which its runs get, too; `traceparent` and `tracestate` name the span that they are started under.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// A trigger event, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct TriggerEventBody {
    /// Its id.
    id: String,
    /// What subscriptions know it by.
    key: String,
    /// Whose it is, and the runs that it started.
    namespace: String,
    /// When it was pushed.
    pushed_at: Time,
    /// Who pushed it.
    pushed_by: Option<String>,
    /// What it carries; left out without `read_payload`, and where it is large.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    payload: Option<Payload>,
    /// Bytes of it.
    payload_bytes: usize,
    /// Its tags.
    metadata: BTreeMap<String, String>,
    /// What became of it: one for each subscription to its key at that time.
    outcomes: Vec<OutcomeBody>,
    /// Whether this request was the one that pushed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool)]
    created: Option<bool>,
}

/// What became of a trigger event at one subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Outcome)]
struct OutcomeBody {
    /// The subscription's name.
    subscription: String,
    /// Its workflow.
    workflow: String,
    /// The run that it started.
    run: Option<String>,
    /// Why it started none.
    refused: Option<String>,
}

impl From<&Outcome> for OutcomeBody {
    fn from(outcome: &Outcome) -> OutcomeBody {
        OutcomeBody {
            subscription: outcome.subscription.clone(),
            workflow: outcome.workflow.clone(),
            run: outcome.run.map(|run| run.to_string()),
            refused: outcome.refused.clone(),
        }
    }
}

impl TriggerEventBody {
    fn new(row: &TriggerEventRow, sight: Sight) -> TriggerEventBody {
        let event = &row.event;
        let payload = sight.show(&event.payload);
        TriggerEventBody {
            id: event.id.to_string(),
            key: event.key.to_string(),
            namespace: event.namespace.to_string(),
            pushed_at: Time(row.pushed_at),
            pushed_by: event.by.clone(),
            payload: payload.value,
            payload_bytes: payload.bytes,
            metadata: event.metadata.clone(),
            outcomes: event.outcomes.iter().map(OutcomeBody::from).collect(),
            created: None,
        }
    }
}

/// Pushes a trigger event: starts a run for every subscription to its key whose filter wants it, all in one commit
///
/// An event whose id was pushed before starts nothing, and is answered with what came of it then.
#[utoipa::path(
    post, path = "/events", tag = "triggers", request_body = NewEvent,
    params(
        ("traceparent" = Option<String>, Header, description = "the span that its runs are started under (W3C Trace Context)"),
        ("tracestate" = Option<String>, Header, description = "what goes with it"),
    ),
    responses(
        (status = 201, description = "it is new; what came of it", body = TriggerEventBody),
        (status = 200, description = "it was pushed before; `created` is false", body = TriggerEventBody),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 429, description = "`too_many_events`: nothing was done; `Retry-After` says when to push it again",
            body = ProblemBody, content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn push(
    State(service): State<Arc<Service>>,
    caller: Caller,
    headers: HeaderMap,
    Json(new): Json<NewEvent>,
) -> Result<Response, Problem> {
    let payload = json_text(new.payload);
    service.refuse_hidden("/payload", &payload)?;
    let id = EventId::new(&new.id).map_err(named("/id"))?;
    let key = EventKey::new(&new.key).map_err(named("/key"))?;
    let event =
        TriggerEvent::json(id.as_str(), key.as_str(), payload).metadata(new.metadata).by(&*caller.who);
    let event = caller.namespace.iter().fold(event, |event, own| event.namespace(own.as_str()));
    let span = ["traceparent", "tracestate"].into_iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name, value))
    });
    let event = if headers.contains_key("traceparent") { event.metadata(span) } else { event };
    let pushed = service.runtime.push(event).await?;
    let namespace = caller.namespace.clone().unwrap_or_default();
    let triggers = service.runtime.triggers().namespace(namespace.as_str())?;
    let row = triggers.event(id.as_str()).await?.ok_or_else(|| nobodys(id.as_str()))?;
    let mut body = TriggerEventBody::new(&row, Sight::of(&caller));
    body.created = Some(pushed.is_new);
    let status = if pushed.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, JsonBody(body)).into_response();
    let runs = if pushed.is_new {
        pushed.outcomes.iter().filter_map(|outcome| outcome.run).collect()
    } else {
        Vec::new()
    };
    response.extensions_mut().insert(Facts { runs, reason: None });
    Ok(response)
}

fn nobodys(id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    Problem::new(Code::TriggerEventNotFound, format!("no event {id:?} was pushed in the last 30 days"))
        .fact("event", id)
}

/// A trigger event of the last 30 days, and what came of it
#[utoipa::path(
    get, path = "/events/{id}", tag = "triggers",
    params(
        ("id" = String, Path, description = "the event's id"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the event", body = TriggerEventBody),
        (
            status = 404, description = "`trigger_event_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(id): Named,
    params: Params,
) -> Answer<TriggerEventBody> {
    let namespace = lists::namespace(&caller, &params)?;
    let triggers = service.runtime.triggers().namespace(namespace.as_str())?;
    let row = triggers.event(&id).await?.ok_or_else(|| nobodys(&id))?;
    Ok(JsonBody(TriggerEventBody::new(&row, Sight::of(&caller))))
}

/// The trigger events of the last 30 days, the newest first
#[utoipa::path(
    get, path = "/events", tag = "triggers",
    params(
        ("key" = Option<String>, Query, description = "only those of this key"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
        ("namespace" = Option<String>, Query, description = "whose; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 200, description = "the events", body = Page<TriggerEventBody>),
        (status = 400, description = "`invalid_query`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<Page<TriggerEventBody>> {
    let wrong = |error: NameError| Problem::new(Code::InvalidQuery, error.to_string());
    let limit = params.limit()?;
    let query = TriggerEventQuery {
        namespace: lists::namespace(&caller, &params)?,
        key: params.text("key").map(EventKey::new).transpose().map_err(wrong)?,
        after: params.text("cursor").map(place).transpose()?,
        limit,
    };
    let rows = service.runtime.triggers().events(&query).await?;
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next = rows.last().filter(|_| is_full);
    let next = next.map(|row| format!("{}~{}", row.pushed_at.timestamp_micros(), row.event.id));
    let sight = Sight::of(&caller);
    Ok(JsonBody(Page { data: rows.iter().map(|row| TriggerEventBody::new(row, sight)).collect(), next }))
}

/// Reads where a page begins.
fn place(cursor: &str) -> Result<(Timestamp, EventId), Problem> {
    let place = || {
        let (micros, id) = cursor.split_once('~')?;
        Some((Timestamp::from_timestamp_micros(micros.parse().ok()?)?, EventId::new(id).ok()?))
    };
    place().ok_or_else(|| Problem::new(Code::CursorMismatch, "the cursor is none of this list"))
}
