//! Who has a transaction under way, and who waits for its end.
//!
//! An append and a claim hold a share lock on their node's lease; a heartbeat, a leave and a rescue wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::faults::{Call, Fate, Faults};
use super::world::World;
use super::Shared;
use crate::model::{NodeId, Timestamp};
use crate::store::StoreError;

/// How many transactions hold a lock on each node's lease; a node without any has no entry.
#[derive(Default)]
pub(super) struct Locks {
    shares: BTreeMap<NodeId, u32>,
}

impl Locks {
    fn is_free(&self, node: NodeId) -> bool {
        !self.shares.contains_key(&node)
    }
}

/// A share lock on a node's lease; given back when dropped, however its transaction ends.
pub(super) struct Share {
    shared: Arc<Shared>,
    node: NodeId,
}

impl Share {
    pub(super) fn take(shared: &Arc<Shared>, world: &mut World, node: NodeId) -> Share {
        *world.locks.shares.entry(node).or_default() += 1;
        Share { shared: Arc::clone(shared), node }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut world = self.shared.world();
        let left = world.locks.shares.get(&self.node).map_or(0, |held| held.saturating_sub(1));
        match left {
            0 => world.locks.shares.remove(&self.node),
            left => world.locks.shares.insert(self.node, left),
        };
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
                if of(&world, self.clock.now()).into_iter().all(|node| world.locks.is_free(node)) {
                    return self.step(faults, call, &mut world, step);
                }
                if !waited {
                    world.notice(|noticed| *noticed.waited.entry(call.method).or_default() += 1);
                    waited = true;
                }
            }
            ended.await;
        }
    }
}
