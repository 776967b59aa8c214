//! What is known of nodes and workflows, for people.

use std::time::Duration;

use super::Served;
use crate::model::{NodeId, Plan, Timestamp, Version, WorkflowName};

/// One node, as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// The node.
    pub node: NodeId,
    /// Its process's own choice.
    pub name: String,
    /// The process's id.
    pub pid: u32,
    /// The release of this crate.
    pub release: String,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When it left by itself.
    pub left_at: Option<Timestamp>,
    /// Until when it counts as living without another heartbeat.
    pub lease_until: Option<Timestamp>,
    /// Whether its lease holds.
    pub alive: bool,
    /// How many runs it may hold; `None` for a node of an older release.
    pub slots: Option<u32>,
    /// How many it holds.
    pub runs: u64,
    /// What it serves.
    pub served: Vec<Served>,
    /// When this was so.
    pub now: Timestamp,
}

/// One version of a workflow that some node served once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownWorkflow {
    /// Its name.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// Its tasks.
    pub plan: Plan,
    /// When a node served this shape first.
    pub registered_at: Timestamp,
    /// How long a run may take from its start.
    pub timeout: Option<Duration>,
    /// How long a run may wait for its start.
    pub start_timeout: Option<Duration>,
    /// How many living nodes serve it.
    pub nodes: u32,
}

/// The runs that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveRuns {
    /// Held by a node.
    pub held: u64,
    /// Not started, in the queue.
    pub queued: u64,
    /// Started, to be gone on with at an instant, which may have come.
    pub scheduled: u64,
    /// Started, waiting for a message.
    pub parked: u64,
    /// For how long the one that waits longest has been due without a node that took it.
    pub lag: Duration,
}
