//! Pausing, resuming and triggering a schedule.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::{done, once};
use crate::dashboard::page::{self, Site};
use crate::dashboard::text::escaped;
use crate::http::routes::schedules::theirs;
use crate::http::{Action, Caller, Facts, Named, Params, Problem, Service};
use crate::store::ScheduleRow;

pub(super) async fn pause(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(name): Named,
    params: Params,
) -> Result<Response, Problem> {
    theirs(&service, &caller, &params)?.pause(&[&name], &caller.who).await?;
    Ok(done(&list(&site, &params), None))
}

pub(super) async fn resume(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(name): Named,
    params: Params,
) -> Result<Response, Problem> {
    theirs(&service, &caller, &params)?.resume(&[&name]).await?;
    Ok(done(&list(&site, &params), None))
}

/// Starts a run of it now, out of turn, and shows it.
pub(super) async fn trigger(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(name): Named,
    params: Params,
) -> Result<Response, Problem> {
    let run = theirs(&service, &caller, &params)?.trigger(&name, Some(&caller.who)).await?.id();
    let mut response = page::see(&site.to(format!("/runs/{run}")));
    response.extensions_mut().insert(Facts { runs: vec![run], reason: None });
    Ok(response)
}

fn list(site: &Site, params: &Params) -> String {
    let namespace = params.text("namespace").map(|name| format!("?namespace={}", escaped(name)));
    site.to(format!("/schedules{}", namespace.unwrap_or_default()))
}

/// The buttons of a schedule's row.
pub(in crate::dashboard) fn form(site: &Site, row: &ScheduleRow) -> Markup {
    let name = escaped(row.spec.name.as_str());
    let namespace = escaped(row.spec.namespace.as_str());
    let to = |verb: &str| site.to(format!("/schedules/{name}/{verb}?namespace={namespace}"));
    let button = |verb: &str, word: &str| {
        html! {
            form.inline method="post" action=(to(verb)) { (once()) button { (word) } }
        }
    };
    html! {
        @if site.may(Action::Schedule) {
            @if row.paused_at.is_some() { (button("resume", "Resume")) } @else if row.next_at.is_some() { (button("pause", "Pause")) }
        }
        @if site.may(Action::Start) { (button("trigger", "Run now")) }
    }
}
