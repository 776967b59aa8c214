//! The answer: why the run is where it is, and what to do about it.

use maud::{Markup, html};

use super::{link, shown};
use crate::dashboard::page::Site;
use crate::dashboard::text::{ago, count, counted, escaped};
use crate::http::Action as Permission;
use crate::inspect::{Action, Change, Changes, FieldDiff, LastGood, Similar, Site as Place, StartDiff, Why};
use crate::model::{Failure, RunId, Status};
use crate::store::LogLine;

/// Changes against the last good run that are shown; all of them are on the page of the differences.
const CHANGES_SHOWN_MAX: usize = 5;

/// Characters of one value of a change.
const VALUE_CHARS_MAX: usize = 60;

pub(super) fn panel(site: &Site, why: &Why) -> Markup {
    let bad = matches!(why.status, Status::Failed | Status::TimedOut);
    html! {
        section.why #why aria-labelledby="why-h" data-error[bad] {
            h2 #why-h { "Why" }
            p.headline { (why.headline()) }
            @if why.path.len() > 1 {
                p.path { "The way to the cause: "
                    @for (at, hop) in why.path.iter().enumerate() {
                        @if at > 0 { " ▸ " }
                        (hop.workflow) " " (link(site, hop.run, Some(hop.status)))
                        @if let Some(task) = &hop.task { " ▸ " (task) }
                    }
                }
            }
            @if let Some(place) = &why.site { (at(site, place)) }
            @if !why.waits.is_empty() {
                ul { @for wait in &why.waits {
                    li { "Waits for " (wait.waiting) @if let Some(since) = wait.since { ", since " (ago(since, site.now)) } }
                } }
            }
            @if site.may(Permission::ReadPayload) && !why.lines.is_empty() { (lines(site, why.run, &why.lines)) }
            @if let Some(similar) = &why.similar { (alike(site, similar)) }
            @if let Some(good) = &why.last_good { (differs(site, why.run, good)) }
            (next(site, why.run, &why.actions))
        }
    }
}

/// Where it lies: task, attempt and step, the error with its chain and source line, and what they were given.
fn at(site: &Site, place: &Place) -> Markup {
    let task = site.to(format!("/runs/{}/tasks/{}", place.run, escaped(place.task.as_str())));
    html! {
        p {
            "Task " a href=(task) { strong { (place.task) } }
            @if let Some(step) = &place.step {
                ", step " strong { (step.op.name) }
                @if step.tries > 1 { ", try " (step.tries) @if let Some(most) = step.tries_max { " of " (most) } }
            }
            ", attempt " (place.attempt)
            @if let Some(most) = place.attempts_max { " of " (most) }
            @if let Some(retryable) = place.retryable { @if !retryable { ", an error that is not tried again" } }
            @if let Some(node) = place.node { ", on node " (node.0) }
        }
        @if let Some(error) = &place.error { (failure(error)) }
        @if let Some(error) = &place.attempt_error { p { "The code made of it:" } (failure(error)) }
        @if site.may(Permission::ReadPayload) {
            details open { summary { "Input" }
                (shown(&place.input, &site.to(format!("/api/v1/runs/{}/input", place.run))))
            }
            @for (name, output) in &place.inputs {
                details { summary { (name) " gave" }
                    (shown(output, &site.to(format!("/api/v1/runs/{}/tasks/{}/output", place.run, escaped(name.as_str())))))
                }
            }
        }
    }
}

/// An error with what caused it, and where.
pub(super) fn failure(failure: &Failure) -> Markup {
    html! {
        div.failure {
            p { strong { (failure.kind) } ": " (failure.message) }
            @for cause in &failure.chain { p.cause { "caused by: " (cause) } }
            @if let Some(location) = &failure.location { p.cause { "at " code data-copy { (location) } } }
        }
    }
}

fn lines(site: &Site, run: RunId, lines: &[LogLine]) -> Markup {
    html! {
        div.lines {
            @for line in lines { (super::logs::line(line, false)) }
            p.faint { a href=(site.to(format!("/runs/{run}/logs"))) { "All lines" } }
        }
    }
}

fn alike(site: &Site, similar: &Similar) -> Markup {
    let more = if similar.capped { "+" } else { "" };
    html! {
        p {
            @match similar.newest.first() {
                None => "No other run failed for the same cause.",
                Some(_) => {
                    strong { (count(similar.all)) (more) } " other runs failed for the same cause, "
                    (count(similar.day)) " of them in 24 hours: "
                    a href=(site.to(format!("/runs?q={}", escaped(&similar.filter.to_string())))) { "show them" }
                },
            }
        }
    }
}

fn differs(site: &Site, run: RunId, good: &LastGood) -> Markup {
    html! {
        div.differs {
            p {
                "The last good run is " (link(site, good.run, Some(Status::Succeeded)))
                @if let Some(at) = good.finished_at { ", " (ago(at, site.now)) }
                ". "
                a href=(site.to(format!("/runs/{run}/diff?with={}", good.run))) { "Everything that differs" }
            }
            (start(&good.changes, site.may(Permission::ReadPayload)))
        }
    }
}

/// What two runs were started with otherwise.
pub(super) fn start(diff: &StartDiff, payloads: bool) -> Markup {
    let nothing = diff.fields.is_empty() && diff.metadata.is_empty() && diff.input.is_empty();
    html! {
        @if nothing { p.faint { "They were started with the same." } } @else {
            table.changes {
                caption.hidden { "What they were started with otherwise" }
                tbody {
                    @for FieldDiff { name, a, b } in diff.fields.iter().chain(&diff.metadata) {
                        (change(name, a.as_deref(), b.as_deref()))
                    }
                    @if payloads { (changes("input", &diff.input, CHANGES_SHOWN_MAX)) }
                }
            }
            @if !payloads && !diff.input.is_empty() { p.faint { "Their inputs differ, too." } }
        }
    }
}

/// The rows of a table of changes.
pub(super) fn changes(of: &str, changes: &Changes, most: usize) -> Markup {
    html! {
        @for Change { path, before, after } in changes.listed.iter().take(most) {
            (change(&format!("{of}{path}"), before.as_deref(), after.as_deref()))
        }
        @let shown = changes.listed.len().min(most);
        @if changes.total > shown { tr { td colspan="4" { (count((changes.total - shown) as u64)) " more" } } }
    }
}

fn change(name: &str, before: Option<&str>, after: Option<&str>) -> Markup {
    let side = |text: Option<&str>| match text {
        Some(text) if text.chars().count() > VALUE_CHARS_MAX => {
            format!("{}…", text.chars().take(VALUE_CHARS_MAX).collect::<String>())
        }
        Some(text) => text.to_owned(),
        None => "–".to_owned(),
    };
    html! { tr { th scope="row" { (name) } td { del { (side(before)) } } td { "→" } td { ins { (side(after)) } } } }
}

/// What a person can do about it. Buttons that the reader may not press are not there.
fn next(site: &Site, run: RunId, actions: &[Action]) -> Markup {
    html! {
        @if !actions.is_empty() { ul.next { @for action in actions { (step(site, action)) } } }
        p.faint { "In a terminal: " code data-copy { "runlog why " (run) } }
    }
}

fn step(site: &Site, action: &Action) -> Markup {
    let of = |run: &RunId, verb: &str| site.to(format!("/runs/{run}/{verb}"));
    html! {
        @match action {
            Action::Replay { run, reused, rerun, from, .. } => @if site.may(Permission::Replay) {
                li {
                    a.button.primary href=(of(run, "replay")) {
                        "Replay" @if let Some(from) = from { " from " (from) }
                    }
                    " reuses " (counted(*reused as u64, "task")) ", runs " (rerun)
                }
            },
            Action::Signal { name, key: Some(key), .. } => {
                li { "Send signal " (name) " to key " (key) ": " code data-copy { "runlog signal " (name) " --key " (key) " --data JSON" } }
            },
            Action::Signal { run, name, key: None } => @if site.may(Permission::Signal) {
                li { a.button href=(format!("{}?name={}", of(run, "signal"), escaped(name.as_str()))) { "Send signal " (name) "…" } }
            },
            Action::Serve { workflow, version } => li { "Start a node that serves " (workflow) " version " (version) "." },
            Action::AddSlots { workflow } => li { "Give " (workflow) " more slots, or start more nodes." },
            Action::Resume { workflow } => @if site.may(Permission::Pause) {
                li { a.button href=(site.to(format!("/workflows/{}", escaped(workflow.as_str())))) { "Resume " (workflow) "…" } }
            },
            Action::Deploy { workflow, version, .. } => {
                li { "Deploy code of " (workflow) " that fits the run's log; it was begun by version " (version) "." }
            },
            Action::CheckEffect { step, .. } => li { "Find out whether step " (step) " had its effect, then replay." },
            Action::Verify { run } => li { "Check the log: " code data-copy { "runlog verify --run " (run) } },
            Action::Cancel { run } => @if site.may(Permission::Cancel) {
                li { a.button href=(of(run, "cancel")) { "Cancel…" } }
            },
        }
    }
}
