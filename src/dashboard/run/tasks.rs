//! The run's tasks, and one of them with its attempts and steps.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::events::crumbs;
use super::why::failure;
use super::{link, shown};
use crate::dashboard::mark::{Mark, task_mark};
use crate::dashboard::page::Site;
use crate::dashboard::text::{ago, between, clock, count, escaped, took};
use crate::dashboard::timeline::zoomed;
use crate::http::routes::tasks::find;
use crate::http::{Action, Named, Problem, Service, TheRun};
use crate::inspect::{AttemptView, RunView, StepView, TaskView};
use crate::model::{TaskStatus, Timestamp};
use crate::store::RunRow;

/// A part of a run's time that can be seen.
const LEAST: Duration = Duration::from_millis(1);

/// Tasks, steps, attempts or children that one table shows.
const ROWS_MAX: usize = 200;

/// How a task stands; one whose next attempt has its time says so.
fn mark(task: &TaskView) -> Mark {
    if task.retry_at.is_some() && task.status != TaskStatus::Failed {
        Mark::RETRYING
    } else {
        task_mark(task.status)
    }
}

pub(super) fn table(site: &Site, view: &RunView) -> Markup {
    html! {
        @if view.tasks.is_empty() { p.faint { "None yet: it has not started." } } @else {
            table {
                caption.hidden { "Tasks" }
                thead { tr {
                    th scope="col" { "Status" }
                    th scope="col" { "Task" }
                    th scope="col" { "After" }
                    th.number scope="col" { "Attempts" }
                    th.number scope="col" { "Steps" }
                    th.number scope="col" { "Took" }
                    th scope="col" { "Error" }
                } }
                tbody {
                    @for task in view.tasks.iter().take(ROWS_MAX) {
                        tr id={ "t-" (escaped(task.name.as_str())) } data-task=(task.name) data-error[task.status == TaskStatus::Failed] {
                            td { (mark(task)) }
                            td { a.open href=(site.to(format!("/runs/{}/tasks/{}", view.id, escaped(task.name.as_str())))) { (task.name) } }
                            td.faint { (task.after.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                            td.number { (task.attempts.len()) }
                            td.number { (task.steps.len()) }
                            td.number { (took(task.execution_time())) }
                            td.error { @if let Some(error) = &task.error { (error.kind) ": " (error.message) } }
                        }
                    }
                }
            }
            (more(view.tasks.len(), "tasks"))
        }
        @if !view.children.is_empty() {
            h3 { "Child runs" }
            ul.children {
                @for (run, workflow, status) in view.children.iter().take(ROWS_MAX) { li { (workflow) " " (link(site, *run, Some(*status))) } }
            }
            @if view.children.len() > ROWS_MAX {
                p.faint { a href=(site.to(format!("/runs?q=parent:{}%20since:3650d", view.id))) { "All " (count(view.children.len() as u64)) } }
            }
        }
    }
}

fn more(all: usize, what: &str) -> Markup {
    html! { @if all > ROWS_MAX { p.faint { (count((all - ROWS_MAX) as u64)) " more " (what) "." } } }
}

pub(super) async fn show(
    State(service): State<Arc<Service>>,
    site: Site,
    TheRun(row): TheRun,
    Named(name): Named,
) -> Result<Response, Problem> {
    let task = find(&service, &row, &name).await?;
    let main = html! {
        (crumbs(&site, &row))
        h1 { (mark(&task)) " " (task.name) }
        dl.facts {
            @if !task.after.is_empty() { div { dt { "After" } dd { (task.after.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) } } }
            @if let Some(started) = task.started_at { div { dt { "Started" } dd { (clock(started)) } } }
            div { dt { "Took" } dd { (took(task.execution_time())) } }
            @if let Some(latency) = task.queue_latency() { div { dt { "Queued" } dd { (took(Some(latency))) } } }
            @if let Some(retry) = task.retry_at { div { dt { "Next attempt" } dd { (ago(retry, site.now)) } } }
        }
        p.tools {
            @if row.status.is_terminal() && site.may(Action::Replay) {
                a.button href=(site.to(format!("/runs/{}/replay?task={}", row.run, escaped(task.name.as_str())))) { "Replay from here…" }
            }
            @if site.may(Action::ReadPayload) {
                a.button href=(site.to(format!("/runs/{}/logs?task={}", row.run, escaped(task.name.as_str())))) { "Its log lines" }
            }
        }
        @if let Some(error) = &task.error { (failure(error)) }
        @if let Some(skipped) = &task.skipped { p { (skipped.because) } }
        h2 { "Attempts" }
        (attempts(&site, &row, &task.attempts))
        @if !task.steps.is_empty() { h2 { "Steps" } (steps(&site, &task.steps)) }
        @if !task.children.is_empty() {
            h2 { "Child runs" }
            ul { @for child in task.children.iter().take(ROWS_MAX) { li { (child.op) " " (link(&site, child.run, None)) } } }
            (more(task.children.len(), "child runs"))
        }
        @if site.may(Action::ReadPayload) {
            @for (from, output) in &task.inputs {
                h2 { "Given by " (from) }
                (shown(output, &site.to(format!("/api/v1/runs/{}/tasks/{}/output", row.run, escaped(from.as_str())))))
            }
            @if let Some(output) = &task.output {
                h2 { "Output" }
                (shown(output, &site.to(format!("/api/v1/runs/{}/tasks/{}/output", row.run, escaped(task.name.as_str())))))
            }
        }
    };
    Ok(site.page(&format!("{} of {}", task.name, row.workflow), None, main))
}

fn attempts(site: &Site, row: &RunRow, attempts: &[AttemptView]) -> Markup {
    let closer = |attempt: &AttemptView| {
        let began = row.started_at?;
        let after = |at: Timestamp| (at - began).to_std().unwrap_or_default();
        let ended = attempt.finished_at.unwrap_or(site.now);
        let only = zoomed(after(attempt.started_at), after(ended).max(after(attempt.started_at) + LEAST));
        Some(site.to(format!("/runs/{}{only}", row.run)))
    };
    html! {
        @if attempts.is_empty() { p.faint { "None yet." } } @else {
            table {
                caption.hidden { "Attempts" }
                thead { tr {
                    th.number scope="col" { "#" }
                    th scope="col" { "Node" }
                    th scope="col" { "Began" }
                    th.number scope="col" { "Queued" }
                    th.number scope="col" { "Ran" }
                    th scope="col" { "Error" }
                } }
                tbody {
                    @for attempt in attempts.iter().take(ROWS_MAX) {
                        tr id={ "a-" (attempt.number) } data-error[attempt.error.is_some()] {
                            td.number { (attempt.number) }
                            td { @if let Some(node) = attempt.node { (node.0) } }
                            td {
                                (clock(attempt.started_at))
                                @if let Some(only) = closer(attempt) { " " a href=(only) aria-label={ "Attempt " (attempt.number) " in the timeline" } { "timeline" } }
                            }
                            td.number { (between(attempt.queued_until, attempt.started_at)) }
                            td.number { @match attempt.finished_at { Some(end) => (between(attempt.started_at, end)), None => "–" } }
                            td { @if let Some(error) = &attempt.error { (failure(error)) } }
                        }
                    }
                }
            }
            (more(attempts.len(), "attempts"))
        }
    }
}

fn steps(site: &Site, steps: &[StepView]) -> Markup {
    let payloads = site.may(Action::ReadPayload);
    html! {
        table {
            caption.hidden { "Steps" }
            thead { tr {
                th scope="col" { "Step" }
                th.number scope="col" { "Attempt" }
                th.number scope="col" { "Tries" }
                th.number scope="col" { "Took" }
                th scope="col" { "Outcome" }
            } }
            tbody {
                @for step in steps.iter().take(ROWS_MAX) {
                    tr data-error[step.error.is_some()] {
                        td { (step.op) @if step.reused { " " (Mark::REUSED) } }
                        td.number { (step.attempt) }
                        td.number { (step.tries) }
                        td.number { @if let (Some(from), Some(to)) = (step.started_at, step.finished_at) { (between(from, to)) } @else { "–" } }
                        td.data {
                            @if let Some(error) = &step.error { (failure(error)) }
                            @else if let Some(output) = &step.output { @if payloads { (brief(output.text())) } @else { (count(output.text().len() as u64)) " bytes" } }
                        }
                    }
                }
            }
        }
        (more(steps.len(), "steps"))
    }
}

/// The beginning of a payload.
fn brief(text: &str) -> String {
    const BYTES: usize = 300;
    let cut = text.get(..text.floor_char_boundary(BYTES)).unwrap_or(text);
    if cut.len() < text.len() { format!("{cut}…") } else { cut.to_owned() }
}
