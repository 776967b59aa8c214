//! Every page's address, who may see it, and which query parameters it takes.

use axum::http::Method;

use crate::http::table::{form, public, row};
use crate::http::{Action, Route};

const GET: Method = Method::GET;

/// What a list of runs is asked by.
const LIST: &[&str] = &["q", "cursor", "limit", "namespace"];

/// Every page and form, as [`http::ROUTES`](crate::http::ROUTES) lists the REST interface.
pub const PAGES: &[Route] = &[
    row(GET, "/", Action::Read, &[]),
    public("/assets/{name}"),
    form("/login", None, &[]),
    form("/logout", None, &[]),
    row(GET, "/runs", Action::Read, &["q", "cursor", "limit", "namespace", "cols"]),
    row(GET, "/columns", Action::Read, &["q", "namespace", "cols"]),
    row(GET, "/suggest", Action::Read, &["q", "namespace"]),
    row(GET, "/failures", Action::Read, LIST),
    row(GET, "/stats", Action::Read, &["q", "namespace"]),
    row(GET, "/stats.svg", Action::Read, &["q", "namespace", "at"]),
    row(GET, "/runs/{id}", Action::Read, &["all", "open", "after", "kind", "from", "to", "tour"]),
    row(GET, "/runs/{id}/tasks/{name}", Action::Read, &["attempt"]),
    row(GET, "/runs/{id}/events", Action::Read, &["after", "kind"]),
    row(GET, "/runs/{id}/events/{seq}", Action::Read, &[]),
    row(GET, "/runs/{id}/logs", Action::ReadPayload, &["task", "attempt", "level", "after"]),
    row(GET, "/runs/{id}/state", Action::ReadPayload, &["at"]),
    row(GET, "/runs/{id}/diff", Action::Read, &["with"]),
    row(GET, "/runs/{id}/replay", Action::Replay, &["from", "task", "edit"]),
    form("/runs/{id}/replay", Some(Action::Replay), &[]),
    row(GET, "/runs/{id}/cancel", Action::Cancel, &[]),
    form("/runs/{id}/cancel", Some(Action::Cancel), &[]),
    row(GET, "/runs/{id}/signal", Action::Signal, &["name"]),
    form("/runs/{id}/signal", Some(Action::Signal), &[]),
    row(GET, "/bulk", Action::Bulk, &["action", "q", "namespace"]),
    form("/bulk", Some(Action::Bulk), &[]),
    row(GET, "/bulk/{id}", Action::Read, &["after"]),
    row(GET, "/workflows", Action::Read, &["limit"]),
    row(GET, "/workflows/{name}", Action::Read, &[]),
    form("/workflows/{name}/start", Some(Action::Start), &[]),
    form("/workflows/{name}/pause", Some(Action::Pause), &[]),
    form("/workflows/{name}/resume", Some(Action::Pause), &[]),
    row(GET, "/nodes", Action::Read, &["limit"]),
    row(GET, "/schedules", Action::Read, &["after", "limit", "namespace"]),
    form("/schedules/{name}/pause", Some(Action::Schedule), &["namespace"]),
    form("/schedules/{name}/resume", Some(Action::Schedule), &["namespace"]),
    form("/schedules/{name}/trigger", Some(Action::Start), &["namespace"]),
    row(GET, "/limits", Action::Read, &["limit"]),
    row(GET, "/audit", Action::Admin, &["run", "cursor", "limit"]),
    row(GET, "/about", Action::Read, &[]),
];
