//! Starting a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{json_text, runs};
use crate::http::access::Caller;
use crate::http::audit::Facts;
use crate::http::body::{ProblemBody, RunBody, Sight};
use crate::http::extract::Json;
use crate::http::problem::{Problem, named};
use crate::http::service::Service;
use crate::model::event::Trigger;
use crate::model::{Key, Timestamp, TraceContext, TraceState};
use crate::runtime::Error;
use crate::telemetry;

/// A run to be started.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewRun)]
pub(super) struct Start {
    /// The workflow's name.
    workflow: String,
    /// What it is given; null unless told.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    input: Option<Box<RawValue>>,
    /// The user's own id for it: the same workflow and key is the same run.
    key: Option<String>,
    /// What to do when the key is taken: `return` the run that has it (unless told otherwise), or `fail`.
    #[serde(default)]
    if_exists: IfExists,
    /// Tags: at most 32 pairs, values of at most 1,024 bytes.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Higher goes first; 0 unless told.
    #[serde(default)]
    priority: i16,
    /// How long after its creation it may start.
    delay_ms: Option<u64>,
    /// Before when it may not start.
    #[schema(value_type = Option<String>, format = DateTime)]
    start_at: Option<Timestamp>,
    /// How long it may take from its start; the workflow's own unless told.
    timeout_ms: Option<u64>,
    /// How long it may wait for its start; the workflow's own unless told.
    start_timeout_ms: Option<u64>,
}

/// What to do when a key is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum IfExists {
    /// Answer with the run that has it.
    #[default]
    Return,
    /// Refuse with 409.
    Fail,
}

/// Starts a run
///
/// When this answers, the run is committed and will happen.
#[utoipa::path(
    post, path = "/runs", tag = "runs", request_body = Start,
    params(
        ("traceparent" = Option<String>, Header, description = "the span that the run is started under (W3C Trace Context)"),
        ("tracestate" = Option<String>, Header, description = "what goes with it"),
    ),
    responses(
        (status = 201, description = "the new run; `Location` is its address", body = RunBody),
        (status = 200, description = "the run that has the key; `created` is false", body = RunBody),
        (
            status = 400, description = "`invalid_json`, `unknown_field`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 404, description = "`workflow_not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 409, description = "`duplicate_key`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn start(
    State(service): State<Arc<Service>>,
    caller: Caller,
    headers: HeaderMap,
    Json(start): Json<Start>,
) -> Result<Response, Problem> {
    let input = json_text(start.input);
    service.refuse_hidden("/input", &input)?;
    let mut run = service
        .runtime
        .run_by_name(&start.workflow, input)
        .trigger(Trigger::Api { by: Some(caller.who.to_string()) })
        .metadata(start.metadata)
        .priority(start.priority);
    if let Some(namespace) = &caller.namespace {
        run = run.namespace(namespace.as_str());
    }
    if let Some(key) = start.key {
        run = run.key(Key::new(key).map_err(named("/key"))?.as_str());
    }
    if start.if_exists == IfExists::Fail {
        run = run.if_exists_fail();
    }
    if let Some(delay) = start.delay_ms.filter(|delay| *delay > 0) {
        run = run.delay(Duration::from_millis(delay));
    }
    if let Some(at) = start.start_at {
        run = run.start_at(at);
    }
    if let Some(timeout) = start.timeout_ms {
        run = run.timeout(Duration::from_millis(timeout));
    }
    if let Some(parent) = parent(&headers) {
        run = run.traceparent(parent);
        run = run.tracestate(state(&headers));
    }
    if let Some(timeout) = start.start_timeout_ms {
        run = run.start_timeout(Duration::from_millis(timeout));
    }
    let started = run.start_or_get().await.map_err(refused)?;
    let id = started.run.id();
    let mut body = RunBody::new(&runs::view(&service, id).await?, Sight::of(&caller));
    body.created = Some(started.created);
    let status = if started.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, axum::Json(body)).into_response();
    // Relative to the address that was asked, wherever that is mounted.
    if let Ok(place) = HeaderValue::from_str(&format!("runs/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response.extensions_mut().insert(Facts { runs: vec![id], reason: None });
    Ok(response)
}

/// Reads the span that the request was sent under. As the standard wants it, one that cannot be read is passed over; and where
/// the host's OpenTelemetry took it up already, its own span for the request is nearer.
fn parent(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all("traceparent").iter();
    let text = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    let given = TraceContext::parse(text).ok()?;
    let taken_up = telemetry::caller().is_some_and(|caller| caller.trace_id == given.trace_id);
    (!taken_up).then_some(text)
}

/// Reads what goes with it; empty when it cannot be read.
fn state(headers: &HeaderMap) -> String {
    let all: Vec<&str> =
        headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok()).collect();
    let all = all.join(",");
    if TraceState::parse(&all).is_ok() { all } else { String::new() }
}

/// Points at the member of the body that a start calls by its own name.
fn refused(error: Error) -> Problem {
    match error {
        Error::Name(error) => Problem::at("/workflow", error.to_string()),
        Error::Field { field: "delay", problem } => Problem::at("/delay_ms", problem),
        Error::Field { field: "timeout", problem } => Problem::at("/timeout_ms", problem),
        Error::Field { field: "start_timeout", problem } => Problem::at("/start_timeout_ms", problem),
        error => error.into(),
    }
}
