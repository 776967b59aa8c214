//! Cancelling a run.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::{done, once, reason};
use crate::dashboard::mark::run_mark;
use crate::dashboard::page::{self, Site};
use crate::dashboard::text::short;
use crate::http::{Caller, Form, Problem, Service, TheRun};
use crate::runtime::CancelOptions;
use crate::store::RunRow;

pub(super) async fn ask(site: Site, TheRun(row): TheRun) -> Response {
    site.page(&format!("Cancel {}", short(row.run)), None, form(&site, &row, None))
}

/// Cancels the run, and shows it.
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    TheRun(row): TheRun,
    form: Form,
) -> Result<Response, Problem> {
    let why = form.text("reason");
    let options = CancelOptions::default().by(&*caller.who);
    let options = why.into_iter().fold(options, |options, why| options.reason(why));
    match service.runtime.cancel(row.run, options).await {
        Ok(_) => Ok(done(&site.to(format!("/runs/{}", row.run)), why)),
        Err(error) => Ok(page::refused(&site, "Cancel", &error.into(), self::form(&site, &row, why))),
    }
}

fn form(site: &Site, row: &RunRow, why: Option<&str>) -> Markup {
    let here = site.to(format!("/runs/{}", row.run));
    html! {
        p.crumbs { a href=(here) { (row.workflow) " " code { (short(row.run)) } } }
        h1 { "Cancel" }
        p {
            "The run is " (run_mark(row.status)) ". "
            "One that is queued never starts; the code of a running one is told, and aborted when its grace of 5 s is over. "
            "Its child runs are cancelled, too."
        }
        form method="post" action=(format!("{here}/cancel")) {
            (once())
            (reason(why))
            p.tools { button.danger data-enter { "Cancel the run" } " " a href=(here) { "Back" } }
        }
    }
}
