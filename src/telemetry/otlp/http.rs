//! OTLP over HTTP, as binary protobuf.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use chrono::DateTime;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, Url, redirect};

use super::roots;
use super::settings::{Otlp, OtlpError};
use super::transport::{Answer, Unavailable, cut, innermost};
use crate::model::limits::OTLP_ANSWER_BYTES_MAX;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

pub(super) struct Http {
    client: reqwest::Client,
    traces: Url,
    metrics: Url,
    timeout: Duration,
    gzip: bool,
}

impl Http {
    pub(super) fn new(otlp: &Otlp) -> Result<Http, OtlpError> {
        let traces = otlp.traces_url()?;
        let mut client = reqwest::Client::builder()
            .user_agent(Otlp::USER_AGENT)
            .default_headers(headers(otlp)?)
            // A POST that is redirected becomes a GET, and keys would go where nobody sent them.
            .redirect(redirect::Policy::none())
            .timeout(otlp.request_timeout());
        // Without TLS there is nothing to verify, and perhaps nothing on the machine to verify it by.
        client = match traces.scheme() {
            "https" => client.tls_backend_preconfigured(roots::tls(otlp.pem())?),
            _ => client.tls_backend_preconfigured(roots::none()?),
        };
        let client = client.build().map_err(|error| OtlpError::Endpoint {
            endpoint: otlp.endpoint().to_owned(),
            problem: innermost(&error),
        })?;
        let metrics = otlp.metrics_url()?;
        Ok(Http { client, traces, metrics, timeout: otlp.request_timeout(), gzip: otlp.is_gzip() })
    }

    pub(super) async fn traces(&self, request: Vec<u8>) -> Result<ExportTraceServiceResponse, Answer> {
        self.post(&self.traces, request).await
    }

    pub(super) async fn metrics(
        &self,
        request: &ExportMetricsServiceRequest,
    ) -> Result<ExportMetricsServiceResponse, Answer> {
        self.post(&self.metrics, request.encode_to_vec()).await
    }

    async fn post<T: Message + Default>(&self, url: &Url, message: Vec<u8>) -> Result<T, Answer> {
        let (body, encoding) = match self.gzip {
            true => (zipped(&message)?, Some(HeaderValue::from_static("gzip"))),
            false => (message, None),
        };
        let mut request = self.client.post(url.clone()).header(header::CONTENT_TYPE, PROTOBUF).body(body);
        if let Some(encoding) = encoding {
            request = request.header(header::CONTENT_ENCODING, encoding);
        }
        let unavailable = |error: reqwest::Error| {
            Answer::Unavailable(match error.is_timeout() {
                true => Unavailable::too_late(self.timeout),
                false => Unavailable::new(innermost(&error), None),
            })
        };
        let mut response = request.send().await.map_err(unavailable)?;
        let body = read(&mut response).await.map_err(unavailable)?;
        if !response.status().is_success() {
            return Err(judge(&response, &body));
        }
        let kind = content_type(&response);
        // A page for people, and gRPC's "no such method" without a body, are answers of something else.
        let foreign = ["text/html", "application/grpc"].iter().any(|other| kind.starts_with(other));
        match T::decode(body.as_slice()) {
            Ok(answer) if !foreign => Ok(answer),
            // Some answer in JSON whatever they are asked in.
            Err(_) if kind.starts_with("application/json") => Ok(T::default()),
            _ => Err(Answer::Unavailable(Unavailable::new(
                format!(
                    "{} from {url}, but what came with it is no answer of OTLP's: {kind:?}",
                    response.status()
                ),
                None,
            ))),
        }
    }
}

fn headers(otlp: &Otlp) -> Result<HeaderMap, OtlpError> {
    let mut headers = HeaderMap::new();
    for (name, value) in otlp.headers() {
        let wrong = |problem: &str| OtlpError::Header { name: name.clone(), problem: problem.to_owned() };
        let key = HeaderName::try_from(name.as_str()).map_err(|_| wrong("its name is none of HTTP's"))?;
        let mut value = HeaderValue::try_from(value.as_str())
            .map_err(|_| wrong("its value has characters that HTTP cannot send"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

fn zipped(bytes: &[u8]) -> Result<Vec<u8>, Answer> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    // Memory never refuses a write.
    written.map_err(|error| Answer::Refused { reason: error.to_string() })
}

/// Reads an answer as far as it is of use.
async fn read(response: &mut Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        let room = OTLP_ANSWER_BYTES_MAX.saturating_sub(body.len());
        body.extend(piece.iter().take(room));
        if body.len() == OTLP_ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(body)
}

/// Says what a status means, as OTLP's specification has it, and beyond it: one that is about whoever sends, or about where it
/// was sent, says nothing about what was sent.
fn judge(response: &Response, body: &[u8]) -> Answer {
    let status = response.status();
    let said = match said(response, body) {
        text if text.is_empty() => status.to_string(),
        text => format!("{status}: {text}"),
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT
        | StatusCode::REQUEST_TIMEOUT => {
            Answer::Unavailable(Unavailable::new(said, retry_after(response.headers())))
        }
        StatusCode::UNAUTHORIZED
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::MISDIRECTED_REQUEST => Answer::Unavailable(Unavailable::new(said, None)),
        status if status.is_redirection() => {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let said = format!("{said}: it redirects to {}", to.unwrap_or("nowhere"));
            Answer::Unavailable(Unavailable::new(said, None))
        }
        _ => Answer::Refused { reason: cut(&said) },
    }
}

/// Returns the text of an answer that is no success: a status of gRPC's as a message, or what a person can read.
fn said(response: &Response, body: &[u8]) -> String {
    let kind = content_type(response);
    if kind.starts_with("application/x-protobuf") {
        return tonic_types::Status::decode(body).map(|status| status.message).unwrap_or_default();
    }
    match kind.starts_with("text/html") {
        true => String::new(),
        false => String::from_utf8_lossy(body).into_owned(),
    }
}

fn content_type(response: &Response) -> &str {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Reads `Retry-After`: seconds, or an instant, which is counted from the answer's own date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let after = text(header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(after).ok()?;
    let now = DateTime::parse_from_rfc2822(text(header::DATE)?).ok()?;
    (until - now).to_std().ok()
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the headers: keys are among them.
        f.debug_struct("Http").field("traces", &self.traces.as_str()).finish_non_exhaustive()
    }
}
