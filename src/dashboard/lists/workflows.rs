//! Workflows, and one of them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use crate::dashboard::actions::{pause_form, start_form};
use crate::dashboard::page::Site;
use crate::dashboard::text::{ago, escaped, took};
use crate::http::{Action, Caller, Code, Named, Params, Problem, Service};
use crate::model::WorkflowName;
use crate::model::filter::quoted;
use crate::model::limits::PAGE_ROWS_MAX;
use crate::store::{KnownWorkflow, Pause};

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let store = service.lists().await?;
    let known = store.workflows(None, params.limit()?).await?;
    let pauses = store.pauses(caller.namespace.as_ref(), PAGE_ROWS_MAX).await?;
    let main = html! {
        h1 { "Workflows" }
        @if known.is_empty() { p { "None yet: a node that serves one makes it known." } } @else { (table(&site, &known, &pauses)) }
    };
    Ok(site.page("Workflows", None, main))
}

fn table(site: &Site, known: &[KnownWorkflow], pauses: &[Pause]) -> Markup {
    html! {
        table {
            caption.hidden { "Workflows, by name and version" }
            thead { tr {
                th scope="col" { "Workflow" }
                th scope="col" { "Version" }
                th.number scope="col" { "Nodes" }
                th.number scope="col" { "Tasks" }
                th.number scope="col" { "Timeout" }
                th scope="col" { "Known since" }
                th scope="col" { "Runs" }
            } }
            tbody {
                @for one in known {
                    @let name = one.workflow.as_str();
                    tr {
                        td {
                            a.open href=(site.to(format!("/workflows/{}", escaped(name)))) { (name) }
                            @if pauses.iter().any(|pause| pause.workflow == one.workflow) { " " span.warn { "paused" } }
                        }
                        td { (one.version) }
                        td.number { @if one.nodes == 0 { span.warn { "none" } } @else { (one.nodes) } }
                        td.number { (one.plan.tasks.len()) }
                        td.number { (took(one.timeout)) }
                        td { (ago(one.registered_at, site.now)) }
                        td { a href=(site.to(format!("/runs?q={}", escaped(&format!("workflow:{}", quoted(name)))))) { "runs" }
                            " · " a href=(site.to(format!("/failures?q={}", escaped(&format!("workflow:{}", quoted(name)))))) { "failures" } }
                    }
                }
            }
        }
    }
}

pub(super) async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(name): Named,
) -> Result<Response, Problem> {
    let none = || Problem::new(Code::WorkflowNotFound, "no node ever served a workflow of this name");
    let workflow = WorkflowName::new(&name).map_err(|_| none())?;
    let store = service.lists().await?;
    let known = store.workflows(Some(&workflow), PAGE_ROWS_MAX).await?;
    let Some(newest) = known.iter().max_by_key(|one| one.registered_at) else { return Err(none()) };
    let pauses = store.pauses(caller.namespace.as_ref(), PAGE_ROWS_MAX).await?;
    let own = caller.namespace.clone().unwrap_or_default();
    let paused = pauses.iter().find(|pause| pause.workflow == workflow && pause.namespace == own);
    let elsewhere = pauses.iter().filter(|pause| pause.workflow == workflow && pause.namespace != own);
    let main = html! {
        p.crumbs { a href=(site.to("/workflows")) { "Workflows" } }
        h1 { (name) }
        (table(&site, &known, &pauses))
        h2 { "Tasks of version " (newest.version) }
        table {
            caption.hidden { "Tasks" }
            thead { tr { th scope="col" { "Task" } th scope="col" { "After" } } }
            tbody { @for task in &newest.plan.tasks {
                @let after = task.after.iter().filter_map(|at| newest.plan.tasks.get(usize::from(*at)));
                tr { td { (task.name) } td { (after.map(|task| task.name.to_string()).collect::<Vec<_>>().join(", ")) } }
            } }
        }
        @if site.may(Action::Start) { h2 { "Start a run" } (start_form(&site, &name, "{}", None)) }
        @if site.may(Action::Pause) {
            h2 { "Pause" }
            (pause_form(&site, &name, &own, paused))
            @for pause in elsewhere { (pause_form(&site, &name, &pause.namespace, Some(pause))) }
        }
    };
    Ok(site.page(&name, None, main))
}
