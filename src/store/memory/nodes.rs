//! Nodes, their leases and the fence.

use std::time::Duration;

use super::simulated::Mutant;
use super::world::{Node, World};
use crate::model::{NodeId, Timestamp};
use crate::store::{Heartbeat, Joined, NodeInfo, Rescue, StoreError};

/// Runs released by one rescue: the figure of a database statement that other nodes do not notice.
const RESCUED_RUNS_MAX: usize = 2_000;

impl World {
    pub(super) fn join(
        &mut self,
        info: &NodeInfo,
        lanes: u16,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Joined, StoreError> {
        if lanes == 0 {
            return Err(StoreError::Refused { message: "a node needs at least one lane".to_owned() });
        }
        let last = self.nodes.last_key_value().map_or(0, |(node, _)| node.0);
        let node = NodeId(last + 1);
        let leases = vec![now + lease; usize::from(lanes)];
        self.nodes.insert(node, Node { info: info.clone(), leases, dead: false });
        Ok(Joined { node, now })
    }

    pub(super) fn heartbeat(&mut self, node: NodeId, lease: Duration, now: Timestamp) -> Heartbeat {
        let revives = self.is_mutant(Mutant::RevivingHeartbeat);
        match self.nodes.get_mut(&node) {
            Some(node) if node.is_alive(now) || revives => {
                node.dead = false;
                node.leases.fill(now + lease);
                Heartbeat::Alive { now }
            }
            _ => Heartbeat::Fenced,
        }
    }

    pub(super) fn leave(&mut self, node: NodeId, now: Timestamp) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.dead = true;
        }
        self.release_all_of(node, usize::MAX, now);
    }

    /// Returns the nodes whose leases a rescue locks.
    pub(super) fn suspects(&self, now: Timestamp) -> Vec<NodeId> {
        if self.is_mutant(Mutant::TakeoverLeavesAlive) {
            return Vec::new();
        }
        let expired = self.nodes.iter().filter(|(_, node)| !node.dead && !node.is_alive(now));
        expired.map(|(id, _)| *id).collect()
    }

    pub(super) fn rescue(&mut self, now: Timestamp) -> Rescue {
        if self.is_mutant(Mutant::TakeoverLeavesAlive) {
            return self.rescue_without_mark(now);
        }
        let expired = self.nodes.iter_mut().filter(|(_, node)| !node.dead && !node.is_alive(now));
        let died: Vec<NodeId> = expired
            .map(|(id, node)| {
                node.dead = true;
                tracing::debug!(node = id.0, name = node.info.name, "a node's lease is over");
                *id
            })
            .collect();
        let dead: Vec<NodeId> = self.nodes.iter().filter(|(_, node)| node.dead).map(|(id, _)| *id).collect();
        let mut released = 0;
        for node in dead {
            released += self.release_all_of(node, RESCUED_RUNS_MAX - released, now);
        }
        let living = self.nodes.values().filter(|node| !node.dead);
        let next_expiry = living.filter_map(|node| node.leases.iter().min().copied()).min();
        Rescue { died, released: u64::try_from(released).unwrap_or(u64::MAX), next_expiry }
    }

    /// A protocol that is known to be wrong: the runs of expired nodes go to others, and the nodes are not marked.
    fn rescue_without_mark(&mut self, now: Timestamp) -> Rescue {
        let expired: Vec<NodeId> =
            self.nodes.iter().filter(|(_, node)| !node.is_alive(now)).map(|(id, _)| *id).collect();
        let mut released = 0;
        for node in expired {
            released += self.release_all_of(node, RESCUED_RUNS_MAX - released, now);
        }
        Rescue { died: Vec::new(), released: u64::try_from(released).unwrap_or(u64::MAX), next_expiry: None }
    }

    /// Ends every lease of a node now.
    pub(super) fn expire(&mut self, node: NodeId, now: Timestamp) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.leases.fill(now);
        }
    }

    /// Refuses a node whose lease on `lane` is over.
    pub(super) fn fence(&self, node: NodeId, lane: u16, now: Timestamp) -> Result<(), StoreError> {
        let node = self.nodes.get(&node).filter(|node| !node.dead);
        let lease = node.and_then(|node| node.leases.get(usize::from(lane)));
        lease.filter(|until| **until > now).map(|_| ()).ok_or(StoreError::Fenced)
    }

    /// Refuses a node whose lease on any lane is over.
    pub(super) fn fence_all(&self, node: NodeId, now: Timestamp) -> Result<(), StoreError> {
        let node = self.nodes.get(&node).filter(|node| node.is_alive(now));
        node.map(|_| ()).ok_or(StoreError::Fenced)
    }

    fn release_all_of(&mut self, node: NodeId, limit: usize, now: Timestamp) -> usize {
        let owned = self.owned.iter().filter(|(owner, _)| *owner == node);
        let runs: Vec<_> = owned.map(|(_, run)| *run).take(limit).collect();
        for run in &runs {
            self.release(*run, Some(now));
        }
        runs.len()
    }
}

impl Node {
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        !self.dead && self.leases.iter().all(|until| *until > now)
    }
}
