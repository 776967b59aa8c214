//! The page of a run: why it is where it is first, then everything about it.

mod head;
mod why;
mod tasks;
mod events;
mod logs;
mod state;
mod diff;
mod tour;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};

use self::tour::{Stop, callout};
use super::graph;
use super::mark::run_mark;
use super::page::Site;
use super::payload;
use super::text::{count, escaped, short};
use super::timeline;
use crate::http::routes::runs;
use crate::http::{Action, Caller, Params, Problem, Service, TheRun};
use crate::inspect::{Cause, Graph, Node, NodeKind, RunView, Timeline, Why};
use crate::model::{Payload, RunId, TaskName};
use crate::store::RunRow;

pub(super) fn routes() -> axum::Router<Arc<Service>> {
    axum::Router::new()
        .route("/runs/{id}", get(show))
        .route("/runs/{id}/tasks/{name}", get(tasks::show))
        .route("/runs/{id}/events", get(events::list))
        .route("/runs/{id}/events/{seq}", get(events::show))
        .route("/runs/{id}/logs", get(logs::list))
        .route("/runs/{id}/state", get(state::show))
        .route("/runs/{id}/diff", get(diff::show))
}

/// The sections below the answer: each is a place of the page's address.
const SECTIONS: [(&str, &str, &str); 6] = [
    ("graph", "Graph", "v"),
    ("timeline", "Timeline", "t"),
    ("tasks", "Tasks", ""),
    ("events", "Events", ""),
    ("logs", "Logs", "l"),
    ("io", "Input and output", "i"),
];

async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let run = row.run;
    let dossier = runs::open(&service, row.clone()).await?;
    let why = dossier.why().await?;
    if let Cause::Quarantined { .. } = why.cause
        && dossier.log().is_err()
    {
        let events = events::section(&service, &caller, &site, &row, None, &params).await;
        return Ok(damaged(&site, &row, &why, events));
    }
    let view = dossier.view().await?;
    // The others may fail by themselves: what is known is shown.
    let graph = dossier.graph().await.map_err(Problem::from);
    let events = events::section(&service, &caller, &site, &row, dossier.log().ok(), &params).await;
    let logs = match caller.may(Action::ReadPayload) {
        true => Some(logs::section(&service, &site, run).await),
        false => None,
    };
    let address = site.to(format!("/runs/{run}"));
    let zoom = timeline::asked(&params)?;
    let guided = params.text("tour").is_some() && view.status.is_failure();
    let main = html! {
        (head::head(&site, &view))
        @if guided { (callout(Stop::Why)) }
        (why::panel(&site, &why))
        @if guided { (callout(Stop::Replay)) }
        nav.sections aria-label="Sections" {
            @for (id, name, key) in SECTIONS { a href={ "#" (id) } data-key=[(!key.is_empty()).then_some(key)] { (name) } }
            @if caller.may(Action::ReadPayload) {
                a href=(format!("{address}/state?at={}", view.events)) data-key="]" { "State at event N" }
            }
            a href=(format!("{address}/diff")) data-key="d" { "Diff with the last good run" }
        }
        @if guided { (callout(Stop::State)) }
        section #graph aria-labelledby="graph-h" {
            h2 #graph-h { "Graph" }
            (or_problem(graph, |graph| drawn(&site, &graph, &params)))
        }
        section #timeline aria-labelledby="timeline-h" {
            h2 #timeline-h { "Timeline" }
            (timeline::timeline(&Timeline::zoomed(&view, site.now, zoom), &|task| Some(task_page(&site, run, task))))
        }
        section #tasks aria-labelledby="tasks-h" { h2 #tasks-h { "Tasks" } (tasks::table(&site, &view)) }
        section #events aria-labelledby="events-h" {
            h2 #events-h { "Events " span.faint { (count(u64::from(view.events))) } }
            (or_problem(events, |events| events))
        }
        section #logs aria-labelledby="logs-h" {
            h2 #logs-h { "Logs" }
            @match logs {
                Some(logs) => (or_problem(logs, |logs| logs)),
                None => p.faint { "Log lines need the permission " code { "read_payload" } "." },
            }
        }
        section #io aria-labelledby="io-h" { h2 #io-h { "Input and output" } (io(&site, &view)) }
    };
    let title = format!("{} {} {}", run_mark(view.status).icon, view.workflow, short(run));
    let live =
        (!view.status.is_terminal()).then(|| format!("/api/v1/runs/{run}/stream?after={}", view.events));
    Ok(site.page(&title, live.as_deref(), main))
}

/// The page of a run whose log cannot be read or folded: that is why nothing more happens to it, and what can be read is shown.
fn damaged(site: &Site, row: &RunRow, why: &Why, events: Result<Markup, Problem>) -> Response {
    let main = html! {
        p.crumbs { a href=(site.to("/runs")) { "Runs" } }
        h1 { (run_mark(row.status)) " " (row.workflow) " " code.id data-copy { (row.run) } }
        (why::panel(site, why))
        section #events aria-labelledby="events-h" {
            h2 #events-h { "Events" }
            (or_problem(events, |events| events))
        }
    };
    site.page(&format!("{} {} {}", run_mark(row.status).icon, row.workflow, short(row.run)), None, main)
}

/// Shows a part of a page, or why it is not there: the rest of the page stays.
fn or_problem<T>(part: Result<T, Problem>, show: impl FnOnce(T) -> Markup) -> Markup {
    match part {
        Ok(part) => show(part),
        Err(problem) => super::page::wrong(&problem),
    }
}

/// Draws the graph: like child runs stacked unless they are asked for (`open`), and of a large one only the failed path unless
/// it is asked for as a whole (`all`).
fn drawn(site: &Site, graph: &Graph, params: &Params) -> Markup {
    let open = params.text("open").and_then(|task| TaskName::new(task).ok());
    // Who opens a stack wants to see what is in it, however large the graph becomes.
    let is_whole = params.text("all").is_some() || open.is_some();
    let link = |node: &Node| match &node.kind {
        NodeKind::Task { task, .. } => Some(task_page(site, graph.run, task)),
        NodeKind::Child { run, .. } => Some(site.to(format!("/runs/{run}"))),
        NodeKind::Stack { task, .. } => Some(format!("?open={}#graph", escaped(task.as_str()))),
    };
    let stacked = graph.stacked(open.as_slice());
    let path = (stacked.begins_with_failed_path() && !is_whole).then(|| stacked.failed_path()).flatten();
    html! {
        @if let Some(path) = &path {
            p.faint {
                "Only the way to what failed, " (path.nodes.len()) " of " (stacked.nodes.len()) " nodes. "
                a href="?all=1#graph" { "All of it" }
            }
        }
        (graph::graph(path.as_ref().unwrap_or(&stacked), &link))
    }
}

fn task_page(site: &Site, run: RunId, task: &TaskName) -> String {
    site.to(format!("/runs/{run}/tasks/{}", escaped(task.as_str())))
}

/// What it was given, and what it gave.
fn io(site: &Site, view: &RunView) -> Markup {
    let raw = |name: &str| site.to(format!("/api/v1/runs/{}/{name}", view.id));
    html! {
        @if site.may(Action::ReadPayload) {
            h3 { "Input" }
            (shown(&view.input, &raw("input")))
            h3 { "Output" }
            @match &view.output {
                Some(output) => (shown(output, &raw("output"))),
                None => p.faint { "None: it is " (view.status) "." },
            }
        } @else {
            p.faint {
                "The input has " (count(view.input.text().len() as u64)) " bytes. Payloads need the permission "
                code { "read_payload" } "."
            }
        }
    }
}

/// A payload with a link to all of it, byte for byte.
pub(super) fn shown(payload: &Payload, raw: &str) -> Markup {
    html! {
        (payload::payload(payload.text()))
        p.faint { a href=(raw) download { "raw" } ", " (count(payload.text().len() as u64)) " bytes" }
    }
}

/// A link to a run, with how it stands.
pub(super) fn link(site: &Site, run: RunId, status: Option<crate::model::Status>) -> Markup {
    html! {
        @if let Some(status) = status { (run_mark(status)) " " }
        a href=(site.to(format!("/runs/{run}"))) title=(run) { code { (short(run)) } }
    }
}
