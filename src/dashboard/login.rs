//! Logging in where a token lets people in: the browser keeps it in a cookie that no script can read.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use maud::{Markup, html};

use super::page::{self, Site};
use super::text::escaped;
use crate::http::token::{self, COOKIE};
use crate::http::{Code, Form, Problem, Service, is_path};

/// Asks for a token; afterwards the reader is where he wanted to go.
pub(super) fn form(site: &Site, next: &str, problem: Option<&Problem>) -> Markup {
    html! {
        h1 { "Log in" }
        @if let Some(problem) = problem { (page::wrong(problem)) }
        form.narrow method="post" action=(site.to("/login")) {
            input type="hidden" name="next" value=(next);
            label for="token" { "Token" }
            input #token name="token" type="password" autocomplete="current-password" required autofocus;
            p.faint { "Whoever runs this installation makes one: " code { "runlog token new" } }
            button { "Log in" }
        }
    }
}

/// Lets in whoever has a token that is valid.
pub(super) async fn log_in(
    State(service): State<Arc<Service>>,
    site: Site,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let next = form.text("next").filter(|next| is_path(next)).unwrap_or("/runs");
    let secret = form.text("token").unwrap_or_default().trim();
    let mut sent = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {secret}")) {
        sent.insert(header::AUTHORIZATION, value);
    }
    if token::access(service.desk().await?, &sent).await?.caller().is_err() {
        let problem =
            Problem::new(Code::Unauthenticated, "the token is not valid: it was revoked, or mistyped");
        return Ok(page::refused(&site, "Log in", &problem, self::form(&site, next, None)));
    }
    Ok(with_cookie(page::see(&site.to(next)), &site, &headers, secret, ""))
}

/// Sends a reader to the embedder's own login, with the way back if that is on the same origin.
pub(super) fn elsewhere(login: &str, way_back: Option<&str>) -> Response {
    let way_back = way_back.filter(|_| is_path(login)).map(|place| {
        let sign = if login.contains('?') { '&' } else { '?' };
        format!("{sign}next={}", escaped(place))
    });
    page::see(&format!("{login}{}", way_back.unwrap_or_default()))
}

/// Forgets the token.
pub(super) async fn log_out(site: Site, headers: HeaderMap) -> Response {
    with_cookie(page::see(&site.to("/runs")), &site, &headers, "", "; Max-Age=0")
}

/// Sets the cookie. A browser may send it over plain HTTP to this machine alone.
fn with_cookie(
    mut response: Response,
    site: &Site,
    headers: &HeaderMap,
    value: &str,
    rest: &str,
) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let local = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    let secure = if local { "" } else { "; Secure" };
    let path = if site.base.is_empty() { "/" } else { &site.base };
    let cookie = format!("{COOKIE}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}{rest}");
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}
