//! Every address, who may use it, and which query parameters it takes. What is not here is refused.

use axum::extract::{MatchedPath, NestedPath, Request};
use axum::http::{Extensions, Method};

use super::access::Action;
use super::pages::Pages;

/// One row of the table.
#[derive(Debug)]
pub struct Route {
    /// The method; `HEAD` goes with `GET`.
    pub method: Method,
    /// The path below the mount, as the router writes it.
    pub path: &'static str,
    /// What the caller must be allowed; `None` = anybody may ask.
    pub action: Option<Action>,
    /// The query parameters.
    pub params: &'static [&'static str],
    /// What its body holds, if it takes one.
    pub body: Body,
}

/// What the body of a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// One JSON object.
    Json,
    /// Exported runs: JSON lines.
    Exports,
    /// The fields of a page's form, as a browser sends them.
    Form,
}

pub(crate) const fn row(
    method: Method,
    path: &'static str,
    action: Action,
    params: &'static [&'static str],
) -> Route {
    Route { method, path, action: Some(action), params, body: Body::Json }
}

const fn exports(method: Method, path: &'static str, action: Action) -> Route {
    Route { method, path, action: Some(action), params: &[], body: Body::Exports }
}

#[cfg(feature = "dashboard")]
pub(crate) const fn form(
    path: &'static str,
    action: Option<Action>,
    params: &'static [&'static str],
) -> Route {
    Route { method: Method::POST, path, action, params, body: Body::Form }
}

pub(crate) const fn public(path: &'static str) -> Route {
    Route { method: Method::GET, path, action: None, params: &[], body: Body::Json }
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

/// Every route.
pub const ROUTES: &[Route] = &[
    public("/healthz"),
    public("/readyz"),
    row(GET, "/metrics", Action::Read, &[]),
    public("/api/v1/openapi.json"),
    row(GET, "/api/v1/runs", Action::Read, &["q", "cursor", "limit", "count", "namespace"]),
    row(GET, "/api/v1/tasks", Action::Read, &["q", "name", "status", "cursor", "limit", "namespace"]),
    row(GET, "/api/v1/failures", Action::Read, &["q", "namespace"]),
    row(GET, "/api/v1/stats", Action::Read, &["q", "namespace"]),
    row(GET, "/api/v1/stream", Action::Read, &["q", "limit", "namespace"]),
    row(POST, "/api/v1/runs", Action::Start, &[]),
    row(GET, "/api/v1/runs/{id}", Action::Read, &[]),
    row(GET, "/api/v1/runs/{id}/why", Action::Read, &[]),
    row(GET, "/api/v1/runs/{id}/graph", Action::Read, &["format", "width"]),
    row(GET, "/api/v1/runs/{id}/trace", Action::Read, &["after", "limit"]),
    row(GET, "/api/v1/runs/{id}/diff", Action::Read, &["with"]),
    row(GET, "/api/v1/runs/{id}/state", Action::ReadPayload, &["at"]),
    row(GET, "/api/v1/runs/{id}/tasks", Action::Read, &[]),
    row(GET, "/api/v1/runs/{id}/tasks/{name}", Action::Read, &[]),
    row(GET, "/api/v1/runs/{id}/tasks/{name}/attempts", Action::Read, &[]),
    row(GET, "/api/v1/runs/{id}/tasks/{name}/output", Action::ReadPayload, &[]),
    row(GET, "/api/v1/runs/{id}/events", Action::Read, &["after", "kind", "limit"]),
    row(GET, "/api/v1/runs/{id}/events/{seq}", Action::Read, &[]),
    row(GET, "/api/v1/runs/{id}/stream", Action::Read, &["after"]),
    row(GET, "/api/v1/runs/{id}/logs", Action::ReadPayload, &["task", "attempt", "level", "after", "limit"]),
    row(GET, "/api/v1/runs/{id}/logs.txt", Action::ReadPayload, &["task", "attempt", "level"]),
    row(GET, "/api/v1/runs/{id}/logs/stream", Action::ReadPayload, &["task", "attempt", "level", "after"]),
    row(GET, "/api/v1/runs/{id}/streams", Action::ReadPayload, &[]),
    row(GET, "/api/v1/runs/{id}/streams/{name}", Action::ReadPayload, &["after", "limit"]),
    row(GET, "/api/v1/runs/{id}/streams/{name}/stream", Action::ReadPayload, &["after"]),
    row(GET, "/api/v1/runs/{id}/export", Action::ReadPayload, &[]),
    row(GET, "/api/v1/runs/{id}/input", Action::ReadPayload, &[]),
    row(GET, "/api/v1/runs/{id}/output", Action::ReadPayload, &[]),
    row(POST, "/api/v1/runs/{id}/cancel", Action::Cancel, &[]),
    row(POST, "/api/v1/runs/{id}/replay", Action::Replay, &[]),
    row(POST, "/api/v1/runs/{id}/signals/{name}", Action::Signal, &[]),
    row(POST, "/api/v1/signals/{name}", Action::Signal, &["namespace"]),
    row(POST, "/api/v1/signals/{name}/key", Action::Signal, &["namespace"]),
    row(GET, "/api/v1/workflows", Action::Read, &["name", "limit"]),
    row(GET, "/api/v1/schedules", Action::Read, &["workflow", "prefix", "after", "limit", "namespace"]),
    row(POST, "/api/v1/schedules", Action::Schedule, &[]),
    row(GET, "/api/v1/schedules/{name}", Action::Read, &["namespace"]),
    row(DELETE, "/api/v1/schedules/{name}", Action::Schedule, &["namespace"]),
    row(POST, "/api/v1/schedules/{name}/pause", Action::Schedule, &["namespace"]),
    row(POST, "/api/v1/schedules/{name}/resume", Action::Schedule, &["namespace"]),
    row(POST, "/api/v1/schedules/{name}/move", Action::Schedule, &["namespace"]),
    row(POST, "/api/v1/schedules/{name}/trigger", Action::Start, &["namespace"]),
    row(POST, "/api/v1/bulk/schedules", Action::Schedule, &["namespace"]),
    row(GET, "/api/v1/events", Action::Read, &["key", "cursor", "limit", "namespace"]),
    row(POST, "/api/v1/events", Action::Start, &[]),
    row(GET, "/api/v1/events/{id}", Action::Read, &["namespace"]),
    row(GET, "/api/v1/subscriptions", Action::Read, &["key", "after", "limit", "namespace"]),
    row(POST, "/api/v1/subscriptions", Action::Schedule, &[]),
    row(DELETE, "/api/v1/subscriptions/{name}", Action::Schedule, &["namespace"]),
    row(GET, "/api/v1/limits", Action::Read, &["workflow", "limit"]),
    row(GET, "/api/v1/limits/{workflow}/keys", Action::Read, &["namespace", "limit"]),
    row(POST, "/api/v1/workflows/{name}/pause", Action::Pause, &[]),
    row(POST, "/api/v1/workflows/{name}/resume", Action::Pause, &[]),
    row(POST, "/api/v1/bulk", Action::Bulk, &[]),
    row(GET, "/api/v1/bulk/{id}", Action::Read, &[]),
    row(GET, "/api/v1/bulk/{id}/items", Action::Read, &["after", "limit"]),
    row(GET, "/api/v1/retention", Action::Read, &[]),
    row(PUT, "/api/v1/retention", Action::Delete, &[]),
    exports(POST, "/api/v1/import", Action::Import),
    row(DELETE, "/api/v1/retention", Action::Delete, &["of_namespace", "workflow"]),
    row(POST, "/api/v1/retention/pass", Action::Delete, &[]),
    row(GET, "/api/v1/traces/export", Action::Read, &["limit"]),
    row(GET, "/api/v1/audit", Action::Admin, &["run", "cursor", "limit"]),
    row(GET, "/api/v1/nodes", Action::Read, &["limit"]),
];

/// Finds the row of a request, here or among the pages; `None` when no handler of ours will take it.
pub(super) fn find(request: &Request, pages: Option<&Pages>) -> Option<&'static Route> {
    let path = template(request.extensions())?;
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let pages = pages.map_or(&[][..], |pages| pages.table);
    ROUTES.iter().chain(pages).find(|route| route.path == path && route.method == *method)
}

/// Returns the matched path below wherever the embedder mounted us.
fn template(extensions: &Extensions) -> Option<&str> {
    let matched = extensions.get::<MatchedPath>()?.as_str();
    match extensions.get::<NestedPath>() {
        // The mount itself is the router's root.
        Some(mount) => {
            matched.strip_prefix(mount.as_str()).map(|rest| if rest.is_empty() { "/" } else { rest })
        }
        None => Some(matched),
    }
}
