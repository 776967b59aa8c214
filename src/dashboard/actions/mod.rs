//! What a person does from a page. Each dialog is a page of its own, and says what will happen before it does.

mod replay;
mod cancel;
mod signal;
mod bulk;
mod begin;
mod pause;
mod schedule;

use std::sync::Arc;

use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};

use super::page;
use crate::clock;
use crate::http::{Facts, Service};

pub(super) use self::begin::form as start_form;
pub(super) use self::pause::form as pause_form;
pub(super) use self::schedule::form as schedule_form;

pub(super) fn routes() -> axum::Router<Arc<Service>> {
    axum::Router::new()
        .route("/runs/{id}/replay", get(replay::ask).post(replay::act))
        .route("/runs/{id}/cancel", get(cancel::ask).post(cancel::act))
        .route("/runs/{id}/signal", get(signal::ask).post(signal::act))
        .route("/bulk", get(bulk::ask).post(bulk::act))
        .route("/bulk/{id}", get(bulk::show))
        .route("/workflows/{name}/start", post(begin::act))
        .route("/workflows/{name}/pause", post(pause::pause))
        .route("/workflows/{name}/resume", post(pause::resume))
        .route("/schedules/{name}/pause", post(schedule::pause))
        .route("/schedules/{name}/resume", post(schedule::resume))
        .route("/schedules/{name}/trigger", post(schedule::trigger))
}

/// A field that makes a form one that is carried out once, however often it is sent.
fn once() -> Markup {
    html! { input type="hidden" name="once" value=(format!("{:016x}", clock::draw_token())); }
}

/// The field for why.
fn reason(given: Option<&str>) -> Markup {
    html! {
        label for="reason" { "Reason" }
        input #reason name="reason" maxlength="1024" value=[given] placeholder="kept with the action";
    }
}

/// Sends the reader on after an action, and leaves the audit why it was done.
fn done(place: &str, reason: Option<&str>) -> Response {
    let mut response = page::see(place);
    response.extensions_mut().insert(Facts { runs: Vec::new(), reason: reason.map(str::to_owned) });
    response
}
