//! The run's state after one of its events.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::events::crumbs;
use super::why::{changes, uncompared};
use crate::dashboard::page::Site;
use crate::dashboard::payload;
use crate::dashboard::text::{clock, short};
use crate::http::routes::runs;
use crate::http::{NUMBER_MAX, Params, Problem, Service, TheRun};
use crate::inspect;

/// Changes that are shown.
const CHANGES_SHOWN_MAX: usize = 100;

pub(super) async fn show(
    State(service): State<Arc<Service>>,
    site: Site,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let last = runs::events_of(&service, &row).await?;
    let at = params.number("at", 1..=NUMBER_MAX, last)?;
    let found = inspect::state_at(service.details().await?, row.run, at).await?;
    let found = found.ok_or_else(|| Problem::no_run(&row.run.to_string()))?;
    let to = |at: u32| site.to(format!("/runs/{}/state?at={at}", row.run));
    let main = html! {
        (crumbs(&site, &row))
        h1 { "State after event " (found.seq) " of " (last) }
        p { a href=(site.to(format!("/runs/{}/events/{}", row.run, found.seq))) { (found.kind) } " at " (clock(found.at)) }
        form.inline method="get" action=(site.to(format!("/runs/{}/state", row.run))) {
            label for="at" { "Event" }
            input #at name="at" type="range" min="1" max=(last) value=(found.seq) data-submit;
            input name="at" type="number" min="1" max=(last) value=(found.seq) aria-label="Number of the event" disabled hidden;
            noscript { button { "Show" } }
        }
        p.tools {
            @if found.seq > 1 { a.button rel="prev" data-key="[" href=(to(found.seq - 1)) { "‹ before" } }
            @if found.seq < last { a.button rel="next" data-key="]" href=(to(found.seq + 1)) { "next ›" } }
        }
        h2 { "What the event changed" }
        @if found.changes.is_empty() { p.faint { "Nothing that can be listed: it is the first one, or it changed nothing but its place." } } @else {
            table.changes {
                caption.hidden { "What the event changed" }
                tbody { (changes("", &found.changes, CHANGES_SHOWN_MAX)) }
            }
        }
        @if found.changes.redacted { (uncompared()) }
        h2 { "State" }
        p.faint { "The fold of the log up to this event. What is in it is the engine's own, and may change with a release." }
        (payload::payload(&found.json))
    };
    Ok(site.page(&format!("State of {} at {}", short(row.run), found.seq), None, main))
}
