//! Runs as lists show them.

use std::collections::BTreeSet;

use super::world::{Run, World};
use crate::model::{RunId, RunSummary, Status};

impl World {
    pub(super) fn summaries(&self, runs: &[RunId]) -> Vec<RunSummary> {
        let runs: BTreeSet<&RunId> = runs.iter().collect();
        runs.into_iter().filter_map(|run| self.runs.get(run)).map(Run::summary).collect()
    }
}

impl Run {
    pub(super) fn summary(&self) -> RunSummary {
        let row = &self.row;
        RunSummary {
            run: row.run,
            namespace: row.namespace.clone(),
            workflow: row.workflow.clone(),
            version: row.version.clone(),
            key: row.key.clone(),
            status: row.status,
            parked: row.status == Status::Running && row.owner.is_none(),
            archived: false,
            trigger: Some(self.listed.trigger.clone()),
            parent: row.parent,
            node: row.owner.or(self.listed.node),
            wake_at: row.wake_at,
            deadline_at: row.deadline_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            metadata: self.listed.metadata.clone(),
            failure: self.listed.failure.clone(),
        }
    }
}
