//! What there is besides runs.

mod workflows;
mod nodes;
mod schedules;
mod limits;
mod audit;
mod about;

use std::sync::Arc;

use axum::routing::get;

use crate::http::Service;

pub(super) fn routes() -> axum::Router<Arc<Service>> {
    axum::Router::new()
        .route("/workflows", get(workflows::list))
        .route("/workflows/{name}", get(workflows::show))
        .route("/nodes", get(nodes::list))
        .route("/schedules", get(schedules::list))
        .route("/limits", get(limits::list))
        .route("/audit", get(audit::list))
        .route("/about", get(about::show))
}
