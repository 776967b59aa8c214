//! Questions about nodes and workflows.

use std::cmp::Reverse;

use super::world::{Known, Node, World};
use crate::model::{NodeId, Status, Timestamp, WorkflowName};
use crate::store::{KnownWorkflow, LiveRuns, NodeRow, StoreError};

impl World {
    pub(super) fn list_nodes(&self, limit: u32, now: Timestamp) -> Vec<NodeRow> {
        let mut rows: Vec<NodeRow> =
            self.nodes.iter().map(|(id, node)| self.node_row(*id, node, now)).collect();
        rows.sort_by_key(|row| (!row.alive, Reverse(row.node)));
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        rows
    }

    fn node_row(&self, id: NodeId, node: &Node, now: Timestamp) -> NodeRow {
        let info = &node.info;
        let mut served = info.served.clone();
        served.sort_by(|a, b| (&a.workflow, &a.version).cmp(&(&b.workflow, &b.version)));
        let held = self.owned.iter().filter(|(owner, _)| *owner == id).count();
        NodeRow {
            node: id,
            name: info.name.clone(),
            pid: info.pid,
            release: info.release.clone(),
            joined_at: node.joined_at,
            left_at: node.left_at,
            lease_until: node.leases.iter().min().copied(),
            alive: node.is_alive(now),
            slots: Some(u32::try_from(info.slots).unwrap_or(u32::MAX)),
            runs: u64::try_from(held).unwrap_or(u64::MAX),
            served,
            now,
        }
    }

    pub(super) fn list_workflows(
        &self,
        name: Option<&WorkflowName>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<KnownWorkflow>, StoreError> {
        let wanted =
            self.shapes.values().filter(|known| name.is_none_or(|name| known.shape.workflow == *name));
        let mut known =
            wanted.map(|known| self.known_workflow(known, now)).collect::<Result<Vec<_>, StoreError>>()?;
        known.sort_by(|a, b| {
            let key = |known: &KnownWorkflow| (known.nodes == 0, Reverse(known.registered_at));
            (&a.workflow, key(a), Reverse(&a.version)).cmp(&(&b.workflow, key(b), Reverse(&b.version)))
        });
        known.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(known)
    }

    fn known_workflow(&self, known: &Known, now: Timestamp) -> Result<KnownWorkflow, StoreError> {
        let Known { shape, at, .. } = known;
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            table: "workflows",
            column: "shape",
            row: format!("{} {}", shape.workflow, shape.version),
            message: error.to_string(),
        };
        Ok(KnownWorkflow {
            workflow: shape.workflow.clone(),
            version: shape.version.clone(),
            plan: serde_json::from_str(&shape.shape).map_err(corrupt)?,
            registered_at: *at,
            timeout: shape.timeout,
            start_timeout: shape.start_timeout,
            nodes: self.serving(&shape.workflow, &shape.version, now).nodes,
        })
    }

    pub(super) fn live_runs(&self, now: Timestamp) -> LiveRuns {
        let mut live =
            LiveRuns { held: u64::try_from(self.owned.len()).unwrap_or(u64::MAX), ..LiveRuns::default() };
        for row in self.unowned.iter().filter_map(|run| Some(&self.runs.get(run)?.row)) {
            match (row.wake_at, row.status) {
                (Some(_), Status::Queued) => live.queued += 1,
                (Some(_), _) => live.scheduled += 1,
                (None, Status::Queued) => live.queued += 1,
                (None, _) => live.parked += 1,
            }
            let due = row.wake_at.filter(|_| !self.may_not_start(row));
            let late = due.and_then(|due| (now - due).to_std().ok());
            live.lag = live.lag.max(late.unwrap_or_default());
        }
        live
    }
}
