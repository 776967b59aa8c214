//! The processes that run workflows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{Page, ProblemBody, Time};
use crate::http::extract::Params;
use crate::http::service::Service;
use crate::store::NodeRow;

/// One process that embeds the runtime, one incarnation of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
pub(super) struct NodeBody {
    /// Its id.
    id: i32,
    /// Its process's own choice.
    name: String,
    /// The process's id.
    pid: u32,
    /// The release of runlog.
    release: String,
    /// Whether its lease holds.
    alive: bool,
    /// When it joined.
    joined_at: Time,
    /// When it left by itself.
    left_at: Option<Time>,
    /// Until when it counts as living without another heartbeat.
    lease_until: Option<Time>,
    /// How many runs it may hold.
    slots: Option<u32>,
    /// How many it holds.
    runs: u64,
    /// What it serves.
    served: Vec<ServedBody>,
    /// When this was so, on the database's clock.
    now: Time,
}

/// A workflow's version that a node serves.
#[derive(Serialize, ToSchema)]
#[schema(as = Served)]
struct ServedBody {
    /// The workflow's name.
    workflow: String,
    /// Its version.
    version: String,
    /// How many runs of the workflow the node may hold; null = as many as its slots.
    slots: Option<usize>,
}

/// The nodes: those that live, then those that ended, the newest first
///
/// Only for callers that are bound to no namespace.
#[utoipa::path(
    get, path = "/nodes", tag = "nodes",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told")),
    responses(
        (status = 200, description = "the nodes", body = Page<NodeBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<Page<NodeBody>> {
    caller.require_unbound()?;
    let nodes = service.lists().await?.nodes(params.limit()?).await?;
    Ok(Json(Page { data: nodes.into_iter().map(NodeBody::from).collect(), next: None }))
}

impl From<NodeRow> for NodeBody {
    fn from(node: NodeRow) -> NodeBody {
        // Nobody sets so many: it is what "no limit" is kept as.
        let slots = |slots: usize| Some(slots).filter(|slots| *slots < i32::MAX as usize);
        let served = node.served.iter().map(|served| ServedBody {
            workflow: served.workflow.to_string(),
            version: served.version.to_string(),
            slots: slots(served.slots),
        });
        NodeBody {
            id: node.node.0,
            served: served.collect(),
            name: node.name,
            pid: node.pid,
            release: node.release,
            alive: node.alive,
            joined_at: node.joined_at.into(),
            left_at: node.left_at.map(Time),
            lease_until: node.lease_until.map(Time),
            slots: node.slots,
            runs: node.runs,
            now: node.now.into(),
        }
    }
}
