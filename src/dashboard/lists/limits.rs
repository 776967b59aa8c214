//! What holds runs back: limits of concurrency and rates, and how their keys stand.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use crate::dashboard::page::Site;
use crate::dashboard::text::{count, escaped};
use crate::http::{Caller, Params, Problem, Service};
use crate::inspect::span::span;
use crate::model::limit::LimitBy;
use crate::store::{KnownLimit, LimitKey};

/// Limits whose keys are shown, each by one question.
const LIMITS_SHOWN: usize = 20;

/// Keys of a limit: the fullest.
const KEYS_SHOWN: u32 = 20;

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let store = service.lists().await?;
    let known = store.limits(None, params.limit()?).await?;
    let mut sections = Vec::new();
    for limit in known.iter().take(LIMITS_SHOWN) {
        let keys = store.limit_keys(&limit.workflow, caller.namespace.as_ref(), KEYS_SHOWN).await?;
        sections.push(one(&site, limit, &keys));
    }
    let main = html! {
        h1 { "Limits" }
        @if known.is_empty() { p { "None: a workflow declares one by " code { ".concurrency(…)" } "." } }
        @for section in sections { (section) }
        @if known.len() > LIMITS_SHOWN { p.faint { (known.len() - LIMITS_SHOWN) " more limits: " code { "runlog limits" } } }
    };
    Ok(site.page("Limits", None, main))
}

fn one(site: &Site, known: &KnownLimit, keys: &[LimitKey]) -> Markup {
    let limit = &known.limit;
    html! {
        section {
            h2 {
                a href=(site.to(format!("/workflows/{}", escaped(known.workflow.as_str())))) { (known.workflow) }
                " " (limit.name)
            }
            p {
                strong { (limit.slots) } " at once"
                @if let Some(rate) = &limit.rate { ", " strong { (rate.starts) } " starts in " (span(rate.window)) }
                " for each "
                @match &limit.by {
                    LimitBy::Workflow => "workflow",
                    LimitBy::Input(pointer) => { "value of the input's " code { (pointer) } },
                    LimitBy::Metadata(name) => { "value of metadata " code { (name) } },
                    LimitBy::Code => "key that its code makes of the input",
                }
                ", " (limit.policy.as_str())
            }
            @if keys.is_empty() { p.faint { "No run is at it." } } @else {
                table {
                    caption.hidden { "Keys" }
                    thead { tr { th scope="col" { "Key" } th scope="col" { "Namespace" } th.number scope="col" { "Running" } th.number scope="col" { "Waiting" } } }
                    tbody { @for key in keys {
                        tr { td { (key.key) } td { (key.namespace) } td.number { (count(u64::from(key.running))) } td.number { (count(u64::from(key.waiting))) } }
                    } }
                }
            }
        }
    }
}
