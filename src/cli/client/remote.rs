//! A server's REST interface.

use std::error::Error;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use futures_util::StreamExt;

use super::stream::Messages;
use super::{Failure, Request};

/// How long a connection may take: a firewall that drops packets must not hold a person up for minutes.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long an answer may take: longer than the server's own limit on any question.
const ANSWER_MAX: Duration = Duration::from_secs(60);

pub(super) struct Remote {
    http: reqwest::Client,
    token: Option<String>,
}

/// Makes what asks over HTTP.
pub(in crate::cli) fn http() -> reqwest::Result<reqwest::Client> {
    // The second call of one process finds it installed.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("runlog/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX)
        .build()
}

impl Remote {
    pub(super) fn new(token: Option<String>) -> Result<Remote, Failure> {
        let http = http().map_err(|error| Failure::Other(format!("no HTTP client can be made: {error}")))?;
        Ok(Remote { http, token })
    }

    pub(super) async fn ask(&self, request: Request) -> Result<(StatusCode, Bytes), Failure> {
        let what = place(&request);
        let asked = async {
            let answer = self.prepare(request).send().await?;
            let status = answer.status();
            Ok((status, answer.bytes().await?))
        };
        let answer = tokio::time::timeout(ANSWER_MAX, asked).await;
        let answer = answer.map_err(|_| unreachable(&what, format!("nothing came within {ANSWER_MAX:?}")))?;
        answer.map_err(|error: reqwest::Error| unreachable(&what, innermost(&error)))
    }

    pub(super) async fn stream(&self, request: Request) -> Result<Messages, Failure> {
        let what = place(&request);
        let answer = self.prepare(request).header(header::ACCEPT, "text/event-stream").send().await;
        let answer = answer.map_err(|error| unreachable(&what, innermost(&error)))?;
        if !answer.status().is_success() {
            let status = answer.status();
            let body = answer.bytes().await.map_err(|error| unreachable(&what, innermost(&error)))?;
            return Err(Failure::refused(status, &body));
        }
        let broken = move |error: reqwest::Error| unreachable(&what, innermost(&error));
        Ok(Messages::new(answer.bytes_stream().map(move |piece| piece.map_err(&broken))))
    }

    fn prepare(&self, request: Request) -> reqwest::RequestBuilder {
        let mut prepared = self.http.request(request.method, request.url);
        if let Some(token) = &self.token {
            prepared = prepared.bearer_auth(token);
        }
        if let Some(once) = request.once {
            prepared = prepared.header("idempotency-key", once);
        }
        match request.body {
            Some(body) => prepared.header(header::CONTENT_TYPE, body.kind).body(body.bytes),
            None => prepared,
        }
    }
}

fn place(request: &Request) -> String {
    request.url.origin().ascii_serialization()
}

fn unreachable(what: &str, why: String) -> Failure {
    Failure::Unreachable { what: what.to_owned(), why }
}

/// What lies at the bottom of an error: "connection refused", and not who wrapped it.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
