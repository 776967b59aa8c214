//! One incarnation of this process as the database knows it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, mpsc};

use super::journal::Submission;
use crate::model::{NodeId, RunId};

/// A node: its id, its fence, and the journal's lanes. Fenced once, it never comes back; the process joins anew.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    lanes: Vec<mpsc::UnboundedSender<Submission>>,
    fenced: AtomicBool,
    fence: Notify,
}

impl Node {
    pub(crate) fn new(id: NodeId, lanes: Vec<mpsc::UnboundedSender<Submission>>) -> Node {
        Node { id, lanes, fenced: AtomicBool::new(false), fence: Notify::new() }
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
        self.fenced.store(true, Ordering::Release);
        self.fence.notify_waiters();
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
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
