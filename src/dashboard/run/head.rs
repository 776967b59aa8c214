//! What stands above everything: which run, and where it stands.

use maud::{Markup, html};

use super::link;
use crate::dashboard::mark::{Mark, run_mark};
use crate::dashboard::page::Site;
use crate::dashboard::text::{ago, clock, count, escaped, took};
use crate::http::Action;
use crate::inspect::RunView;
use crate::model::Status;
use crate::model::event::Trigger;
use crate::model::filter::quoted;
use crate::telemetry::ids;

/// How a run stands; a RUNNING one that waits says so.
fn mark(view: &RunView) -> Mark {
    if view.status == Status::Running && !view.waiting.is_empty() {
        Mark::WAITING
    } else {
        run_mark(view.status)
    }
}

pub(super) fn head(site: &Site, view: &RunView) -> Markup {
    let filter = |q: String| site.to(format!("/runs?q={}", escaped(&q)));
    html! {
        p.crumbs {
            a href=(site.to("/runs")) { "Runs" } " ▸ "
            a href=(filter(format!("workflow:{}", quoted(view.workflow.as_str())))) { (view.workflow) }
        }
        h1 { (mark(view)) " " (view.workflow) " " code.id data-copy { (view.id) } }
        dl.facts {
            div { dt { "Created" } dd { (ago(view.created_at, site.now)) } }
            @if let Some(started) = view.started_at { div { dt { "Started" } dd { (clock(started)) } } }
            @if view.finished_at.is_some() || view.started_at.is_some() {
                div { dt { "Took" } dd { (took(view.execution_time())) } }
            }
            @if let Some(latency) = view.queue_latency() { div { dt { "Queued" } dd { (took(Some(latency))) } } }
            div { dt { "Version" } dd { a href=(filter(format!("workflow:{} version:{}", quoted(view.workflow.as_str()), quoted(view.version.as_str())))) { (view.version) } } }
            @if let Some(node) = view.node { div { dt { "Node" } dd { (node.0) } } }
            @if let Some(key) = &view.key { div { dt { "Key" } dd { (key) } } }
            @if view.namespace != crate::model::Namespace::default() { div { dt { "Namespace" } dd { (view.namespace) } } }
            div { dt { "Trigger" } dd { (trigger(site, &view.trigger)) } }
            @if let Some(parent) = &view.parent { div { dt { "Parent" } dd { (link(site, parent.run, None)) } } }
            @if view.retries > 0 { div { dt { "Retries" } dd { (count(view.retries as u64)) } } }
            @if let Some(deadline) = view.deadline.filter(|_| view.finished_at.is_none()) {
                div { dt { "Times out" } dd { (ago(deadline, site.now)) } }
            }
            div { dt { "Trace" } dd { code data-copy { (ids::run(view.id, view.trace.as_ref()).trace_id) } } }
            @if view.archived { div { dt { "Kept" } dd { "in the archive" } } }
            @for (name, value) in &view.metadata {
                div { dt { (name) } dd { a href=(filter(format!("meta.{name}:{}", quoted(value)))) { (value) } } }
            }
        }
        @if let Some(of) = view.replay_of {
            p { "Replays " (link(site, of, None)) ". " a href=(site.to(format!("/runs/{}/diff?with={of}", view.id))) { "What differs" } }
        }
        @if !view.replays.is_empty() {
            p { "Replayed by "
                @for (at, (run, status)) in view.replays.iter().enumerate() {
                    @if at > 0 { ", " }
                    (link(site, *run, Some(*status)))
                }
                "."
            }
        }
        p.tools {
            @if view.status.is_terminal() && site.may(Action::Replay) {
                a.button.primary href=(site.to(format!("/runs/{}/replay", view.id))) data-key="r" { "Replay…" }
                @if site.may(Action::ReplayWithInput) && site.may(Action::ReadPayload) {
                    a.button href=(site.to(format!("/runs/{}/replay?edit=1", view.id))) { "Replay with edited input…" }
                }
            }
            @if !view.status.is_terminal() && site.may(Action::Cancel) {
                a.button href=(site.to(format!("/runs/{}/cancel", view.id))) data-key="c" { "Cancel…" }
            }
            @if !view.status.is_terminal() && site.may(Action::Signal) {
                a.button href=(site.to(format!("/runs/{}/signal", view.id))) { "Signal…" }
            }
        }
    }
}

fn trigger(site: &Site, trigger: &Trigger) -> Markup {
    let by = |by: &Option<String>| by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    html! {
        @match trigger {
            Trigger::Manual => "code",
            Trigger::Api { by: who } => { "API" (by(who)) },
            Trigger::Cron { schedule, by: who, .. } => { "cron " (schedule) (by(who)) },
            Trigger::Schedule { schedule, by: who, .. } => { "schedule " (schedule) (by(who)) },
            Trigger::Event { id, key, .. } => {
                "event " a href=(site.to(format!("/runs?q={}", escaped(&format!("event:{}", quoted(id)))))) { (key) " " (id) }
            },
            Trigger::Parent => "its parent run",
            Trigger::Replay { by: who, reason, .. } => {
                "replay" (by(who)) @if let Some(reason) = reason { ": " (reason) }
            },
        }
    }
}
