//! Who did what.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use crate::dashboard::page::Site;
use crate::dashboard::run::link;
use crate::dashboard::text::ago;
use crate::http::{Caller, Code, Params, Problem, Service};
use crate::model::RunId;

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let wrong = |what: &str| Problem::new(Code::InvalidQuery, what.to_owned());
    let run = params.text("run").map(str::parse::<RunId>).transpose().map_err(|no| wrong(&no.to_string()))?;
    let before = params.text("cursor").map(str::parse::<i64>).transpose();
    let before = before.map_err(|_| wrong("cursor is none of this list"))?.unwrap_or(i64::MAX);
    let limit = params.limit()?;
    let deeds = service.desk().await?.audit(caller.namespace.as_ref(), run, before, limit).await?;
    let next = deeds.last().filter(|_| deeds.len() == limit as usize).map(|last| last.id);
    let main = html! {
        h1 { "Audit" }
        @if deeds.is_empty() { p { "Nobody did anything yet." } } @else {
            table {
                caption.hidden { "Deeds, the newest first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "Run" }
                    th scope="col" { "Outcome" } th scope="col" { "Why" } th scope="col" { "Asked" }
                } }
                tbody { @for one in &deeds {
                    tr id={ "d-" (one.id) } {
                        td { (ago(one.at, site.now)) }
                        td { (one.deed.who) }
                        td { (one.deed.action) }
                        td { @if let Some(run) = one.deed.run { (link(&site, run, None)) } }
                        td { @if one.deed.outcome == "ok" { "ok" } @else { span.error { (one.deed.outcome) } } }
                        td { @if let Some(reason) = &one.deed.reason { (reason) } }
                        td.faint { (one.deed.target) }
                    }
                } }
            }
        }
        nav.pages aria-label="Pages" {
            @if let Some(next) = next { a rel="next" href=(site.to(format!("/audit?cursor={next}"))) { "Older" } }
        }
    };
    Ok(site.page("Audit", None, main))
}
