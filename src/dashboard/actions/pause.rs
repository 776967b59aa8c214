//! Pausing and resuming a workflow.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::{done, once, reason};
use crate::dashboard::page::Site;
use crate::dashboard::text::{ago, escaped};
use crate::http::routes::pauses::namespace;
use crate::http::{Caller, Form, Named, Problem, Service};
use crate::model::Namespace;
use crate::runtime::PauseOptions;
use crate::store::Pause;

/// Pauses the workflow: none of its runs starts until it is resumed.
pub(super) async fn pause(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(workflow): Named,
    form: Form,
) -> Result<Response, Problem> {
    let (namespace, why) =
        (namespace(&caller, form.text("namespace").map(str::to_owned))?, form.text("reason"));
    let options = PauseOptions::default().namespace(&namespace).by(&*caller.who);
    let options = why.into_iter().fold(options, |options, why| options.reason(why));
    service.runtime.pause(&workflow, options).await?;
    Ok(done(&page(&site, &workflow), why))
}

/// Resumes it.
pub(super) async fn resume(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(workflow): Named,
    form: Form,
) -> Result<Response, Problem> {
    service
        .runtime
        .resume(&workflow, Some(&namespace(&caller, form.text("namespace").map(str::to_owned))?))
        .await?;
    Ok(done(&page(&site, &workflow), None))
}

fn page(site: &Site, workflow: &str) -> String {
    site.to(format!("/workflows/{}", escaped(workflow)))
}

/// The form: what it is, and a button for the other thing.
pub(in crate::dashboard) fn form(
    site: &Site,
    workflow: &str,
    namespace: &Namespace,
    paused: Option<&Pause>,
) -> Markup {
    let to = |verb: &str| site.to(format!("/workflows/{}/{verb}", escaped(workflow)));
    let is_default = *namespace == Namespace::default();
    html! {
        @match paused {
            Some(pause) => {
                p.warn {
                    "Paused since " (ago(pause.since, site.now))
                    @if let Some(by) = &pause.by { " by " (by) }
                    @if let Some(reason) = &pause.reason { ": " (reason) }
                    @if !is_default { " (namespace " (namespace) ")" }
                    ". No run of it starts."
                }
                form method="post" action=(to("resume")) {
                    (once())
                    input type="hidden" name="namespace" value=(namespace);
                    p.tools { button.primary { "Resume" } }
                }
            }
            None => form method="post" action=(to("pause")) {
                (once())
                input type="hidden" name="namespace" value=(namespace);
                p.faint { "While it is paused no run of it starts; those that run go on." }
                (reason(None))
                p.tools { button { "Pause" } }
            }
        }
    }
}
