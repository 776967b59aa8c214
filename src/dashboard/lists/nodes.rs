//! The nodes: processes that execute runs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use crate::dashboard::page::Site;
use crate::dashboard::text::{ago, count};
use crate::http::{Caller, Params, Problem, Service};

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    caller.require_unbound()?;
    let nodes = service.lists().await?.nodes(params.limit()?).await?;
    let main = html! {
        h1 { "Nodes" }
        @if nodes.is_empty() { p { "None yet: a process that builds a " code { "Runtime" } " is one." } }
        table {
            caption.hidden { "Nodes, the newest first" }
            thead { tr {
                th scope="col" { "State" }
                th scope="col" { "Node" }
                th scope="col" { "Name" }
                th.number scope="col" { "Process" }
                th scope="col" { "Release" }
                th scope="col" { "Joined" }
                th scope="col" { "Lease until" }
                th.number scope="col" { "Runs" }
                th.number scope="col" { "Slots" }
                th scope="col" { "Serves" }
            } }
            tbody {
                @for node in &nodes {
                    tr id={ "n-" (node.node.0) } {
                        td { @match (node.alive, node.left_at) {
                            (true, _) => span.mark.s-succeeded { span aria-hidden="true" { "●" } " alive" },
                            (false, Some(_)) => span.mark.s-cancelled { span aria-hidden="true" { "○" } " left" },
                            (false, None) => span.mark.s-failed { span aria-hidden="true" { "✕" } " lost" },
                        } }
                        td { a href=(site.to(format!("/runs?q=node:{}", node.node.0))) { (node.node.0) } }
                        td { (node.name) }
                        td.number { (node.pid) }
                        td { (node.release) }
                        td { (ago(node.joined_at, site.now)) }
                        td { @if let Some(at) = node.lease_until { (ago(at, site.now)) } }
                        td.number { (count(node.runs)) }
                        td.number { @match node.slots { Some(slots) => (slots), None => "–" } }
                        td { (node.served.iter().map(|one| format!("{} {}", one.workflow, one.version)).collect::<Vec<_>>().join(", ")) }
                    }
                }
            }
        }
    };
    Ok(site.page("Nodes", None, main))
}
