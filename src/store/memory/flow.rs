//! What holds runs back.

use super::MemoryStore;
use super::faults::Call;
use super::world::World;
use crate::model::limits::PRIORITY_STEP;
use crate::model::{Namespace, RunId, Status, Timestamp, WorkflowName};
use crate::store::{Answer, Flow, NewPause, Pause, RunRow};

impl Flow for MemoryStore {
    fn pause<'a>(&'a self, pause: &'a NewPause) -> Answer<'a, bool> {
        self.call(Call::of("pause"), move |world, now| Ok(world.pause(pause, now)))
    }

    fn resume<'a>(&'a self, workflow: &'a WorkflowName, namespace: &'a Namespace) -> Answer<'a, bool> {
        self.call(Call::of("resume"), move |world, _| {
            let ended = world.pauses.remove(&(workflow.clone(), namespace.clone())).is_some();
            world.changed |= ended;
            Ok(ended)
        })
    }

    fn pauses<'a>(&'a self, namespace: Option<&'a Namespace>, limit: u32) -> Answer<'a, Vec<Pause>> {
        self.call(Call::of("pauses"), move |world, _| {
            let of_it = |pause: &&Pause| namespace.is_none_or(|namespace| pause.namespace == *namespace);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(world.pauses.values().filter(of_it).take(limit).cloned().collect())
        })
    }

    fn pause_of<'a>(
        &'a self,
        workflow: &'a WorkflowName,
        namespace: &'a Namespace,
    ) -> Answer<'a, Option<Pause>> {
        self.call(Call::of("pause_of"), move |world, _| {
            Ok(world.pauses.get(&(workflow.clone(), namespace.clone())).cloned())
        })
    }

    fn held_back<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>> {
        self.call(Call::of("held_back"), move |world, _| Ok(world.held_back(runs)))
    }
}

impl World {
    fn pause(&mut self, new: &NewPause, now: Timestamp) -> bool {
        let NewPause { workflow, namespace, by, reason } = new.clone();
        let place = (workflow.clone(), namespace.clone());
        let is_new = !self.pauses.contains_key(&place);
        self.pauses.entry(place).or_insert(Pause { workflow, namespace, since: now, by, reason });
        is_new
    }

    pub(super) fn held_back(&self, runs: &[RunId]) -> Vec<RunId> {
        let row = |run: &RunId| self.runs.get(run).map(|run| &run.row);
        runs.iter().filter(|run| row(run).is_some_and(|row| self.may_not_start(row))).copied().collect()
    }

    /// Says whether a run that has not started may not do so now.
    pub(super) fn may_not_start(&self, row: &RunRow) -> bool {
        let place = || (row.workflow.clone(), row.namespace.clone());
        row.status == Status::Queued && !self.pauses.is_empty() && self.pauses.contains_key(&place())
    }

    /// Lists the workflows that are paused in some namespace.
    pub(super) fn paused(&self) -> impl Iterator<Item = &WorkflowName> {
        self.pauses.keys().map(|(workflow, _)| workflow)
    }
}

/// Returns a due run's place in the order of claims.
pub(super) fn place(row: &RunRow, due: Timestamp) -> Timestamp {
    let ahead = PRIORITY_STEP * u32::from(row.priority.unsigned_abs());
    if row.priority < 0 { due + ahead } else { due - ahead }
}
