//! Pages for a browser beside the REST interface: what the dashboard adds to the router.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request};
use axum::http::{Extensions, HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::access::{Caller, Gate};
use super::problem::Problem;
use super::service::Service;
use super::table::Route;

/// The pages.
pub(crate) struct Pages {
    /// Their handlers.
    pub(crate) routes: fn() -> axum::Router<Arc<Service>>,
    /// Their addresses: admitted, audited and counted as those of the REST interface are.
    pub(crate) table: &'static [Route],
    /// Shows a refusal.
    pub(crate) refusal: fn(Refusal<'_>) -> Response,
}

/// A refusal that a person is to read.
#[cfg_attr(not(feature = "dashboard"), expect(dead_code, reason = "the dashboard reads it"))]
pub(crate) struct Refusal<'a> {
    /// What is refused, and why.
    pub(crate) problem: &'a Problem,
    /// Where the router is mounted; see [`base`].
    pub(crate) base: String,
    /// What was asked for, with its query.
    pub(crate) asked: String,
    /// The request's id.
    pub(crate) request_id: &'a str,
    /// Who asked, as far as that was found out.
    pub(crate) caller: Option<&'a Caller>,
    /// Whether a bearer token would let the person in.
    pub(crate) takes_tokens: bool,
    /// The header `Cookie`.
    pub(crate) cookies: &'a str,
    /// Whether the reader can be sent elsewhere.
    pub(crate) follows: bool,
    /// The path to come back to from there.
    pub(crate) way_back: Option<String>,
}

impl Pages {
    /// Says whether what is asked for at an address is a page: one of theirs, or nothing that programs ask for.
    fn show(&self, route: Option<&Route>, path: &str) -> bool {
        match route {
            Some(route) => self.table.iter().any(|page| std::ptr::eq(page, route)),
            None => !path.starts_with("/api/"),
        }
    }
}

/// Returns the path below which the router is mounted, without a slash at its end: what every link begins with.
pub(crate) fn base(extensions: &Extensions, uri: &Uri) -> String {
    let original = extensions.get::<OriginalUri>().map_or(uri, |OriginalUri(original)| original).path();
    original.strip_suffix(uri.path()).unwrap_or(original).trim_end_matches('/').to_owned()
}

/// Says whether an address is a path on the same origin. To a browser a backslash is a slash, and a tab is nothing.
pub(crate) fn is_path(place: &str) -> bool {
    let plain = place.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && place.starts_with('/') && !place.starts_with("//")
}

/// Says whether a page's own script asks: it would put into the page whatever it is sent to.
fn is_of_script(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// What is kept of a request until it is answered, should it be refused.
pub(super) struct Reader {
    pages: &'static Pages,
    base: String,
    asked: String,
    cookies: String,
    follows: bool,
    way_back: Option<String>,
}

impl Reader {
    /// Keeps what a refusal of a page tells; `None` when programs ask.
    pub(super) fn of(
        pages: Option<&'static Pages>,
        route: Option<&Route>,
        request: &Request,
    ) -> Option<Reader> {
        let pages = pages.filter(|pages| pages.show(route, request.uri().path()))?;
        let uri = request.uri();
        let cookies = request.headers().get(header::COOKIE).and_then(|cookies| cookies.to_str().ok());
        let base = base(request.extensions(), uri);
        let asked = uri.path_and_query().map_or("/", |asked| asked.as_str()).to_owned();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let whole = request.extensions().get::<OriginalUri>().map_or(uri, |OriginalUri(original)| original);
        let way_back = whole.path_and_query().map(|whole| whole.as_str().to_owned());
        Some(Reader {
            pages,
            base,
            asked,
            cookies: cookies.unwrap_or_default().to_owned(),
            follows: !is_of_script(request.headers()),
            way_back: way_back.filter(|place| reads && is_path(place)),
        })
    }

    /// Shows a refusal as a page.
    pub(super) fn refuse(
        self,
        service: &Service,
        problem: &Problem,
        request_id: &str,
        caller: Option<&Caller>,
    ) -> Response {
        (self.pages.refusal)(Refusal {
            problem,
            base: self.base,
            asked: self.asked,
            request_id,
            caller,
            takes_tokens: matches!(service.gate, Gate::Tokens),
            cookies: &self.cookies,
            follows: self.follows,
            way_back: self.way_back,
        })
    }
}
