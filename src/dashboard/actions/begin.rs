//! Starting a run by hand.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::once;
use crate::dashboard::page::{self, Site};
use crate::http::{Caller, Facts, Form, Named, Problem, Service, paid};
use crate::model::Payload;
use crate::model::event::Trigger;

/// Starts a run, and shows it.
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    Named(workflow): Named,
    form: Form,
) -> Result<Response, Problem> {
    let (input, key) = (form.text("input").unwrap_or("null").trim(), form.text("key").map(str::trim));
    let started = async {
        let json = Payload::parse(input.to_owned());
        json.map_err(paid("/input"))?;
        service.refuse_hidden("/input", input)?;
        let trigger = Trigger::Api { by: Some(caller.who.to_string()) };
        let mut run = service.runtime.run_by_name(&workflow, input.to_owned()).trigger(trigger);
        if let Some(namespace) = &caller.namespace {
            run = run.namespace(namespace.as_str());
        }
        if let Some(key) = key {
            run = run.key(key);
        }
        run.start_or_get().await.map_err(Problem::from)
    };
    match started.await {
        Ok(started) => {
            let id = started.run.id();
            let mut response = page::see(&site.to(format!("/runs/{id}")));
            response.extensions_mut().insert(Facts { runs: vec![id], reason: None });
            Ok(response)
        }
        Err(problem) => {
            let form = self::form(&site, &workflow, input, key);
            Ok(page::refused(&site, "Start a run", &problem, html! { h1 { "Start " (workflow) } (form) }))
        }
    }
}

/// The form: the input, and a key of the user's own.
pub(in crate::dashboard) fn form(site: &Site, workflow: &str, input: &str, key: Option<&str>) -> Markup {
    let to = site.to(format!("/workflows/{}/start", crate::dashboard::text::escaped(workflow)));
    html! {
        form method="post" action=(to) {
            (once())
            label for="input" { "Input, JSON" }
            textarea #input name="input" rows="6" spellcheck="false" { "\n" (input) }
            label for="key" { "Key: there is one run of it, however often it is started" }
            input #key name="key" value=[key] placeholder="none";
            p.tools { button.primary data-enter { "Start a run" } }
        }
    }
}
