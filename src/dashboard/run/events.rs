//! The run's log.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use crate::dashboard::page::Site;
use crate::dashboard::payload;
use crate::dashboard::text::{between, clock, short};
use crate::http::routes::events::{data, page, page_of};
use crate::http::{Action, Caller, Code, Named, Params, Problem, Service, TheRun};
use crate::model::{Event, Recorded, RunEvent, TaskEvent};
use crate::store::RunRow;

/// Events of a run's page.
const EVENTS_SHOWN: u32 = 200;

/// Bytes of an event's data in a list; all of it is on the event's page.
const DATA_BYTES_SHOWN: usize = 100;

/// What events can be picked by: a name, and a word that the names of their kinds have.
const PICKS: [(&str, &[&str]); 5] = [
    ("failures", &["failed", "timed_out", "interrupted", "cancel"]),
    ("steps", &["step"]),
    ("timers", &["timer", "timed_out"]),
    ("signals", &["signal"]),
    ("children", &["child"]),
];

/// The first events, or those after the one that the page's address names, of a whole log or, without one, as far as they
/// can be read.
pub(super) async fn section(
    service: &Service,
    caller: &Caller,
    site: &Site,
    row: &RunRow,
    log: Option<&[Recorded]>,
    params: &Params,
) -> Result<Markup, Problem> {
    let (events, next) = match log {
        Some(log) => page_of(log, params, EVENTS_SHOWN)?,
        None => page(service, row, params, EVENTS_SHOWN).await?,
    };
    let here = site.to(format!("/runs/{}/events", row.run));
    let kind = params.text("kind");
    let known = || RunEvent::KINDS.iter().chain(TaskEvent::KINDS).map(|(kind, _)| *kind);
    let picks = PICKS.iter().map(|(name, words)| {
        let kinds: Vec<&str> = known().filter(|kind| words.iter().any(|word| kind.contains(word))).collect();
        (*name, kinds.join(","))
    });
    let began = row.run.created_at();
    Ok(html! {
        ul.chips aria-label="Which events" {
            li { a href=(here) aria-current=[kind.is_none().then_some("true")] { "all" } }
            @for (name, kinds) in picks {
                li { a href=(format!("{here}?kind={kinds}")) aria-current=[(kind == Some(&kinds)).then_some("true")] { (name) } }
            }
        }
        @if events.is_empty() { p.faint { "No event." } } @else {
            table.events {
                caption.hidden { "Events, in the order of the log" }
                thead { tr {
                    th.number scope="col" { "#" }
                    th.number scope="col" { "After" }
                    th scope="col" { "Kind" }
                    th scope="col" { "Of" }
                    th scope="col" { "Data" }
                } }
                tbody {
                    @for recorded in events { (one(site, caller, row, recorded, began)?) }
                }
            }
        }
        nav.pages aria-label="Pages of events" {
            @if let Some(next) = next {
                @let kind = kind.map(|kind| format!("&kind={kind}")).unwrap_or_default();
                a rel="next" href=(format!("{here}?after={next}{kind}")) { "Later events" }
            }
        }
    })
}

fn one(
    site: &Site,
    caller: &Caller,
    row: &RunRow,
    recorded: Recorded,
    began: crate::model::Timestamp,
) -> Result<Markup, Problem> {
    let (seq, at, kind) = (recorded.seq, recorded.at, recorded.event.kind());
    let of = place(&recorded);
    let bad = kind.contains("failed") || kind.contains("timed_out");
    let mut text = data(recorded, caller, false)?;
    let cut = text.len() > DATA_BYTES_SHOWN;
    text.truncate(text.floor_char_boundary(DATA_BYTES_SHOWN));
    Ok(html! {
        tr id={ "e-" (seq) } data-error[bad] {
            td { a href=(site.to(format!("/runs/{}/events/{seq}", row.run))) { (seq) } }
            td title=(at) { "+" (between(began, at)) }
            td { (kind) }
            td { (of) }
            td.data { (text) @if cut { "…" } }
        }
    })
}

/// What an event is of: its task, attempt and operation.
fn place(recorded: &Recorded) -> String {
    match &recorded.event {
        Event::Run(_) => recorded.node.map(|node| format!("node {}", node.0)).unwrap_or_default(),
        Event::Task(place, event) => {
            let op = event.op().map(|op| format!(" ▸ {}", op.name)).unwrap_or_default();
            format!("{}/{}{op}", place.task, place.attempt)
        }
    }
}

/// The log on a page of its own.
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let events = section(&service, &caller, &site, &row, None, &params).await?;
    let main = html! { (crumbs(&site, &row)) h1 { "Events of " code { (row.run) } } (events) };
    Ok(site.page(&format!("Events of {}", short(row.run)), None, main))
}

/// One event, whole.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    TheRun(row): TheRun,
    Named(text): Named,
) -> Result<Response, Problem> {
    let seq: Option<u32> = text.parse().ok().filter(|seq| *seq > 0);
    let none = || Problem::new(Code::EventNotFound, format!("run {} has no such event", row.run));
    let seq = seq.ok_or_else(none)?;
    let found = service.details().await?.log(row.run, seq - 1, 2).await?;
    let more = found.len() > 1;
    let recorded = found.into_iter().find(|recorded| recorded.seq == seq).ok_or_else(none)?;
    let (at, kind, node, of) = (recorded.at, recorded.event.kind(), recorded.node, place(&recorded));
    let text = data(recorded, &caller, true)?;
    let to = |seq: u32| site.to(format!("/runs/{}/events/{seq}", row.run));
    let main = html! {
        (crumbs(&site, &row))
        h1 { "Event " (seq) ": " (kind) }
        dl.facts {
            div { dt { "Committed" } dd { (clock(at)) } }
            @if let Some(node) = node { div { dt { "Node" } dd { (node.0) } } }
            @if !of.is_empty() { div { dt { "Of" } dd { (of) } } }
        }
        p.tools {
            @if seq > 1 { a.button rel="prev" href=(to(seq - 1)) { "‹ before" } }
            @if more { a.button rel="next" href=(to(seq + 1)) { "next ›" } }
            @if site.may(Action::ReadPayload) {
                a.button href=(site.to(format!("/runs/{}/state?at={seq}", row.run))) { "State after it" }
            }
        }
        (payload::payload(&text))
    };
    Ok(site.page(&format!("Event {seq} of {}", short(row.run)), None, main))
}

/// The way back to the run.
pub(super) fn crumbs(site: &Site, row: &RunRow) -> Markup {
    html! {
        p.crumbs {
            a href=(site.to("/runs")) { "Runs" } " ▸ "
            a href=(site.to(format!("/runs/{}", row.run))) { (row.workflow) " " code { (short(row.run)) } }
        }
    }
}
