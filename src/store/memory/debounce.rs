//! Waiting until a key is quiet.

use std::collections::BTreeMap;

use super::simulated::Mutant;
use super::world::{Gate, OfKey, Run, World};
use crate::model::limit::Debounce;
use crate::model::{RunId, Timestamp};

/// When a run came to its gate, which it is, and when the burst began for which it stands.
type Standing = (Timestamp, RunId, Timestamp);

impl World {
    fn debounce_of(&self, run: &Run) -> Option<Debounce> {
        self.limits.get(&run.row.workflow)?.limit.debounce
    }

    /// Says when a run that stands at its gate may be let in, as long as no newer one comes.
    pub(super) fn opens_at(&self, run: &Run) -> Option<Timestamp> {
        let gate = run.gate.as_ref()?;
        let came = gate.at?;
        let debounce = self.debounce_of(run).filter(|_| !self.is_mutant(Mutant::LetInBeforeItIsQuiet));
        Some(debounce.map_or(came, |debounce| debounce.opens_at(came, gate.burst.unwrap_or(came))))
    }

    /// Says whether the run waits for a slot or a start.
    pub(super) fn waits(&self, run: &Run, now: Timestamp) -> bool {
        let stands = run.gate.as_ref().is_some_and(|gate| gate.stands(now));
        stands && self.opens_at(run).is_some_and(|opens_at| opens_at <= now)
    }

    /// Has the newest run of each key that is to be quiet stand for all that stand at its gate: the others are cancelled.
    pub(super) fn debounce(&mut self, now: Timestamp) {
        for (key, mut standing) in self.standing(now) {
            let newest = match self.is_mutant(Mutant::DebounceKeepsTheOldest) {
                true => standing.first(),
                false => standing.last(),
            };
            let Some(&(_, newest, _)) = newest.filter(|_| standing.len() > 1) else { continue };
            let burst = standing.iter().map(|(_, _, burst)| *burst).min();
            if let Some(gate) = self.runs.get_mut(&newest).and_then(|run| run.gate.as_mut()) {
                gate.burst = burst;
            }
            standing.retain(|(_, run, _)| *run != newest);
            let Some(limit) = self.limits.get(&key.1).map(|known| known.limit.clone()) else { continue };
            let others = standing.into_iter().map(|(_, run, _)| run).collect();
            self.cancel(others, &limit, limit.debounces(&key.2, newest), now);
        }
    }

    /// Lists who stands at the gates of each key that is to be quiet, the newest last.
    fn standing(&self, now: Timestamp) -> BTreeMap<OfKey, Vec<Standing>> {
        let mut standing: BTreeMap<OfKey, Vec<Standing>> = BTreeMap::new();
        if self.limits.values().all(|known| known.limit.debounce.is_none()) {
            return standing;
        }
        for run in self.runs.values().filter(|run| self.debounce_of(run).is_some()) {
            let Some((key, gate)) = World::of_key(run).zip(run.gate.as_ref()) else { continue };
            let Some(came) = gate.at.filter(|_| gate.stands(now)) else { continue };
            let of_run = (came, run.row.run, gate.burst.unwrap_or(came));
            standing.entry(key).or_default().push(of_run);
        }
        standing.values_mut().for_each(|standing| standing.sort_unstable());
        standing
    }
}

impl Gate {
    /// Says whether the run stands there, and is not to be cancelled for another one.
    fn stands(&self, now: Timestamp) -> bool {
        !self.gives_way && self.at.is_some_and(|at| at <= now)
    }
}
