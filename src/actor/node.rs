//! One incarnation of this process as the database knows it.

use std::fmt;
use std::sync::OnceLock;

use tokio::sync::{Notify, mpsc};

use super::journal::Submission;
use crate::model::{NodeId, RunId};

/// A node: its id, its fence, and the journal's lanes. Fenced once, it never comes back; the process joins anew.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    lanes: Vec<mpsc::UnboundedSender<Submission>>,
    loss: OnceLock<Loss>,
    fence: Notify,
}

/// Why a node is fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The database says so.
    Lease,
    /// An agent panicked.
    Panic,
    /// The database did not answer for a whole lease.
    Silence,
    /// This process stood still for a whole lease: its threads were blocked, or it was stopped.
    Stall,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::Lease => "the lease is over",
            Loss::Panic => "an agent panicked",
            Loss::Silence => "the database did not answer for a whole lease",
            Loss::Stall => "this process stood still for a whole lease (code that blocks its threads?)",
        })
    }
}

impl Node {
    pub(crate) fn new(id: NodeId, lanes: Vec<mpsc::UnboundedSender<Submission>>) -> Node {
        Node { id, lanes, loss: OnceLock::new(), fence: Notify::new() }
    }

    /// Hands a commit to the run's lane. An actor has at most one under way, so the queue is bounded by admission.
    /// Gives it back when the lane is gone with its node.
    pub(crate) fn submit(&self, run: RunId, submission: Submission) -> Result<(), Box<Submission>> {
        let lane = usize::try_from(run.shard() % self.lanes.len().max(1) as u64).unwrap_or_default();
        match self.lanes.get(lane) {
            Some(lane) => lane.send(submission).map_err(|refused| Box::new(refused.0)),
            None => Err(Box::new(submission)),
        }
    }

    /// Returns the lane of a run.
    pub(crate) fn lane_of(&self, run: RunId) -> u16 {
        u16::try_from(run.shard() % self.lanes.len().max(1) as u64).unwrap_or_default()
    }

    /// Marks the node as dead to itself and wakes whoever waits in [`fenced`](Node::fenced).
    pub(crate) fn mark_fenced(&self) {
        self.lose(Loss::Lease);
    }

    /// As [`mark_fenced`](Node::mark_fenced), and says why; the first reason stands.
    pub(crate) fn lose(&self, loss: Loss) {
        self.loss.get_or_init(|| loss);
        self.fence.notify_waiters();
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.loss.get().is_some()
    }

    /// Says why the node is fenced, if it is.
    pub(crate) fn loss(&self) -> Option<Loss> {
        self.loss.get().copied()
    }

    /// Waits until the node is fenced.
    pub(crate) async fn fenced(&self) {
        loop {
            let notified = self.fence.notified();
            if self.is_fenced() {
                return;
            }
            notified.await;
        }
    }
}
