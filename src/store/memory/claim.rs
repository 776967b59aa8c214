//! Giving unowned runs to nodes.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::simulated::Mutant;
use super::world::World;
use crate::model::{NodeId, RunId, Timestamp};
use crate::store::{Claimed, Loaded, RunRow, StoreError, Wanted};

/// Runs with messages that one claim names: the owner asks for their inboxes in one question.
const MAILED_RUNS_MAX: usize = 256;

/// What a claim saw when its statement began.
pub(super) struct Candidates {
    runs: Vec<RunId>,
    mailed: Vec<RunId>,
    next_due: Option<Timestamp>,
    at: Timestamp,
    /// Their logs, for the protocol that loads in the same statement.
    loaded: Vec<Loaded>,
}

impl World {
    /// Begins a claim: the fence, and the snapshot that its statement sees.
    pub(super) fn begin_claim(
        &mut self,
        node: NodeId,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Candidates, StoreError> {
        self.fence_all(node, now)?;
        let owner = |run: &RunId| self.runs.get(run).and_then(|run| run.row.owner);
        let mailed = self.inboxes.keys().filter(|run| owner(run) == Some(node));
        let mailed: Vec<RunId> = mailed.take(MAILED_RUNS_MAX).copied().collect();
        let runs = self.claimable(wanted, now);
        let loads = self.is_mutant(Mutant::ClaimAndLoadInOneStatement);
        let loaded = if loads { self.load(&runs) } else { Vec::new() };
        Ok(Candidates { runs, mailed, next_due: self.next_due(wanted, now), at: now, loaded })
    }

    /// Ends a claim: takes those of the runs that are still free, as the lock of their rows finds them.
    pub(super) fn end_claim(&mut self, node: NodeId, candidates: Candidates) -> Claimed {
        let Candidates { mut runs, mailed, next_due, at, loaded } = candidates;
        runs.retain(|run| self.unowned.contains(run));
        for run in &runs {
            self.change(*run, |row| {
                row.owner = Some(node);
                row.wake_at = None;
                row.claimed_at = Some(at);
                row.claims = row.claims.saturating_add(1);
            });
        }
        self.keep_loaded(node, loaded);
        Claimed { runs, mailed, next_due }
    }

    pub(super) fn held(&self, node: NodeId) -> Vec<RunId> {
        self.owned.iter().filter(|(owner, _)| *owner == node).map(|(_, run)| *run).collect()
    }

    /// Returns the runs that a claim gives, in its order: higher priority, then longer due, then older.
    fn claimable(&self, wanted: &Wanted, now: Timestamp) -> Vec<RunId> {
        let named: BTreeSet<&RunId> = wanted.runs.iter().collect();
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let mut found: Vec<_> = self
            .unowned_rows()
            .filter(|row| {
                (passed(row.wake_at) && is_served(wanted, row))
                    || passed(row.deadline_at)
                    || named.contains(&row.run)
                    || self.inboxes.contains_key(&row.run)
            })
            .map(|row| (Reverse(row.priority), row.wake_at.unwrap_or(now), row.run))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, _, run)| run).take(wanted.limit).collect()
    }

    /// Returns when the next run becomes due; what is due already waits for room at a node.
    fn next_due(&self, wanted: &Wanted, now: Timestamp) -> Option<Timestamp> {
        let wake = |row: &RunRow| row.wake_at.filter(|_| is_served(wanted, row));
        self.unowned_rows()
            .flat_map(|row| [wake(row), row.deadline_at])
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    fn unowned_rows(&self) -> impl Iterator<Item = &RunRow> {
        self.unowned.iter().filter_map(|run| self.runs.get(run).map(|run| &run.row))
    }
}

fn is_served(wanted: &Wanted, row: &RunRow) -> bool {
    wanted.served.iter().any(|(workflow, version)| row.workflow == *workflow && row.version == *version)
}
