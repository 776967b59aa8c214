//! Replaying a run.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::value::RawValue;

use super::{done, once, reason};
use crate::dashboard::page::{self, Site};
use crate::dashboard::text::{counted, short};
use crate::http::routes::replay::{From, Replay, refused};
use crate::http::routes::runs;
use crate::http::{Action, Caller, Form, Params, Problem, Service, TheRun};
use crate::inspect::RunView;
use crate::model::limits::PAYLOAD_INLINE_BYTES_MAX;
use crate::model::redaction::REDACTED;
use crate::model::{Status, TaskName};
use crate::runtime::ReplayPlan;

/// What is in the form.
#[derive(Default)]
struct Fields<'a> {
    from: Option<&'a str>,
    task: Option<&'a str>,
    /// The input as it is edited; `None` = the original's.
    input: Option<&'a str>,
    force: bool,
    reason: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(form: &'a Form) -> Fields<'a> {
        Fields {
            from: form.text("from"),
            task: form.text("task"),
            // An input that was emptied is an input that is wrong, not the original's.
            input: form.all("input").next(),
            force: form.ticked("force"),
            reason: form.text("reason"),
        }
    }

    /// Says it as the REST interface takes it.
    fn wanted(&self) -> Result<Replay, Problem> {
        let not_json = |error| Problem::at("/input", format!("no JSON: {error}"));
        let input = self.input.map(|input| RawValue::from_string(input.trim().to_owned()));
        Ok(Replay {
            from: (self.from == Some("start") && self.task.is_none()).then_some(From::Start),
            task: self.task.map(str::to_owned),
            input: input.transpose().map_err(not_json)?,
            force: self.force,
            reason: self.reason.map(str::to_owned),
            ..Replay::default()
        })
    }
}

/// Says whether the reader may edit the input, which shows it to him.
fn may_edit(site: &Site) -> bool {
    site.may(Action::ReplayWithInput) && site.may(Action::ReadPayload)
}

/// Says what a replay would take over and what it would run, and asks whether it is wanted.
pub(super) async fn ask(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let view = runs::view_of(&service, &row).await?;
    let original = view.input.text();
    let edits = params.text("edit").is_some() && may_edit(&site);
    let input = (edits && original.len() <= PAYLOAD_INLINE_BYTES_MAX).then_some(original);
    let force = view.status == Status::Cancelled;
    // Of what succeeded nothing failed.
    let from = params.text("from").or((view.status == Status::Succeeded).then_some("start"));
    let fields = Fields { from, task: params.text("task"), input, force, reason: None };
    let options = fields.wanted()?.options(&service, row.run, &caller).await?;
    let plan = service.runtime.plan_replay(row.run, options).await.map_err(refused)?;
    let title = format!("Replay {}", short(row.run));
    Ok(site.page(&title, None, form(&site, &view, &fields, Some(&plan))))
}

/// Replays the run, and shows the new one.
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    TheRun(row): TheRun,
    form: Form,
) -> Result<Response, Problem> {
    let fields = Fields::of(&form);
    let replayed = async {
        let options = fields.wanted()?.options(&service, row.run, &caller).await?;
        service.runtime.replay(row.run, options).await.map_err(refused)
    };
    match replayed.await {
        Ok(replayed) => Ok(done(&site.to(format!("/runs/{}", replayed.run.id())), fields.reason)),
        Err(problem) => {
            let view = runs::view(&service, row.run).await?;
            let form = self::form(&site, &view, &fields, None);
            Ok(page::refused(&site, "Replay", &problem, form))
        }
    }
}

fn form(site: &Site, view: &RunView, fields: &Fields<'_>, plan: Option<&ReplayPlan>) -> Markup {
    let here = site.to(format!("/runs/{}", view.id));
    let from_start = fields.from == Some("start") && fields.task.is_none();
    html! {
        p.crumbs { a href=(here) { (view.workflow) " " code { (short(view.id)) } } }
        h1 { "Replay" @if let Some(task) = fields.task { " from " (task) } }
        p { "A new run of " (view.workflow) ", linked to this one. This one stays as it is." }
        @if let Some(plan) = plan { (said(view, plan)) }
        p.tools {
            @if !from_start { a.button href=(format!("{here}/replay?from=start")) { "From the start instead" } }
            @if view.status != Status::Succeeded && (from_start || fields.task.is_some()) { a.button href=(format!("{here}/replay")) { "From what failed instead" } }
            @if fields.input.is_none() && may_edit(site) {
                a.button href=(format!("{here}/replay?edit=1")) { "With edited input instead" }
            }
        }
        form method="post" action=(format!("{here}/replay")) {
            (once())
            @if from_start { input type="hidden" name="from" value="start"; }
            @if let Some(task) = fields.task { input type="hidden" name="task" value=(task); }
            @if let Some(input) = fields.input {
                label for="input" { "Input: changed, nothing is taken over" }
                @if input.contains(REDACTED) { p.faint { "Where it says " (REDACTED) ", the value is hidden here; leave it, and the new run has it, too." } }
                textarea #input name="input" rows="12" spellcheck="false" autofocus { "\n" (input) }
            }
            @if view.status == Status::Cancelled {
                label { input type="checkbox" name="force" value="1" checked[fields.force]; " It was cancelled: replay it all the same" }
            }
            (reason(fields.reason))
            p.tools { button.primary data-enter { "Replay" } " " a href=(here) { "Back" } }
        }
    }
}

/// What is taken over, and what runs again.
fn said(view: &RunView, plan: &ReplayPlan) -> Markup {
    let names = |tasks: &[TaskName]| tasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    html! {
        ul.plan {
            @if !plan.reused.is_empty() {
                li { "takes over " (counted(plan.reused.len() as u64, "task")) ", not run again: " strong { (names(&plan.reused)) } }
            }
            @for (task, ops) in plan.resumed.iter().filter(|(_, ops)| !ops.is_empty()) {
                li { "goes on with " strong { (task) } ": " (counted(ops.len() as u64, "operation")) " of it are answered from the log" }
            }
            li { "runs " (counted(plan.rerun.len() as u64, "task")) @if !plan.rerun.is_empty() { ": " strong { (names(&plan.rerun)) } } }
            @if !plan.skipped.is_empty() { li { "leaves out, as before: " (names(&plan.skipped)) } }
            @for (task, why) in &plan.not_reused { li { "does not take over " strong { (task) } ": " (why) } }
            @if !plan.children.is_empty() { li { "replays " (counted(plan.children.len() as u64, "child run")) " with it" } }
            @if plan.version != view.version {
                li.warn { "runs on version " strong { (plan.version) } ", the run was of version " (view.version) }
            }
        }
    }
}
