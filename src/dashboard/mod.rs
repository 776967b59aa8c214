//! The dashboard: why a run failed, within a minute, in a browser.
//!
//! A router of pages, with the REST interface beside them, to mount in any axum service at any path.
//!
//! ```no_run
//! # async fn mount(runtime: runlog::Runtime) {
//! use runlog::http::{Access, Action};
//!
//! #[derive(Clone)]
//! struct User { name: String, admin: bool }
//!
//! let dashboard = runlog::dashboard::router(&runtime)
//!     .access(|request| match request.extensions.get::<User>() {
//!         Some(user) if user.admin => Access::all(&user.name),
//!         Some(user) => Access::read_only(&user.name).allow(Action::Replay),
//!         None => Access::redirect("/login"),
//!     })
//!     .into_router();
//! let app: axum::Router = axum::Router::new().nest("/admin/runlog", dashboard);
//! # }
//! ```
//!
//! axum nests below the path without a slash at its end, and has nothing at `/admin/runlog/`; for both, add
//! `.route("/admin/runlog/", get(async || Redirect::permanent("/admin/runlog")))`.
//!
//! Access is decided as for the REST interface ([`http::router`]); a page shows only what its reader
//! may see, and only the buttons that may be pressed. Links and forms work without JavaScript, which adds live updates and
//! keys. [`redact`](Routes::redact) hides values of payloads from every reader. What a page says is made by
//! [`inspect`](crate::inspect), the same as on the command line: a page never decides what a run's status is.

mod table;
mod page;
mod assets;
mod text;
mod mark;
mod tokens;
mod payload;
mod graph;
mod timeline;
mod runs;
mod columns;
mod suggest;
mod failures;
mod ended;
mod run;
mod actions;
mod lists;
mod login;
#[doc(hidden)]
pub mod pieces;

use std::sync::Arc;

use axum::extract::Extension;
use axum::routing::{get, post};

pub use self::table::PAGES;

use crate::http::{self, Pages, Routes, Service, Undecided};
use crate::runtime::Runtime;

/// Begins to build the router. Who may do what must be decided before it is one.
pub fn router(runtime: &Runtime) -> Routes<Undecided> {
    http::router_with(runtime, &ALL)
}

static ALL: Pages = Pages { routes, table: PAGES, refusal: page::refusal };

fn routes() -> axum::Router<Arc<Service>> {
    let kept = Arc::<suggest::Kept>::default();
    axum::Router::new()
        .route("/", get(runs::home))
        .route("/assets/{name}", get(assets::get))
        .route("/login", post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/runs", get(runs::list))
        .route("/columns", get(columns::choose).layer(Extension(Arc::clone(&kept))))
        .route("/suggest", get(suggest::answer).layer(Extension(kept)))
        .route("/failures", get(failures::list))
        .route("/stats", get(ended::show))
        .route("/stats.svg", get(ended::small))
        .merge(run::routes())
        .merge(actions::routes())
        .merge(lists::routes())
}
