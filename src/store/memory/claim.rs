//! Giving unowned runs to nodes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::flow::place;
use super::simulated::Mutant;
use super::world::World;
use crate::model::limits::{POISON_DEATHS, SUSPECT_WATCH};
use crate::model::{NodeId, RunId, Timestamp, WorkflowName};
use crate::store::{Claimed, Loaded, RunRow, Served, StoreError, Wanted};

/// Runs with messages that one claim names: the owner asks for their inboxes in one question.
const MAILED_RUNS_MAX: usize = 256;

/// What a claim saw when its statement began.
pub(super) struct Candidates {
    runs: Vec<RunId>,
    mailed: Vec<RunId>,
    next_due: Option<Timestamp>,
    paused: Vec<WorkflowName>,
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
        self.let_in(now);
        let owner = |run: &RunId| self.runs.get(run).and_then(|run| run.row.owner);
        let mailed = self.inboxes.keys().filter(|run| owner(run) == Some(node));
        let mailed: Vec<RunId> = mailed.take(MAILED_RUNS_MAX).copied().collect();
        let runs = self.claimable(node, wanted, now);
        let loads = self.is_mutant(Mutant::ClaimAndLoadInOneStatement);
        let loaded = if loads { self.load(&runs) } else { Vec::new() };
        let is_served =
            |workflow: &&WorkflowName| wanted.served.iter().any(|served| served.workflow == **workflow);
        let mut paused: Vec<WorkflowName> = self.paused().filter(is_served).cloned().collect();
        paused.dedup();
        Ok(Candidates { runs, mailed, next_due: self.next_due(wanted, now), paused, at: now, loaded })
    }

    /// Ends a claim: takes those of the runs that are still free, as the lock of their rows finds them.
    pub(super) fn end_claim(&mut self, node: NodeId, candidates: Candidates) -> Claimed {
        let Candidates { mut runs, mailed, next_due, paused, at, loaded } = candidates;
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
        let held_back = self.held_back(&runs);
        Claimed { runs, held_back, mailed, next_due, paused }
    }

    pub(super) fn held(&self, node: NodeId) -> Vec<RunId> {
        self.owned.iter().filter(|(owner, _)| *owner == node).map(|(_, run)| *run).collect()
    }

    /// Returns the runs that a claim gives, in its order: longer due, each step of priority counting as a minute, then
    /// older.
    fn claimable(&self, node: NodeId, wanted: &Wanted, now: Timestamp) -> Vec<RunId> {
        let named: BTreeSet<&RunId> = wanted.runs.iter().collect();
        let suspects = self.suspects(node, wanted, now);
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let mut found: Vec<_> = self
            .unowned_rows()
            .filter(|row| match row.deaths {
                ..2 => true,
                POISON_DEATHS.. => true,
                _ => suspects.contains(&row.run) || served(wanted, row).is_none(),
            })
            .map(|row| (place(row, self.since(row, now)), row))
            .collect();
        found.sort_unstable_by_key(|(place, row)| (*place, row.run));
        let mut slots: BTreeMap<&WorkflowName, usize> = BTreeMap::new();
        for served in &wanted.served {
            slots.insert(&served.workflow, served.slots);
        }
        let mut fits = |row: &RunRow| match slots.get_mut(&row.workflow) {
            Some(slots) if served(wanted, row).is_some() && *slots > 0 && !self.may_not_start(row) => {
                *slots -= 1;
                true
            }
            _ => false,
        };
        let mut wants = |row: &RunRow| {
            passed(row.deadline_at)
                || named.contains(&row.run)
                || self.inboxes.contains_key(&row.run)
                || row.deaths >= POISON_DEATHS && row.wake_at.is_some()
                || passed(row.wake_at) && (suspects.contains(&row.run) || fits(row))
        };
        found
            .into_iter()
            .map(|(_, row)| row)
            .filter(|row| wants(row))
            .map(|row| row.run)
            .take(wanted.limit)
            .collect()
    }

    /// Returns the suspects that the node may take now: those with the most deaths, the fewer the more.
    fn suspects(&self, node: NodeId, wanted: &Wanted, now: Timestamp) -> Vec<RunId> {
        let is_suspect = |row: &RunRow| (2..POISON_DEATHS).contains(&row.deaths);
        let watched =
            self.owned.range((node, RunId::from_tick(0, 0))..).take_while(|(owner, _)| *owner == node);
        let mut watched = watched.filter_map(|(_, run)| self.runs.get(run)).map(|run| &run.row);
        let recently = |row: &RunRow| row.claimed_at.is_some_and(|at| at + SUSPECT_WATCH > now);
        if watched.any(|row| is_suspect(row) && recently(row)) {
            return Vec::new();
        }
        let due = |row: &&RunRow| {
            is_suspect(row) && row.wake_at.is_some_and(|at| at <= now) && !self.may_not_start(row)
        };
        let has_room = |row: &&RunRow| served(wanted, row).is_some_and(|served| served.slots > 0);
        let mut found: Vec<&RunRow> = self.unowned_rows().filter(due).filter(has_room).collect();
        found.sort_unstable_by_key(|row| (Reverse(row.deaths), row.wake_at, row.run));
        let Some(deaths) = found.first().map(|row| row.deaths) else { return Vec::new() };
        let count = match deaths {
            2 => 64,
            3 => 8,
            _ => 1,
        };
        found.into_iter().filter(|row| row.deaths == deaths).map(|row| row.run).take(count).collect()
    }

    /// Returns when the next run becomes due; what is due already waits for room at a node.
    fn next_due(&self, wanted: &Wanted, now: Timestamp) -> Option<Timestamp> {
        let wake = |row: &RunRow| row.wake_at.filter(|_| served(wanted, row).is_some());
        let gate_opens = self.gates_open(now);
        self.unowned_rows()
            .flat_map(|row| [wake(row), row.deadline_at, gate_opens(row.run)])
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    fn unowned_rows(&self) -> impl Iterator<Item = &RunRow> {
        self.unowned.iter().filter_map(|run| self.runs.get(run).map(|run| &run.row))
    }
}

fn served<'a>(wanted: &'a Wanted, row: &RunRow) -> Option<&'a Served> {
    wanted.served.iter().find(|served| served.workflow == row.workflow && served.version == row.version)
}
