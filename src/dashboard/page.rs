//! What every page has: its head, its bar, its foot, and how a refusal looks.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::{HTMX, ICON, SCRIPT, SEARCH, STYLE};
use super::login;
use crate::clock;
use crate::http::{Action, Caller, Code, Problem, Refusal, Service, Shown, base};
use crate::model::Timestamp;

/// The policy of every page: nothing but what this router serves, and nothing written into the page itself.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What a page is told, whatever it shows.
pub(super) struct Site {
    /// Where the router is mounted: what every link begins with.
    pub(super) base: String,
    /// Who reads it.
    pub(super) caller: Option<Caller>,
    /// What it was asked for below the mount, with its query.
    pub(super) asked: String,
    /// The theme that the reader chose.
    theme: Option<&'static str>,
    /// When it was asked for.
    pub(super) now: Timestamp,
}

impl FromRequestParts<Arc<Service>> for Site {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Site, Infallible> {
        let asked = parts.uri.path_and_query().map_or("/", |asked| asked.as_str()).to_owned();
        let cookies = parts.headers.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok());
        Ok(Site {
            base: base(&parts.extensions, &parts.uri),
            caller: parts.extensions.get::<Caller>().cloned(),
            asked,
            theme: theme(cookies.unwrap_or_default()),
            now: clock::wall(),
        })
    }
}

/// Reads which theme the reader chose; else the browser's own is followed.
fn theme(cookies: &str) -> Option<&'static str> {
    let chosen = cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("runlog_theme="))?;
    ["dark", "light"].into_iter().find(|theme| *theme == chosen)
}

/// The lists of the bar: their paths, names and keys.
const PLACES: [(&str, &str, &str); 7] = [
    ("/runs", "Runs", "g r"),
    ("/failures", "Failures", "g f"),
    ("/workflows", "Workflows", "g w"),
    ("/schedules", "Schedules", "g s"),
    ("/limits", "Limits", "g l"),
    ("/nodes", "Nodes", "g n"),
    ("/audit", "Audit", "g a"),
];

impl Site {
    /// Says whether the reader may do it.
    pub(super) fn may(&self, action: Action) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.may(action))
    }

    /// Writes an address below the mount.
    pub(super) fn to(&self, path: impl std::fmt::Display) -> String {
        format!("{}{path}", self.base)
    }

    /// Makes a page. `live` is the stream of events whose news make the page look again.
    pub(super) fn page(&self, title: &str, live: Option<&str>, main: Markup) -> Response {
        self.page_with(StatusCode::OK, title, live, main)
    }

    fn page_with(&self, status: StatusCode, title: &str, live: Option<&str>, main: Markup) -> Response {
        let whole = html! {
            (DOCTYPE)
            html lang="en" data-theme=[self.theme] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="htmx-config" content=r#"{"includeIndicatorCSS":false,"history":false}"#;
                    title { (title) " · runlog" }
                    link rel="icon" type="image/svg+xml" href=(self.to(ICON.path()));
                    link rel="stylesheet" href=(self.to(STYLE.path()));
                    script src=(self.to(HTMX.path())) defer {}
                    script src=(self.to(SCRIPT.path())) defer {}
                    script src=(self.to(SEARCH.path())) defer {}
                }
                body data-base=(self.base) data-live=[live.map(|live| self.to(live))] {
                    a.skip href="#main" { "Skip to the content" }
                    (self.bar())
                    main #main tabindex="-1" { (main) }
                    (self.foot())
                    (keys())
                }
            }
        };
        let mut response = (status, whole).into_response();
        protect(response.headers_mut());
        response
    }

    fn bar(&self) -> Markup {
        let here = |path: &str| {
            let rest = self.asked.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        // Nodes belong to no namespace: who is bound to one does not see them.
        let bound = self.caller.as_ref().is_some_and(|caller| caller.namespace.is_some());
        let places = PLACES.iter().filter(|(path, ..)| match *path {
            "/audit" => self.may(Action::Admin),
            "/nodes" => !bound,
            _ => true,
        });
        html! {
            header.bar {
                a.brand href=(self.to("/runs")) { "runlog" }
                nav aria-label="Lists" {
                    @for (path, name, key) in places {
                        a href=(self.to(path)) aria-current=[here(path).then_some("page")] data-key=(key) { (name) }
                    }
                }
                span.grow {}
                span #pulse.pulse role="status" {}
                button #theme type="button" hidden { "Theme" }
                button #keys-open type="button" hidden { "Keys" }
                @if let Some(caller) = &self.caller { span.who title="Who you are here" { (caller.who) } }
            }
        }
    }

    fn foot(&self) -> Markup {
        html! {
            footer {
                a href=(self.to("/about")) { "runlog " (env!("CARGO_PKG_VERSION")) }
                " · "
                a href=(self.to("/api/v1/openapi.json")) { "API" }
                " · times are UTC; hover over one for all of it"
            }
        }
    }
}

/// The keys, as `?` shows them.
const KEYS: [(&str, &str); 20] = [
    ("?", "these keys"),
    ("/", "search"),
    ("g r", "runs; g f failures, g w workflows, g s schedules, g l limits, g n nodes, g a audit"),
    ("j k", "next and previous row"),
    ("o Enter", "open the row"),
    ("x", "tick the row"),
    ("e E", "next and previous error"),
    ("n p", "next and previous task"),
    ("v", "graph"),
    ("t", "timeline"),
    ("l", "logs"),
    ("i", "input and output"),
    ("[ ]", "state before and after"),
    ("d", "what differs from the last good run"),
    ("r", "replay…"),
    ("c", "cancel…"),
    ("y", "copy the page's address"),
    (".", "pause and resume live updates"),
    ("T", "light or dark"),
    ("K", "turn single keys off, or on again"),
];

fn keys() -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keys" }
            table {
                caption.hidden { "Keys and what they do" }
                tbody { @for (key, what) in KEYS { tr { th scope="row" { kbd { (key) } } td { (what) } } } }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// Adds what a browser must know of every page.
fn protect(headers: &mut HeaderMap) {
    let mut put = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    put(header::CONTENT_SECURITY_POLICY, POLICY);
    put(header::REFERRER_POLICY, "same-origin");
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
}

/// Sends the reader on.
pub(super) fn see(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Shows a refusal: what is wrong, and what to do about it.
pub(super) fn refusal(refusal: Refusal<'_>) -> Response {
    let Refusal { problem, base, asked, request_id, caller, takes_tokens, cookies, follows, way_back } =
        refusal;
    let code = problem.code();
    let login = problem.login().filter(|login| follows && HeaderValue::from_str(login).is_ok());
    if let Some(login) = login {
        return login::elsewhere(login, way_back.as_deref());
    }
    let site = Site { base, caller: caller.cloned(), asked, theme: theme(cookies), now: clock::wall() };
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if code == Code::Unauthenticated && takes_tokens {
        return site.page_with(status, "Log in", None, login::form(&site, &site.asked, None));
    }
    let main = html! {
        h1 { (code.title()) }
        p { (problem.detail()) }
        (next(&site, code))
        p.faint { (code.status()) " · " code { (code.as_str()) } " · request " code { (request_id) } }
    };
    let mut response = site.page_with(status, code.title(), None, main);
    if matches!(code.status(), 429 | 503) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Says what to do about a refusal.
fn next(site: &Site, code: Code) -> Markup {
    let back = html! { a href="" { "Try again" } };
    html! {
        p {
            @match code {
                Code::InvalidFilter | Code::InvalidQuery | Code::CursorMismatch | Code::RunNotFound | Code::NotFound => {
                    a href=(site.to("/runs")) { "All runs" }
                    " · a run's id, its key or its trace's id finds it in the search"
                }
                Code::QueryTimedOut => {
                    "Ask for less: a shorter time (" code { "since:1h" } "), one workflow, one status. " (back)
                }
                Code::Forbidden => { "Ask whoever runs this installation for it." }
                _ => { (back) " · " a href=(site.to("/runs")) { "All runs" } }
            }
        }
    }
}

/// Makes a page of a form that was refused: the same page, with what is wrong.
pub(super) fn refused(site: &Site, title: &str, problem: &Problem, form: Markup) -> Response {
    let status = StatusCode::from_u16(problem.code().status()).unwrap_or(StatusCode::BAD_REQUEST);
    let main = html! { (wrong(problem)) (form) };
    let mut response = site.page_with(status, title, None, main);
    response.extensions_mut().insert(Shown::Refused(problem.code()));
    response
}

/// Says what is wrong.
pub(super) fn wrong(problem: &Problem) -> Markup {
    html! { p.wrong role="alert" { strong { (problem.code().title()) ": " } (problem.detail()) } }
}
