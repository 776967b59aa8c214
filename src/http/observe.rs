//! What happens to every request: it gets an id, is admitted or refused, and is counted.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::access::Caller;
use super::extract::Params;
use super::pages::Reader;
use super::problem::{Code, Problem};
use super::service::Service;
use super::table::{self, Route};
use super::{audit, once};
use crate::clock;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RELEASE: HeaderName = HeaderName::from_static("runlog-version");

/// The longest id of a request that is taken over from its sender.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Gives the request its id, and the answer its last touch.
pub(super) async fn observe(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    let found = table::find(&request, service.pages);
    let route = found.map_or("other", |route| route.path);
    let reader = Reader::of(service.pages, found, &request);
    let method = known(request.method());
    let instance = request.extensions().get::<OriginalUri>().map_or(request.uri(), |OriginalUri(uri)| uri);
    let instance = instance.path().to_owned();
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let (code, detail) = (problem.code().as_str(), problem.detail());
        tracing::debug!(request_id = %id, method, route, code, detail, "refused");
        let allow = response.headers_mut().remove(header::ALLOW);
        let caller = response.extensions_mut().remove::<Caller>();
        response = match reader {
            Some(reader) => reader.refuse(&service, &problem, &id, caller.as_ref()),
            None => problem.render(&instance, &id),
        };
        response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(RELEASE, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    service.runtime.meters().requested(route, method, response.status().as_u16(), began.elapsed());
    response
}

/// Admits the request, or refuses it, and notes in the audit what changes something; a request that no handler takes passes
/// on to its 404 or 405.
pub(super) async fn admit(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let Some(route) = table::find(&request, service.pages) else { return next.run(request).await };
    let (mut parts, body) = request.into_parts();
    let entered = enter(&service, route, &mut parts).await;
    let caller = parts.extensions.get::<Caller>().cloned();
    let deed = if changes(&parts.method) { audit::Draft::new(&mut parts, route).await } else { None };
    let response = match entered.and_then(|()| service.seat(route.body)) {
        Ok(_seat) => once::run(&service, route, Request::from_parts(parts, body), next).await,
        Err(problem) => Err(problem),
    };
    let mut response = response.unwrap_or_else(IntoResponse::into_response);
    if let Some(caller) = caller {
        response.extensions_mut().insert(caller);
    }
    match deed {
        Some(deed) => deed.note(&service, response).await,
        None => response,
    }
}

async fn enter(service: &Service, route: &Route, parts: &mut Parts) -> Result<(), Problem> {
    same_site(&parts.method, &parts.headers)?;
    if let Some(action) = route.action {
        let caller = service.gate.admit(service, parts).await?;
        parts.extensions.insert(caller.clone());
        caller.require(action)?;
    }
    parts.extensions.insert(Params::read(&parts.uri, route.params)?);
    Ok(())
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The request's id, for whoever writes it down.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) String);

/// Refuses what a browser sends for a page of another site. Other clients send neither header.
///
/// A bearer token lets anything pass: a browser adds none by itself.
fn same_site(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if !changes(method) {
        return Ok(());
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let bearer = text(header::AUTHORIZATION).is_some_and(|value| value.starts_with("Bearer "));
    let same = match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        _ if bearer => true,
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let place = origin.split_once("://").map(|(_, place)| place);
            place.is_some() && place == text(header::HOST)
        }
        (None, None) => true,
    };
    let refusal = "a page of another site sent this: send it from this origin, or with a bearer token";
    if same { Ok(()) } else { Err(Problem::new(Code::CrossSite, refusal)) }
}

/// Takes the sender's id where it is one, else makes one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let fit = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    given.filter(fit).map_or_else(|| format!("{:016x}", clock::draw_token()), str::to_owned)
}

fn known(method: &Method) -> &'static str {
    let all = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    let names = ["GET", "HEAD", "POST", "PUT", "DELETE"];
    all.iter().zip(names).find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}
