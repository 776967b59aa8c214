//! One action on many runs: what it would do first, then how far it is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::{done, once, reason};
use crate::dashboard::page::{self, Site};
use crate::dashboard::run;
use crate::dashboard::runs::Question;
use crate::dashboard::text::{ago, count, counted, escaped};
use crate::http::routes::bulk::{Preview, Start, What, begin, find, preview};
use crate::http::{Caller, Code, Form, NUMBER_MAX, Named, Params, Problem, Service, Shown};
use crate::runtime::BulkIntent;
use crate::store::{BulkItem, BulkRow};

/// Above so many runs their number must be typed.
const TYPED_ABOVE: u64 = 100;

/// Runs a second unless told: a slip must be stoppable.
const RATE_DEFAULT: u32 = 20;

/// Answers that a page shows.
const ITEMS_SHOWN: u32 = 100;

/// Says what an action on the runs of a filter would do.
pub(super) async fn ask(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let action = what(params.text("action"))?;
    let text = |name| params.text(name).map(str::to_owned);
    let wanted = start(action, Chosen::Filter(text("q").unwrap_or_default(), text("namespace")));
    propose(&service, &caller, &site, &wanted, None).await
}

/// Says what an action on the selected runs would do, or begins it.
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    form: Form,
) -> Result<Response, Problem> {
    let action = what(form.text("action"))?;
    let chosen = match form.text("by") {
        Some(_) => {
            let q = form.text("q").unwrap_or_default().to_owned();
            Chosen::Filter(q, form.text("namespace").map(str::to_owned))
        }
        None => Chosen::Runs(form.all("ids").map(str::to_owned).collect()),
    };
    let mut wanted = start(action, chosen);
    if !form.ticked("sure") {
        return propose(&service, &caller, &site, &wanted, None).await;
    }
    let rate = form.text("rate").map(str::trim).map(str::parse).transpose();
    let wrong_rate = |_| Problem::at("/rate", "expected a number of runs a second, at least 1");
    wanted.reason = form.text("reason").map(str::to_owned);
    wanted.from_start = form.ticked("from_start");
    let begun = async {
        wanted.rate = rate.map_err(wrong_rate)?;
        let many = preview(&service, &caller, &wanted).await?.count;
        let typed = form.text("typed").map(str::trim);
        if many > TYPED_ABOVE && typed != Some(many.to_string().as_str()) {
            return Err(Problem::at("/typed", format!("these are {many} runs now: type that number")));
        }
        Ok(())
    };
    match begun.await {
        Ok(()) => {
            let why = wanted.reason.clone();
            let row = begin(&service, &caller, wanted).await?;
            Ok(done(&site.to(format!("/bulk/{}", row.id)), why.as_deref()))
        }
        Err(problem) => {
            wanted.rate = None;
            propose(&service, &caller, &site, &wanted, Some(problem)).await
        }
    }
}

/// Which runs.
enum Chosen {
    /// Those that a filter finds, of a namespace; of the reader's own unless told.
    Filter(String, Option<String>),
    Runs(Vec<String>),
}

fn start(action: What, chosen: Chosen) -> Start {
    let start = Start { action, ..Start::default() };
    match chosen {
        Chosen::Filter(q, namespace) => Start { q: Some(q), namespace, ..start },
        Chosen::Runs(ids) => Start { ids, ..start },
    }
}

fn what(word: Option<&str>) -> Result<What, Problem> {
    match word {
        Some("replay") => Ok(What::Replay),
        Some("cancel") => Ok(What::Cancel),
        other => {
            let found = other.unwrap_or_default();
            Err(Problem::new(Code::InvalidQuery, format!("action is {found:?}: expected replay or cancel")))
        }
    }
}

async fn propose(
    service: &Service,
    caller: &Caller,
    site: &Site,
    wanted: &Start,
    problem: Option<Problem>,
) -> Result<Response, Problem> {
    let word = wanted.action.word();
    let title = if word == "replay" { "Replay many runs" } else { "Cancel many runs" };
    if wanted.q.is_none() && wanted.ids.is_empty() {
        let problem = Problem::at("/ids", "no run is selected");
        let back = html! { h1 { (title) } p { a href=(site.to("/runs")) { "Back to the runs" } } };
        return Ok(page::refused(site, title, &problem, back));
    }
    let preview = preview(service, caller, wanted).await?;
    let form = html! {
        h1 { (title) }
        @match &wanted.q {
            Some(q) if q.trim().is_empty() => p { "All runs of the last 24 hours." },
            Some(q) => p { "The runs that match " code { (q) } "." },
            None => p { "The runs that were selected." },
        }
        @if let Some(namespace) = &wanted.namespace { p { "Of the namespace " strong { (namespace) } "." } }
        (said(site, word, &preview))
        @if preview.count > 0 { (confirm(site, wanted, preview.count)) }
    };
    Ok(match problem {
        Some(problem) => page::refused(site, title, &problem, form),
        None => {
            let mut response = site.page(title, None, form);
            response.extensions_mut().insert(Shown::Proposed);
            response
        }
    })
}

fn said(site: &Site, word: &str, preview: &Preview) -> Markup {
    html! {
        p.headline { "Would " (word) " " (counted(preview.count, "run")) "." }
        @if !preview.sample.is_empty() {
            table {
                caption { "Some of them" }
                thead { tr { th scope="col" { "Run" } th scope="col" { "What would happen" } } }
                tbody {
                    @for (id, intent) in &preview.sample {
                        tr {
                            td { (run::link(site, *id, None)) }
                            td { @match intent {
                                Ok(BulkIntent::Cancel { status }) => { "it is " (status) " and would be cancelled" },
                                Ok(BulkIntent::Replay(plan)) => { "takes over " (counted(plan.reused.len() as u64, "task")) ", runs " (plan.rerun.len()) },
                                Err(error) => span.error { "would be refused: " (error) },
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn confirm(site: &Site, wanted: &Start, many: u64) -> Markup {
    let word = wanted.action.word();
    html! {
        form method="post" action=(site.to("/bulk")) {
            (once())
            input type="hidden" name="action" value=(word);
            input type="hidden" name="sure" value="1";
            @if let Some(q) = &wanted.q {
                input type="hidden" name="by" value="filter";
                input type="hidden" name="q" value=(q);
                @if let Some(namespace) = &wanted.namespace { input type="hidden" name="namespace" value=(namespace); }
            }
            @for id in &wanted.ids { input type="hidden" name="ids" value=(id); }
            @if word == "replay" {
                label { input type="checkbox" name="from_start" value="1" checked[wanted.from_start]; " From the start: nothing is taken over" }
            }
            label for="rate" { "Runs a second, at most" }
            input #rate name="rate" type="number" min="1" value=(RATE_DEFAULT);
            (reason(wanted.reason.as_deref()))
            @if many > TYPED_ABOVE {
                label for="typed" { "Type the number of runs, " (many) ", to go on" }
                input #typed name="typed" inputmode="numeric" autocomplete="off" required;
            }
            p.tools { button.danger { (if word == "replay" { "Replay " } else { "Cancel " }) (counted(many, "run")) } " " a href=(back(site, wanted)) { "Back" } }
        }
    }
}

/// Where the runs are listed that it is about.
fn back(site: &Site, wanted: &Start) -> String {
    match &wanted.q {
        Some(q) => {
            Question { q: q.clone(), namespace: wanted.namespace.clone(), cols: None }.link(site, "/runs", q)
        }
        None => site.to("/runs"),
    }
}

/// Shows how far an action is.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(id): Named,
    params: Params,
) -> Result<Response, Problem> {
    let row = find(&service, &caller, &id).await?;
    let after = params.number("after", 0..=NUMBER_MAX, 0)?;
    let items = service.desk().await?.bulk_items(row.id, after, ITEMS_SHOWN).await?;
    let main = html! {
        h1 { (if row.action == "replay" { "Replaying" } else { "Cancelling" }) " " (counted(u64::from(row.total), "run")) }
        div #progress data-poll[row.finished_at.is_none()] { (progress(&site, &row)) }
        (answers(&site, &row, &items))
    };
    Ok(site.page("Bulk action", None, main))
}

fn progress(site: &Site, row: &BulkRow) -> Markup {
    html! {
        p {
            progress max=(row.total) value=(row.done) { (row.done) " of " (row.total) }
            " " strong { (count(u64::from(row.done))) } " of " (count(u64::from(row.total))) " done"
            @if row.refused > 0 { ", " span.error { (count(u64::from(row.refused))) " refused" } }
            @if let Some(at) = row.finished_at { ". Finished " (ago(at, site.now)) } @else { ". Under way" }
        }
        p.faint {
            "By " (row.who) ", " (ago(row.created_at, site.now))
            @if let Some(rate) = row.rate { ", at most " (rate) " a second" }
            @if let Some(reason) = &row.reason { ": " (reason) }
        }
    }
}

fn answers(site: &Site, row: &BulkRow, items: &[BulkItem]) -> Markup {
    html! {
        table {
            caption { "Its runs, with their answers" }
            thead { tr { th.number scope="col" { "#" } th scope="col" { "Run" } th scope="col" { "Answer" } th scope="col" { "New run" } } }
            tbody {
                @for item in items {
                    tr id={ "b-" (item.place) } {
                        td.number { (item.place) }
                        td { (run::link(site, item.run, None)) }
                        td { @match (&item.outcome, &item.detail) {
                            (None, _) => span.faint { "to come" },
                            (Some(outcome), None) => (outcome),
                            (Some(outcome), Some(detail)) => span.error { (outcome) ": " (detail) },
                        } }
                        td { @if let Some(new) = item.new_run { (run::link(site, new, None)) } }
                    }
                }
            }
        }
        nav.pages aria-label="Pages" {
            @if let Some(last) = items.last().filter(|_| items.len() >= ITEMS_SHOWN as usize) {
                a rel="next" href=(site.to(format!("/bulk/{}?after={}", escaped(&row.id.to_string()), last.place))) { "More" }
            }
        }
    }
}
