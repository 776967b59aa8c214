//! Requests that must not be done twice: the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07).

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::access::Caller;
use super::extract;
use super::form;
use super::problem::{Code, Problem};
use super::service::Service;
use super::table::{Body as Kind, Route};
use crate::model::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use crate::store::{Begun, KeptAnswer};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Bytes of an answer that is kept: an answer about a run is far below it.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Marks an answer that was given before.
#[derive(Clone)]
pub(super) struct Replayed;

/// Runs the handler, or gives the answer that the same request with the same key was given.
pub(super) async fn run(
    service: &Arc<Service>,
    route: &Route,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = request.headers().get(KEY).filter(|_| request.method() == Method::POST).cloned();
    if key.is_none() && (route.body != Kind::Form || route.action.is_none()) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let body = extract::read(&parts, body, route.body).await?;
    let key = match key {
        Some(key) => key,
        None => match form::once_of(&body).await.and_then(|key| HeaderValue::from_str(&key).ok()) {
            Some(key) => key,
            None => return Ok(next.run(Request::from_parts(parts, Body::from(body))).await),
        },
    };
    let key = checked(&key)?;
    let caller = parts.extensions.get::<Caller>();
    let caller = caller.ok_or_else(|| Problem::new(Code::Internal, "nobody decided about this request"))?;
    // Keys of different callers are different keys.
    let namespace = caller.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
    let scope = format!("{namespace}\n{}", caller.who);
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    let mut hash = Sha256::new();
    hash.update(format!("{} {uri}\n", parts.method));
    hash.update(&body);
    // An answer that was kept by a service which hides other values is not this one's to give.
    service.redaction.paths().for_each(|path| hash.update(format!("\n{path}")));
    match service.desk().await?.begin(&scope, &key, &hash.finalize()).await? {
        Begun::Busy => {
            Err(Problem::new(Code::IdempotencyInFlight, "a request with this Idempotency-Key is under way"))
        }
        Begun::Other => Err(Problem::new(
            Code::IdempotencyMismatch,
            "this Idempotency-Key came with another request: every request has a key of its own",
        )),
        Begun::Answered(answer) => Ok(again(answer)),
        Begun::New => {
            let (service, request) = (Arc::clone(service), Request::from_parts(parts, Body::from(body)));
            // On its own: when the client goes away the request is carried out all the same, and its answer kept.
            let done = tokio::spawn(async move { carry_out(&service, &scope, &key, request, next).await });
            done.await.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the request's handler panicked")))
        }
    }
}

fn checked(key: &HeaderValue) -> Result<String, Problem> {
    let text = key.to_str().ok().map(|text| text.trim().trim_matches('"'));
    let fits = |text: &&str| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len());
    let refused =
        || Problem::new(Code::InvalidHeader, "Idempotency-Key must have 1 to 255 visible ASCII characters");
    text.filter(fits).map(str::to_owned).ok_or_else(refused)
}

async fn carry_out(
    service: &Service,
    scope: &str,
    key: &str,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let response = next.run(request).await;
    let desk = service.desk().await?;
    // What came to nothing may be tried again with the same key.
    if !response.status().is_success() && response.status() != StatusCode::SEE_OTHER {
        desk.give_up(scope, key).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let too_large = |error: axum::Error| Problem::new(Code::Internal, error.to_string());
    let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(too_large)?;
    let location = parts.headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        location: location.map(str::to_owned),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    if let Err(error) = desk.finish(scope, key, &answer).await {
        tracing::warn!(%error, "an answer is not kept: the same key counts as under way, then as new");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn again(answer: KeptAnswer) -> Response {
    let mut response = Body::from(answer.body).into_response();
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(place) = answer.location.and_then(|place| HeaderValue::from_str(&place).ok()) {
        headers.insert(header::LOCATION, place);
    }
    response.extensions_mut().insert(Replayed);
    response
}
