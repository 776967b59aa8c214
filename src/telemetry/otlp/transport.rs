//! One request to a backend, and what its answer means.

use std::error::Error;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use super::grpc::Grpc;
use super::http::Http;
use super::settings::{Otlp, OtlpError, Protocol};
use crate::model::limits::{OTLP_REASON_CHARS_MAX, OTLP_RETRY_AFTER_MAX};

/// How requests travel.
#[derive(Debug)]
pub(super) enum Transport {
    Grpc(Box<Grpc>),
    Http(Http),
}

/// What a backend answered, or that it did not.
#[derive(Debug)]
pub(super) enum Answer {
    /// It took the request, but for some of it.
    Taken {
        rejected: usize,
        remark: Option<String>,
    },
    /// It never will take this request.
    Refused {
        reason: String,
    },
    Unavailable(Unavailable),
}

/// The backend takes nothing at present: it is away, overloaded, or not set up for whoever sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the OpenTelemetry backend is unavailable: {reason}")]
pub struct Unavailable {
    /// Why, for a person.
    pub reason: String,
    /// How long it asked to be left alone; at most an hour.
    pub retry_after: Option<Duration>,
}

impl Transport {
    pub(super) fn new(otlp: &Otlp) -> Result<Transport, OtlpError> {
        otlp.check()?;
        match otlp.protocol() {
            Protocol::Grpc => Ok(Transport::Grpc(Box::new(Grpc::new(otlp)?))),
            Protocol::Http => Ok(Transport::Http(Http::new(otlp)?)),
        }
    }

    /// Sends an encoded `ExportTraceServiceRequest`; returns within the request's timeout.
    pub(super) async fn traces(&self, request: Vec<u8>) -> Answer {
        let answered = match self {
            Transport::Grpc(grpc) => grpc.traces(request).await,
            Transport::Http(http) => http.traces(request).await,
        };
        answered.map_or_else(
            |answer| answer,
            |response| {
                let partial = response.partial_success.unwrap_or_default();
                taken(partial.rejected_spans, &partial.error_message)
            },
        )
    }

    /// Sends metrics; returns within the request's timeout.
    pub(super) async fn metrics(&self, request: ExportMetricsServiceRequest) -> Answer {
        let answered = match self {
            Transport::Grpc(grpc) => grpc.metrics(request).await,
            Transport::Http(http) => http.metrics(&request).await,
        };
        answered.map_or_else(
            |answer| answer,
            |response| {
                let partial = response.partial_success.unwrap_or_default();
                taken(partial.rejected_data_points, &partial.error_message)
            },
        )
    }
}

fn taken(rejected: i64, remark: &str) -> Answer {
    Answer::Taken {
        rejected: usize::try_from(rejected).unwrap_or(0),
        remark: (!remark.is_empty()).then(|| cut(remark)),
    }
}

impl Unavailable {
    pub(super) fn new(reason: impl AsRef<str>, retry_after: Option<Duration>) -> Unavailable {
        let retry_after = retry_after.map(|pause| pause.min(OTLP_RETRY_AFTER_MAX));
        Unavailable { reason: cut(reason.as_ref()), retry_after }
    }

    pub(super) fn too_late(timeout: Duration) -> Unavailable {
        Unavailable::new(format!("no answer came within {timeout:?}"), None)
    }

    /// Says that it is not about what was sent.
    pub(super) fn refuses_all(reason: &str) -> Unavailable {
        Unavailable::new(format!("it refuses whatever it is sent: {reason}"), None)
    }
}

/// Shortens what a backend says: it may be a page of HTML.
pub(super) fn cut(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(OTLP_REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What lies at the bottom of an error: "connection refused", and not who wrapped it.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
