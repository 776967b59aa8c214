//! A run's tasks and child runs as a graph, and as text.

mod forest;
mod text;
mod ascii;
mod dot;
mod mermaid;
mod layout;
mod excerpt;

pub use self::layout::{LaidOut, Layout};

use std::time::Duration;

use super::{Dossier, InspectError};
use crate::model::condition::SkipReason;
use crate::model::plan::Role;
use crate::model::state::{RunState, TaskState};
use crate::model::{RunId, Status, TaskName, TaskStatus, WorkflowName};
use crate::store::{RunRow, Store};

/// The tasks of a run in its plan's order, then its child runs, and what leads from one to another.
///
/// The texts are the same for the same graph, and name every node once.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Where it stands.
    pub status: Status,
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// Its edges; they lead from earlier tasks to later ones, never in a circle.
    pub edges: Vec<Edge>,
}

/// A task or a child run.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The task's name, or the child's workflow.
    pub name: String,
    /// Which of the two, and how it stands.
    pub kind: NodeKind,
    /// How long it took, from its start to its end; `None` while it has not ended.
    pub duration: Option<Duration>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A task.
    Task {
        /// Its name.
        task: TaskName,
        /// Where it stands.
        status: TaskStatus,
        /// How many attempts it had.
        attempts: u32,
        /// When it runs.
        role: Role,
        /// Why a condition left it out.
        skipped: Option<SkipReason>,
    },
    /// A child run.
    Child {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: Status,
    },
    /// Many child runs of one workflow that one task started: what [`Graph::stacked`] makes of them, and nothing else.
    Stack {
        /// The task that started them.
        task: TaskName,
        /// How many they are.
        runs: usize,
        /// How many of them failed or timed out.
        failed: usize,
        /// Where they stand together: as one that failed; without any, as one that goes on; at last, as they ended.
        status: Status,
    },
}

/// What leads from one node to another; both are places in [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What it means.
    pub link: Link,
}

/// What an edge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The second task waits for the first one.
    After,
    /// The task started the child run.
    Started,
}

/// Draws a run's graph; `None` when there is no such run. A run that has not started has no tasks. Of its child runs the first
/// 1,000 are drawn.
///
/// # Errors
/// [`InspectError`].
pub async fn graph(store: &dyn Store, run: RunId) -> Result<Option<Graph>, InspectError> {
    match Dossier::open(store, run).await? {
        Some(dossier) => Ok(Some(dossier.graph().await?)),
        None => Ok(None),
    }
}

impl Graph {
    /// Draws the graph of a state and the rows of the run's child runs.
    pub fn of(state: &RunState, children: &[RunRow]) -> Graph {
        let mut nodes: Vec<Node> = state.tasks.iter().map(Node::task).collect();
        let planned = state.plan.iter().flat_map(|plan| plan.tasks.iter().enumerate());
        let after = planned.flat_map(|(to, task)| {
            task.after.iter().map(move |from| Edge { from: usize::from(*from), to, link: Link::After })
        });
        let mut edges: Vec<Edge> = after.collect();
        for row in children {
            let starter = state.children.get(&row.run).and_then(|child| state.task(&child.task));
            if let Some((from, _)) = starter {
                edges.push(Edge { from, to: nodes.len(), link: Link::Started });
            }
            nodes.push(Node::child(row));
        }
        let (workflow, status) = (state.origin.workflow.clone(), state.status);
        Graph { run: state.id, workflow, status, nodes, edges }
    }

    /// Draws it for a terminal: from left to right when that fits into `width` columns, as a tree from top to bottom
    /// otherwise. No line breaks at the end.
    ///
    /// A task that waits for several stands behind one of them, and names them all.
    pub fn ascii(&self, width: usize) -> String {
        ascii::draw(self, width)
    }

    /// Writes it in Graphviz' language.
    pub fn dot(&self) -> String {
        dot::write(self)
    }

    /// Writes it in Mermaid's language, as a flowchart.
    pub fn mermaid(&self) -> String {
        mermaid::write(self)
    }

    /// Places its nodes on a page, from left to right.
    pub fn layout(&self) -> Layout {
        layout::lay_out(self)
    }

    /// Puts the child runs of one workflow that one task started into one node where they are more than 8, unless the task
    /// is among `open`: then each of them stands for itself, the failed ones first.
    pub fn stacked(&self, open: &[TaskName]) -> Graph {
        excerpt::stacked(self, open)
    }

    /// Returns what failed, all that led there, and what would have come right behind; `None` where nothing failed.
    pub fn failed_path(&self) -> Option<Graph> {
        excerpt::failed_path(self)
    }

    /// Says whether a page should begin with [`Graph::failed_path`]: it has more than 150 nodes, and something failed.
    pub fn begins_with_failed_path(&self) -> bool {
        self.nodes.len() > excerpt::NODES_AT_ONCE_MAX && self.nodes.iter().any(Node::has_failed)
    }
}

impl Node {
    /// Says whether it failed or timed out; of a stack, whether one of its runs did.
    pub fn has_failed(&self) -> bool {
        match &self.kind {
            NodeKind::Task { status, .. } => matches!(status, TaskStatus::Failed | TaskStatus::TimedOut),
            NodeKind::Child { status, .. } => status.is_failure(),
            NodeKind::Stack { failed, .. } => *failed > 0,
        }
    }

    fn task(task: &TaskState) -> Node {
        let started = task.attempts.first().map(|attempt| attempt.started_at);
        let took = task.finished_at().zip(started).and_then(|(end, start)| (end - start).to_std().ok());
        Node {
            name: task.name.to_string(),
            duration: took,
            kind: NodeKind::Task {
                task: task.name.clone(),
                status: task.status,
                attempts: task.attempt(),
                role: task.role,
                skipped: task.skipped.as_ref().map(|skipped| skipped.because.clone()),
            },
        }
    }

    fn child(row: &RunRow) -> Node {
        let took = row.finished_at.zip(row.started_at).and_then(|(end, start)| (end - start).to_std().ok());
        Node {
            name: row.workflow.to_string(),
            duration: took,
            kind: NodeKind::Child { run: row.run, status: row.status },
        }
    }
}
