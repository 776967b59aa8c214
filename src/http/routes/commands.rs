//! What a person asks of a run that is there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{accepted, json_text, runs};
use crate::http::access::Caller;
use crate::http::audit::Facts;
use crate::http::body::{ProblemBody, RunBody, Sight};
use crate::http::extract::{Json, Named, TheRun};
use crate::http::problem::{Problem, named, paid};
use crate::http::service::Service;
use crate::model::{Payload, SignalName};
use crate::runtime::CancelOptions;

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
    let text = json_text(signal.payload);
    service.refuse_hidden("/payload", &text)?;
    let payload = Payload::parse(text).map_err(paid("/payload"))?;
    service.runtime.signal(row.run, name.as_str(), &payload).await?;
    Ok(accepted(RunBody::new(&runs::view(&service, row.run).await?, Sight::of(&caller))))
}
