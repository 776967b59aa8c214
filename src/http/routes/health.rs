//! Whether this process lives, whether it can work, and what it counts.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::Caller;
use crate::http::body::ProblemBody;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::telemetry::TEXT_TYPE;

/// How long the database may take to say what time it is.
const DATABASE_TIME_MAX: Duration = Duration::from_secs(1);

/// Whether this process lives; asks nobody
#[utoipa::path(
    get, path = "/healthz", tag = "service", security(()),
    responses((status = 200, description = "it does", body = String, content_type = "text/plain"))
)]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// What readiness depends on.
#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
pub(super) struct ReadyBody {
    /// Whether all of it holds.
    ready: bool,
    /// Whether the database answers within a second.
    database: bool,
    /// Whether this process has its lease, without which it executes nothing.
    node: bool,
}

/// Whether this process can work
#[utoipa::path(
    get, path = "/readyz", tag = "service", security(()),
    responses(
        (status = 200, description = "it can", body = ReadyBody),
        (status = 503, description = "it cannot", body = ReadyBody),
    )
)]
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let asked = async { Ok::<_, Problem>(service.details().await?.now().await?) };
    let database = matches!(tokio::time::timeout(DATABASE_TIME_MAX, asked).await, Ok(Ok(_)));
    let node = service.runtime.is_in_order();
    let ready = database && node;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyBody { ready, database, node })).into_response()
}

/// What this process counts, as Prometheus reads it
///
/// `docs/TELEMETRY.md` lists the metrics.
#[utoipa::path(
    get, path = "/metrics", tag = "service",
    responses(
        (status = 200, description = "Prometheus' text format 0.0.4", body = String, content_type = "text/plain"),
        (
            status = 403, description = "`forbidden`: all namespaces' figures", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn metrics(
    State(service): State<Arc<Service>>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.require_unbound()?;
    // The other figures are worth having when the database has no time for these.
    let text = service.runtime.metrics_from(service.lists().await.ok()).await;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(TEXT_TYPE))], text).into_response())
}
