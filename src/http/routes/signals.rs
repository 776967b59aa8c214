//! One signal to many runs: those that a filter finds, or those that wait for a key.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{accepted, json_text, lists};
use crate::http::access::{Action, Caller};
use crate::http::body::ProblemBody;
use crate::http::extract::{Json, Named, Params};
use crate::http::problem::{Problem, named, paid};
use crate::http::service::Service;
use crate::inspect::Search;
use crate::model::{Filter, Key, Payload, SignalName};
use crate::runtime::SignalOptions;

/// A signal to many runs.
#[derive(Deserialize, ToSchema)]
pub(super) struct SignalAll {
    /// Which runs: a filter. Only live ones are meant.
    q: String,
    /// What it carries; null unless told.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
}

/// What became of a signal to many runs.
#[derive(Serialize, ToSchema)]
#[schema(as = SignalledAll)]
pub(super) struct SignalledAllBody {
    /// Runs that have it, and take it when their code asks for it.
    sent: u64,
    /// Runs that ended before it came to them.
    ended: u64,
}

/// Sends a signal to every live run that a filter finds, whether it waits for it already or will ask for it later
///
/// When this answers, the signal is durable for each. A run that is started meanwhile may miss it.
#[utoipa::path(
    post, path = "/signals/{name}", tag = "runs", request_body = SignalAll,
    params(
        ("name" = String, Path, description = "the signal's name"),
        ("namespace" = Option<String>, Query, description = "whose runs; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 202, description = "it is accepted", body = SignalledAllBody),
        (status = 400, description = "`invalid_filter`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn signal_all(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
    Json(signal): Json<SignalAll>,
) -> Result<Response, Problem> {
    caller.require(Action::Bulk)?;
    let name = SignalName::new(name).map_err(named(""))?;
    let text = json_text(signal.payload);
    service.refuse_hidden("/payload", &text)?;
    let payload = Payload::parse(text).map_err(paid("/payload"))?;
    let filter: Filter = signal.q.parse()?;
    let search = Search::new(filter).namespace(lists::namespace(&caller, &params)?);
    let done = service.runtime.signal_all(&search, name.as_str(), &payload).await?;
    Ok(accepted(SignalledAllBody { sent: done.sent, ended: done.ended }))
}

/// A signal to a key.
#[derive(Deserialize, ToSchema)]
pub(super) struct SignalKey {
    /// The key: every run that waits for it gets the signal.
    key: String,
    /// What it carries; null unless told.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
    /// The sender's own id for it: of those with one id only the first is accepted, for 24 hours; a new one unless told.
    id: Option<String>,
}

/// What became of a signal to a key.
#[derive(Serialize, ToSchema)]
#[schema(as = SignalledKey)]
pub(super) struct SignalledKeyBody {
    /// How many runs got it so far.
    runs: u64,
    /// Whether it is kept for the first run that asks, because none waits for it.
    kept: bool,
}

/// Sends a signal to a key
///
/// Every run of the namespace that waits for this name and key gets it. If none does, it is kept for seven days, and the first
/// run that asks takes it. When this answers, the signal is durable.
#[utoipa::path(
    post, path = "/signals/{name}/key", tag = "runs", request_body = SignalKey,
    params(
        ("name" = String, Path, description = "the signal's name"),
        ("namespace" = Option<String>, Query, description = "whose runs; `default` unless told; a bound caller's own"),
    ),
    responses(
        (status = 202, description = "it is accepted", body = SignalledKeyBody),
        (
            status = 409, description = "`signal_id_taken`: the id was used for another signal", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 429, description = "`signals_full`: no run waits for it, and no more are kept", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn signal_key(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(name): Named,
    params: Params,
    Json(signal): Json<SignalKey>,
) -> Result<Response, Problem> {
    let name = SignalName::new(name).map_err(named(""))?;
    let key = Key::new(signal.key).map_err(named("/key"))?;
    let text = json_text(signal.payload);
    service.refuse_hidden("/payload", &text)?;
    let payload = Payload::parse(text).map_err(paid("/payload"))?;
    let options = SignalOptions::default().namespace(lists::namespace(&caller, &params)?.as_str());
    let options = signal.id.into_iter().fold(options, SignalOptions::id);
    let sent = service.runtime.signal_key_with(name.as_str(), key.as_str(), &payload, options).await?;
    Ok(accepted(SignalledKeyBody { runs: sent.runs, kept: sent.kept }))
}
