//! Who did what.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use crate::dashboard::page::Site;
use crate::dashboard::run::link;
use crate::dashboard::text::ago;
use crate::http::routes::audit::page;
use crate::http::{Caller, Params, Problem, Service};

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let (deeds, next) = page(&service, &caller, &params).await?;
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
