//! How far the export of traces is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{ProblemBody, Time, millis};
use crate::http::extract::Params;
use crate::http::service::Service;
use crate::runtime::ExportLag;
use crate::store::outbox::RefusedSpan;

/// What is committed and not exported yet, and what the backend refused.
#[derive(Serialize, ToSchema)]
#[schema(as = TraceExport)]
pub(super) struct TraceExportBody {
    /// The process that exports; null: none does.
    exporter: Option<String>,
    /// For how long the oldest commit has been waiting; 0 when none does.
    lag_ms: u64,
    /// How many commits wait, counted up to 100,000.
    commits: u64,
    /// Whether runs have to be looked through besides, because no export has begun yet, or none got on for an hour.
    catches_up: bool,
    /// Spans that the backend refused for good, ever.
    refused: u64,
    /// The last of them, the newest first; the last 10,000 are known.
    refused_spans: Vec<RefusedSpanBody>,
}

/// A span that the backend refused for good.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedSpan)]
struct RefusedSpanBody {
    /// When.
    at: Time,
    /// Its run.
    run: String,
    /// Its trace; null where the rest of the run cannot be exported.
    trace_id: Option<String>,
    /// Its id.
    span_id: Option<String>,
    /// Its name.
    name: String,
    /// What the backend said.
    reason: String,
}

impl From<RefusedSpan> for RefusedSpanBody {
    fn from(span: RefusedSpan) -> RefusedSpanBody {
        let RefusedSpan { at, run, trace_id, span_id, name, reason } = span;
        RefusedSpanBody { at: at.into(), run: run.to_string(), trace_id, span_id, name, reason }
    }
}

/// How far the export of traces is, whichever process exports, and which spans the backend refused
///
/// Not for a caller bound to a namespace.
#[utoipa::path(
    get, path = "/traces/export", tag = "service",
    params(
        (
            "limit" = Option<u32>, Query, minimum = 1, maximum = 500,
            description = "refused spans at most, 1 to 500; 50 unless told",
        ),
    ),
    responses(
        (status = 200, description = "how far it is", body = TraceExportBody),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 403, description = "`forbidden`: all namespaces' runs", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn export(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<TraceExportBody> {
    caller.require_unbound()?;
    let limit = params.limit()?;
    let store = service.details().await?;
    let lag = ExportLag::from(store.backlog().await?);
    let spans = store.refused_spans(limit).await?;
    Ok(Json(TraceExportBody {
        exporter: lag.exporter.map(|(exporter, _)| exporter),
        lag_ms: millis(lag.age),
        commits: lag.commits,
        catches_up: lag.catches_up,
        refused: lag.refused,
        refused_spans: spans.into_iter().map(RefusedSpanBody::from).collect(),
    }))
}
