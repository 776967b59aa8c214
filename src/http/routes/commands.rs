//! What a person asks of a run that is there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{accepted, runs};
use crate::http::access::Caller;
use crate::http::audit::Facts;
use crate::http::body::{ProblemBody, RunBody, Sight};
use crate::http::extract::{Json, Named, TheRun};
use crate::http::problem::{Problem, named, paid};
use crate::http::service::Service;
use crate::model::{Key, Payload, SignalName};
use crate::runtime::{CancelOptions, SignalOptions};

/// How a run is cancelled.
#[derive(Deserialize, ToSchema)]
pub(super) struct Cancel {
    /// Why.
    reason: Option<String>,
    /// How long its code may go on after it was told; 5,000 unless told.
    grace_ms: Option<u64>,
}

/// Cancels a run
///
/// A queued run never starts; the code of a running one is told, and aborted when its grace is over; its child runs are
/// cancelled, too. A run that is cancelled already answers the same.
#[utoipa::path(
    post, path = "/runs/{id}/cancel", tag = "runs", request_body = Cancel,
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 202, description = "it is decided; the run as it is now", body = RunBody),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 409, description = "`illegal_transition`: the run ended otherwise", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn cancel(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    Json(cancel): Json<Cancel>,
) -> Result<Response, Problem> {
    let mut options = CancelOptions::default().by(&*caller.who);
    if let Some(reason) = &cancel.reason {
        options = options.reason(reason);
    }
    if let Some(grace) = cancel.grace_ms {
        options = options.grace(Duration::from_millis(grace));
    }
    service.runtime.cancel(row.run, options).await?;
    let mut response = accepted(RunBody::new(&runs::view(&service, row.run).await?, Sight::of(&caller)));
    response.extensions_mut().insert(Facts { runs: Vec::new(), reason: cancel.reason });
    Ok(response)
}

/// A signal's payload.
#[derive(Deserialize, ToSchema)]
pub(super) struct Signal {
    /// What it carries; null unless told.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
}

/// Sends a run a signal
///
/// When this answers, the signal is durable; the run takes it when its code asks for it.
#[utoipa::path(
    post, path = "/runs/{id}/signals/{name}", tag = "runs", request_body = Signal,
    params(
        ("id" = String, Path, description = "the run's id"),
        ("name" = String, Path, description = "the signal's name"),
    ),
    responses(
        (status = 202, description = "it is accepted; the run as it is now", body = RunBody),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 409, description = "`illegal_transition`: the run ended", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn signal(
    State(service): State<Arc<Service>>,
    caller: Caller,
    TheRun(row): TheRun,
    Named(name): Named,
    Json(signal): Json<Signal>,
) -> Result<Response, Problem> {
    let name = SignalName::new(name).map_err(named(""))?;
    let text = signal.payload.map_or_else(|| "null".to_owned(), |payload| Box::<str>::from(payload).into());
    let payload = Payload::parse(text).map_err(paid("/payload"))?;
    service.runtime.signal(row.run, name.as_str(), &payload).await?;
    Ok(accepted(RunBody::new(&runs::view(&service, row.run).await?, Sight::of(&caller))))
}

/// A signal that is sent to a key.
#[derive(Deserialize, ToSchema)]
pub(super) struct KeySignal {
    /// The key: every run that waits for it gets the signal.
    key: String,
    /// What it carries; null unless told.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
    /// The sender's own id for it: of those with one id only the first is accepted, for 24 hours; a new one unless told.
    id: Option<String>,
}

/// What became of a signal that was sent to a key.
#[derive(Serialize, ToSchema)]
#[schema(as = Signalled)]
pub(super) struct SignalledBody {
    /// How many runs got it so far.
    runs: u64,
    /// Whether it is kept for the first run that asks, because none waits for it.
    kept: bool,
}

/// Sends a signal to a key
///
/// Every run of the caller's namespace that waits for this name and key gets it. If none does, it is kept for seven days, and
/// the first run that asks takes it. When this answers, the signal is durable.
#[utoipa::path(
    post, path = "/signals/{name}", tag = "runs", request_body = KeySignal,
    params(("name" = String, Path, description = "the signal's name")),
    responses(
        (status = 202, description = "it is accepted", body = SignalledBody),
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
    Json(signal): Json<KeySignal>,
) -> Result<Response, Problem> {
    let name = SignalName::new(name).map_err(named(""))?;
    let key = Key::new(signal.key).map_err(named("/key"))?;
    let text = signal.payload.map_or_else(|| "null".to_owned(), |payload| Box::<str>::from(payload).into());
    let payload = Payload::parse(text).map_err(paid("/payload"))?;
    let mut options = SignalOptions::default();
    if let Some(id) = signal.id {
        options = options.id(id);
    }
    if let Some(namespace) = &caller.namespace {
        options = options.namespace(namespace.as_str());
    }
    let sent = service.runtime.signal_key_with(name.as_str(), key.as_str(), &payload, options).await?;
    Ok(accepted(SignalledBody { runs: sent.runs, kept: sent.kept }))
}
