//! The REST interface: everything about runs over HTTP, as a router to mount in any axum service.
//!
//! ```no_run
//! # async fn mount(runtime: runlog::Runtime) {
//! use runlog::http::{Access, Action};
//!
//! #[derive(Clone)]
//! struct User { name: String, admin: bool }
//!
//! let runlog = runlog::http::router(&runtime)
//!     .access(|request| match request.extensions.get::<User>() {
//!         Some(user) if user.admin => Access::all(&user.name),
//!         Some(user) => Access::read_only(&user.name).allow(Action::Replay),
//!         None => Access::unauthenticated(),
//!     })
//!     .into_router();
//! let app: axum::Router = axum::Router::new().nest("/admin/runlog", runlog);
//! # }
//! ```
//!
//! Without a decision about access there is no router:
//!
//! ```compile_fail
//! # async fn mount(runtime: runlog::Runtime) {
//! let app: axum::Router = runlog::http::router(&runtime).into_router();
//! # }
//! ```
//!
//! ```no_run
//! # async fn mount(runtime: runlog::Runtime) {
//! let app: axum::Router = runlog::http::router(&runtime).allow_all_insecure().into_router();
//! # }
//! ```
//!
//! `docs/API.md` lists every address, the errors, and what is promised. Readers have connections of their own with a
//! limit on every question's time, so that whatever they ask, the engine goes on.

mod access;
pub(crate) mod token;
mod once;
mod audit;
mod bulk;
mod problem;
mod refusals;
pub(crate) mod table;
mod pages;
mod service;
mod extract;
mod form;
mod part;
mod observe;
mod compress;
mod body;
pub(crate) mod routes;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::middleware;

pub use self::access::{Access, Action, UnknownAction};
pub use self::problem::Code;
pub use self::table::{Body, ROUTES, Route};
pub use self::token::{Grant, Secret, Token, TokenError, Tokens};

#[cfg(feature = "dashboard")]
pub(crate) use self::{
    access::Caller,
    audit::{Facts, Shown},
    extract::{NUMBER_MAX, Named, Params, TheRun},
    form::Form,
    pages::{Pages, Refusal, base, is_path},
    problem::{Problem, named, paid},
    service::Service,
};

use self::access::Gate;
#[cfg(not(feature = "dashboard"))]
use self::{pages::Pages, service::Service};
pub use crate::model::redaction::{Redaction, RedactionError};
use crate::runtime::Runtime;

/// Marks a request that this process made itself: what it sends stands in memory already, and is taken at any size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InThisProcess;

/// Begins to build the router. Who may do what must be decided before it is one.
pub fn router(runtime: &Runtime) -> Routes<Undecided> {
    Routes {
        runtime: runtime.clone(),
        redaction: Redaction::default(),
        gate: Gate::Open,
        pages: None,
        state: PhantomData,
    }
}

/// The same with pages for a browser.
#[cfg(feature = "dashboard")]
pub(crate) fn router_with(runtime: &Runtime, pages: &'static Pages) -> Routes<Undecided> {
    Routes { pages: Some(pages), ..router(runtime) }
}

/// Returns the OpenAPI 3.1 document as JSON: what `GET /api/v1/openapi.json` answers.
pub fn openapi() -> String {
    let (_, document) = routes::all();
    let mut json = document.to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// A router under construction; see [`router`].
#[must_use = "a router serves when it is mounted"]
pub struct Routes<State> {
    runtime: Runtime,
    redaction: Redaction,
    gate: Gate,
    pages: Option<&'static Pages>,
    state: PhantomData<State>,
}

/// Nobody said yet who may do what.
#[derive(Debug)]
pub enum Undecided {}

/// It is decided who may do what.
#[derive(Debug)]
pub enum Guarded {}

impl<State> Routes<State> {
    /// Hides values of users wherever the service tells of them: on pages, in the REST interface, its streams, raw files and
    /// exports. In their places stands the string `‹redacted›`; the runs themselves, and what is started, replayed or signalled
    /// through the service, have the values.
    ///
    /// Each path leads from the root of an input, an output, a signal, a chunk, an event's payload or a log line's fields:
    /// `$.card`, `$.items[*].card`, `$..password`, `$["card number"]`; see [`Redaction`]. Called again it adds paths. Texts are
    /// not looked through: errors, log messages, tags, keys and names are shown as they are.
    ///
    /// ```no_run
    /// # async fn mount(runtime: runlog::Runtime) -> Result<axum::Router, runlog::http::RedactionError> {
    /// let routes = runlog::http::router(&runtime).redact(["$.card", "$..password"])?;
    /// # Ok(routes.allow_local_insecure().into_router())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RedactionError`] for a path that cannot be read: which, where in it, and why.
    pub fn redact<P: AsRef<str>>(
        mut self,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Routes<State>, RedactionError> {
        self.redaction.add(paths)?;
        Ok(self)
    }

    /// The same for paths that were read before.
    #[cfg(feature = "cli")]
    pub(crate) fn hiding(self, redaction: Redaction) -> Routes<State> {
        Routes { redaction, ..self }
    }
}

impl Routes<Undecided> {
    /// Asks `decide` about every request, after the embedder's own middleware: what that put into the request's
    /// extensions is there.
    pub fn access(self, decide: impl Fn(&Parts) -> Access + Send + Sync + 'static) -> Routes<Guarded> {
        self.behind(Gate::Host(Box::new(decide)))
    }

    /// Lets whoever reaches the socket do everything, under the name `anyone`.
    pub fn allow_all_insecure(self) -> Routes<Guarded> {
        self.behind(Gate::Open)
    }

    /// Lets whoever is on this machine do everything, under the name `anyone`: for a socket on a loopback address. A request
    /// to another name than this machine's own is refused, for a browser can be made to send such.
    pub fn allow_local_insecure(self) -> Routes<Guarded> {
        self.behind(Gate::Local)
    }

    /// Asks for a bearer token, one of those that [`Tokens`] made in the runtime's database.
    pub fn bearer_tokens(self) -> Routes<Guarded> {
        self.behind(Gate::Tokens)
    }

    fn behind(self, gate: Gate) -> Routes<Guarded> {
        Routes {
            runtime: self.runtime,
            redaction: self.redaction,
            gate,
            pages: self.pages,
            state: PhantomData,
        }
    }
}

impl Routes<Guarded> {
    /// Makes the router. It works at any place: nested below a path, or alone.
    pub fn into_router(self) -> axum::Router {
        let (router, document) = routes::all();
        let document = document.to_json().unwrap_or_default();
        let service =
            Arc::new(Service::new(&self.runtime, self.redaction, self.gate, self.pages, document.into()));
        bulk::keep_going(&service);
        let pages = self.pages.map(|pages| (pages.routes)());
        pages
            .into_iter()
            .fold(router, axum::Router::merge)
            .fallback(routes::nothing_here)
            .method_not_allowed_fallback(routes::no_such_method)
            .layer(middleware::from_fn_with_state(Arc::clone(&service), observe::admit))
            .layer(middleware::from_fn_with_state(Arc::clone(&service), observe::observe))
            .layer(compress::layer())
            .with_state(service)
    }
}
