//! Nodes, their leases and the fence.

use std::time::Duration;

use super::simulated::Mutant;
use super::world::{Node, World};
use crate::model::{NodeId, RunId, Timestamp, Version, WorkflowName};
use crate::store::{
    FenceCause, Heartbeat, Joined, NodeInfo, Registered, Rescue, Served, Serving, Shape, StoreError,
};

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
        let joined = Node { joined_at: now, left_at: None, info: info.clone(), leases, dead: false };
        self.nodes.insert(node, joined);
        if info.resumes.is_some() {
            for run in self.runs.values_mut().filter(|run| run.died_with == info.resumes) {
                run.row.deaths = run.row.deaths.saturating_sub(1).max(0);
                run.died_with = None;
            }
        }
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
            _ => Heartbeat::Fenced { cause: FenceCause::LeaseOver },
        }
    }

    pub(super) fn leave(&mut self, node: NodeId, now: Timestamp) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.dead = true;
            node.left_at.get_or_insert(now);
        }
        for run in self.owned_by(node, usize::MAX) {
            self.release(run, Some(now));
        }
    }

    /// Returns the nodes whose leases a rescue locks.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<NodeId> {
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
            for run in self.owned_by(node, RESCUED_RUNS_MAX - released) {
                self.count_death(run, node);
                self.release(run, Some(now));
                released += 1;
            }
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
            for run in self.owned_by(node, RESCUED_RUNS_MAX - released) {
                self.release(run, Some(now));
                released += 1;
            }
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

    fn owned_by(&self, node: NodeId, limit: usize) -> Vec<RunId> {
        let owned = self.owned.iter().filter(|(owner, _)| *owner == node);
        owned.map(|(_, run)| *run).take(limit).collect()
    }

    /// Counts that `node` died while it owned the run, if the run got no further meanwhile. None of its code runs at its gate.
    fn count_death(&mut self, run: RunId, node: NodeId) {
        let resumed = self.nodes.values().any(|other| other.info.resumes == Some(node));
        let Some(found) = self.runs.get_mut(&run) else { return };
        let last = found.log.last().map(|entry| entry.at);
        let at_gate = found.gate.as_ref().is_some_and(|gate| gate.at.is_some());
        let further = last.zip(found.row.claimed_at).is_some_and(|(last, claimed)| last >= claimed);
        found.died_with = (!further && !resumed && !at_gate).then_some(node);
        found.row.deaths = match (further, resumed || at_gate) {
            (true, _) => 0,
            (false, true) => found.row.deaths,
            (false, false) => found.row.deaths.saturating_add(1),
        };
    }

    pub(super) fn registered(&self, workflow: &WorkflowName, now: Timestamp) -> Option<Registered> {
        let is_served = |shape: &Shape| self.serving(&shape.workflow, &shape.version, now).nodes > 0;
        let versions = self.shapes.values().filter(|known| known.shape.workflow == *workflow);
        let found = versions
            .max_by_key(|known| (is_served(&known.shape), known.place, known.shape.version.clone()))?;
        let Shape { version, timeout, start_timeout, .. } = found.shape.clone();
        let limit = self.limits.get(workflow).map(|known| known.limit.clone());
        Some(Registered { version, timeout, start_timeout, limit })
    }

    pub(super) fn serving(&self, workflow: &WorkflowName, version: &Version, now: Timestamp) -> Serving {
        let mut serving = Serving { nodes: 0, full: 0, now };
        for (id, node) in self.nodes.iter().filter(|(_, node)| node.is_alive(now)) {
            let served = |served: &&Served| served.workflow == *workflow && served.version == *version;
            let Some(served) = node.info.served.iter().find(served) else { continue };
            let held = self.owned_by(*id, usize::MAX);
            let of_workflow =
                |run: &&RunId| self.runs.get(run).is_some_and(|run| run.row.workflow == *workflow);
            let full =
                held.len() >= node.info.slots || held.iter().filter(of_workflow).count() >= served.slots;
            serving.nodes += 1;
            serving.full += u32::from(full);
        }
        serving
    }
}

impl Node {
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        !self.dead && self.leases.iter().all(|until| *until > now)
    }
}
