//! What differs between two runs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::events::crumbs;
use super::link;
use super::why::{changes, failure, start, uncompared};
use crate::dashboard::mark::task_mark;
use crate::dashboard::page::Site;
use crate::dashboard::text::{ago, short, took};
use crate::http::routes::explain;
use crate::http::{Action, Caller, Code, Params, Problem, Service, TheRun};
use crate::inspect::{Changes, Divergence, Passage, RunDiff, Side, TaskSide};

/// Changes of one value that are shown.
const CHANGES_SHOWN_MAX: usize = 200;

pub(super) async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let diff = match explain::difference(&service, &caller, &row, &params).await {
        Err(problem) if problem.code() == Code::RunNotFound && params.text("with").is_none() => {
            let main = html! { (crumbs(&site, &row)) h1 { "What differs" } p { "Nothing to compare with: " (problem.detail()) "." } };
            return Ok(site.page(&format!("Diff of {}", short(row.run)), None, main));
        }
        diff => diff?,
    };
    let payloads = site.may(Action::ReadPayload);
    let main = html! {
        (crumbs(&site, &row))
        h1 { "What differs" }
        (sides(&site, &diff))
        @if diff.redacted { (uncompared()) }
        h2 { "Started with" }
        (start(&diff.start, payloads))
        h2 { "Course" }
        @match &diff.course {
            None => p { "They took the same course." },
            Some(Divergence { a, b }) => {
                p { "They took another course from here on:" }
                ul { li { "the first one: " (passage(&site, &diff.a, a)) } li { "this one: " (passage(&site, &diff.b, b)) } }
            },
        }
        h2 { "Tasks" }
        (tasks(&diff))
        @if payloads {
            h2 { "Output" }
            @if diff.output.is_empty() { p.faint { (same(&diff.output)) "." } } @else {
                table.changes { caption.hidden { "Outputs" } tbody { (changes("output", &diff.output, CHANGES_SHOWN_MAX)) } }
            }
        }
    };
    Ok(site.page(&format!("{} against {}", short(diff.a.run), short(diff.b.run)), None, main))
}

/// How two values are called in which nothing was found to differ.
fn same(found: &Changes) -> &'static str {
    if found.redacted { "the same, but for what is hidden" } else { "the same" }
}

fn sides(site: &Site, diff: &RunDiff) -> Markup {
    let sides = [&diff.a, &diff.b];
    html! {
        table {
            caption.hidden { "The two runs" }
            thead { tr { th scope="col" { "" } th scope="col" { "The other one" } th scope="col" { "This one" } } }
            tbody {
                tr { th scope="row" { "Run" } @for side in sides { td { (link(site, side.run, Some(side.status))) } } }
                tr { th scope="row" { "Version" } @for side in sides { td { (side.version) } } }
                tr { th scope="row" { "Created" } @for side in sides { td { (ago(side.created_at, site.now)) } } }
                tr { th scope="row" { "Took" } @for side in sides { td { (took(side.execution)) } } }
                tr { th scope="row" { "Node" } @for side in sides { td { @if let Some(node) = side.node { (node.0) } } } }
                tr { th scope="row" { "Events" } @for side in sides { td { (side.events) } } }
                tr { th scope="row" { "Error" } @for side in sides { td { @match &side.error { Some(error) => (failure(error)), None => "–" } } } }
            }
        }
    }
}

fn passage(site: &Site, side: &Side, passage: &Option<Passage>) -> Markup {
    html! {
        @match passage {
            None => "its log ends",
            Some(at) => {
                a href=(site.to(format!("/runs/{}/events/{}", side.run, at.seq))) { "event " (at.seq) } " " (at.kind)
                @if let Some(place) = &at.place { " of " (place.task) ", attempt " (place.attempt) }
                @if let Some(op) = &at.op { " ▸ " (op) }
            },
        }
    }
}

fn tasks(diff: &RunDiff) -> Markup {
    let side = |side: &Option<TaskSide>| {
        html! {
            @match side {
                None => td { "–" },
                Some(side) => td {
                    (task_mark(side.status)) " " (took(side.execution))
                    @if side.attempts > 1 { ", " (side.attempts) " attempts" }
                    @if let Some(error) = &side.error { " " span.error { (error.kind) ": " (error.message) } }
                },
            }
        }
    };
    html! {
        table {
            caption.hidden { "Tasks of both" }
            thead { tr {
                th scope="col" { "Task" } th scope="col" { "The other one" } th scope="col" { "This one" } th scope="col" { "Output" }
            } }
            tbody { @for task in &diff.tasks {
                tr {
                    th scope="row" { (task.name) }
                    (side(&task.a)) (side(&task.b))
                    td { @if task.output.is_empty() { (same(&task.output)) } @else { (task.output.total) " differences" } }
                }
            } }
        }
    }
}
