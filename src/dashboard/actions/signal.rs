//! Sending a run a signal.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::{done, once};
use crate::dashboard::page::{self, Site};
use crate::dashboard::text::short;
use crate::http::{Form, Params, Problem, Service, TheRun, named, paid};
use crate::model::{Payload, SignalName};
use crate::store::RunRow;

pub(super) async fn ask(site: Site, TheRun(row): TheRun, params: Params) -> Response {
    let name = params.text("name").unwrap_or_default();
    site.page(&format!("Signal {}", short(row.run)), None, form(&site, &row, name, "null"))
}

/// Sends the signal, and shows the run.
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    site: Site,
    TheRun(row): TheRun,
    form: Form,
) -> Result<Response, Problem> {
    let (name, text) = (form.text("name").unwrap_or_default(), form.text("payload").unwrap_or("null"));
    let sent = async {
        let name = SignalName::new(name).map_err(named("/name"))?;
        let payload = Payload::parse(text.trim().to_owned());
        let payload = payload.map_err(paid("/payload"))?;
        service.refuse_hidden("/payload", payload.text())?;
        service.runtime.signal(row.run, name.as_str(), &payload).await.map_err(Problem::from)
    };
    match sent.await {
        Ok(_) => Ok(done(&site.to(format!("/runs/{}", row.run)), None)),
        Err(problem) => Ok(page::refused(&site, "Signal", &problem, self::form(&site, &row, name, text))),
    }
}

fn form(site: &Site, row: &RunRow, name: &str, payload: &str) -> Markup {
    let here = site.to(format!("/runs/{}", row.run));
    html! {
        p.crumbs { a href=(here) { (row.workflow) " " code { (short(row.run)) } } }
        h1 { "Signal" }
        p { "It is kept until the run's code asks for it." }
        form method="post" action=(format!("{here}/signal")) {
            (once())
            label for="name" { "Name" }
            input #name name="name" value=(name) required autofocus[name.is_empty()];
            label for="payload" { "Payload, JSON" }
            textarea #payload name="payload" rows="6" spellcheck="false" autofocus[!name.is_empty()] { "\n" (payload) }
            p.tools { button.primary data-enter { "Send" } " " a href=(here) { "Back" } }
        }
    }
}
