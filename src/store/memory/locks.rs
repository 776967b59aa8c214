//! Who has a transaction under way, and who waits for its end.
//!
//! An append and a claim hold a share lock on their node's lease; a heartbeat, a leave and a rescue wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shared;
use super::faults::{Call, Fate, Faults};
use super::world::World;
use crate::model::{NodeId, Timestamp};
use crate::store::StoreError;

/// Which transactions, by their method, hold a lock on each node's lease; a node without any has no entry.
#[derive(Default)]
pub(super) struct Locks {
    shares: BTreeMap<NodeId, Vec<&'static str>>,
}

impl Locks {
    /// Returns one that holds a lock on one of the leases.
    fn holder(&self, nodes: &[NodeId]) -> Option<&'static str> {
        nodes.iter().find_map(|node| self.shares.get(node)?.first().copied())
    }
}

/// A share lock on a node's lease; given back when dropped, however its transaction ends.
pub(super) struct Share {
    shared: Arc<Shared>,
    node: NodeId,
    method: &'static str,
}

impl Share {
    pub(super) fn take(shared: &Arc<Shared>, world: &mut World, node: NodeId, call: &Call) -> Share {
        world.locks.shares.entry(node).or_default().push(call.method);
        Share { shared: Arc::clone(shared), node, method: call.method }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut world = self.shared.world();
        if let Some(held) = world.locks.shares.get_mut(&self.node) {
            held.iter().position(|method| *method == self.method).map(|at| held.remove(at));
            if held.is_empty() {
                world.locks.shares.remove(&self.node);
            }
        }
        drop(world);
        self.shared.ended.notify_waiters();
    }
}

impl Shared {
    /// Carries out a step once none of the nodes that `of` names has a transaction under way.
    pub(super) async fn step_alone<T>(
        &self,
        faults: Option<&dyn Faults>,
        call: &Call,
        of: impl Fn(&World, Timestamp) -> Vec<NodeId>,
        step: impl FnOnce(&mut World, Timestamp) -> Result<T, StoreError>,
    ) -> (Result<T, StoreError>, Fate) {
        let mut waited = false;
        loop {
            let ended = self.ended.notified();
            {
                let mut world = self.world();
                let Some(holder) = world.locks.holder(&of(&world, self.clock.now())) else {
                    return self.step(faults, call, &mut world, step);
                };
                if !waited {
                    world.notice(|noticed| *noticed.waited.entry((call.method, holder)).or_default() += 1);
                    waited = true;
                }
            }
            ended.await;
        }
    }
}
