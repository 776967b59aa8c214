//! Pages for a browser beside the REST interface: what the dashboard adds to the router.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request};
use axum::http::{Extensions, Uri, header};
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

/// What is kept of a request until it is answered, should it be refused.
pub(super) struct Reader {
    pages: &'static Pages,
    base: String,
    asked: String,
    cookies: String,
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
        Some(Reader {
            pages,
            base: base(request.extensions(), uri),
            asked: uri.path_and_query().map_or("/", |asked| asked.as_str()).to_owned(),
            cookies: cookies.unwrap_or_default().to_owned(),
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
        })
    }
}
