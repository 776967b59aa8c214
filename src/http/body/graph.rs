//! A run as a graph.

use serde::Serialize;
use utoipa::ToSchema;

use super::millis;
use crate::inspect::{Edge, Graph, Link, Node, NodeKind};
use crate::model::plan::Role;

/// The tasks of a run, its child runs, and what leads from one to another.
#[derive(Serialize, ToSchema)]
#[schema(as = Graph)]
pub(in crate::http) struct GraphBody {
    /// The run.
    run: String,
    /// Its workflow.
    workflow: String,
    /// Where it stands.
    status: &'static str,
    /// Its tasks in the plan's order, then its child runs.
    nodes: Vec<NodeBody>,
    /// They lead from earlier tasks to later ones, never in a circle.
    edges: Vec<EdgeBody>,
}

impl From<&Graph> for GraphBody {
    fn from(graph: &Graph) -> GraphBody {
        GraphBody {
            run: graph.run.to_string(),
            workflow: graph.workflow.to_string(),
            status: graph.status.as_str(),
            nodes: graph.nodes.iter().map(NodeBody::from).collect(),
            edges: graph.edges.iter().map(EdgeBody::from).collect(),
        }
    }
}

/// A task or a child run.
#[derive(Serialize, ToSchema)]
#[schema(as = GraphNode)]
struct NodeBody {
    /// `task` or `child`.
    kind: &'static str,
    /// The task's name, or the child's workflow.
    name: String,
    /// Where it stands.
    status: &'static str,
    /// The child run.
    run: Option<String>,
    /// How many attempts the task had.
    attempts: Option<u32>,
    /// Whether the task runs only when another one failed for good.
    on_failure: Option<bool>,
    /// Why a condition left the task out, in words.
    skipped: Option<String>,
    /// How long it took; null while it has not ended.
    execution_ms: Option<u64>,
}

impl From<&Node> for NodeBody {
    fn from(node: &Node) -> NodeBody {
        let (name, execution_ms) = (node.name.clone(), node.duration.map(millis));
        match &node.kind {
            NodeKind::Task { status, attempts, role, skipped, .. } => NodeBody {
                kind: "task",
                name,
                status: status.as_str(),
                run: None,
                attempts: Some(*attempts),
                on_failure: Some(*role == Role::OnFailure),
                skipped: skipped.as_ref().map(ToString::to_string),
                execution_ms,
            },
            NodeKind::Child { run, status } => NodeBody {
                kind: "child",
                name,
                status: status.as_str(),
                run: Some(run.to_string()),
                attempts: None,
                on_failure: None,
                skipped: None,
                execution_ms,
            },
            NodeKind::Stack { status, .. } => NodeBody {
                kind: "stack",
                name,
                status: status.as_str(),
                run: None,
                attempts: None,
                on_failure: None,
                skipped: None,
                execution_ms,
            },
        }
    }
}

/// What leads from one node to another; both are places in `nodes`, from 0.
#[derive(Serialize, ToSchema)]
#[schema(as = GraphEdge)]
struct EdgeBody {
    /// Where it begins.
    from: usize,
    /// Where it ends.
    to: usize,
    /// `after`: the second task waits for the first one; `started`: the task started the child run.
    kind: &'static str,
}

impl From<&Edge> for EdgeBody {
    fn from(edge: &Edge) -> EdgeBody {
        let kind = match edge.link {
            Link::After => "after",
            Link::Started => "started",
        };
        EdgeBody { from: edge.from, to: edge.to, kind }
    }
}
