//! What holds runs back.

use std::cell::LazyCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::MemoryStore;
use super::faults::Call;
use super::simulated::Mutant;
use super::world::{Gate, OfKey, Run, World};
use crate::model::limit::{Limit, Policy, Rate};
use crate::model::limits::{CANCEL_GRACE_DEFAULT, PRIORITY_STEP};
use crate::model::{MessageBody, Namespace, RunId, Status, Timestamp, WorkflowName};
use crate::store::{Answer, AtGate, Flow, KnownLimit, LimitKey, NewPause, Pause, RunRow, Shape};

/// Times are kept in microseconds.
const AN_INSTANT: Duration = Duration::from_micros(1);

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

    fn at_gate(&self, run: RunId) -> Answer<'_, Option<AtGate>> {
        self.call(Call::of("at_gate"), move |world, now| Ok(world.at_gate(run, now)))
    }

    fn limits<'a>(&'a self, workflow: Option<&'a WorkflowName>, rows: u32) -> Answer<'a, Vec<KnownLimit>> {
        self.call(Call::of("limits"), move |world, _| {
            let of_it = |known: &&KnownLimit| workflow.is_none_or(|workflow| known.workflow == *workflow);
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            Ok(world.limits.values().filter(of_it).take(rows).cloned().collect())
        })
    }

    fn limit_keys<'a>(
        &'a self,
        workflow: &'a WorkflowName,
        namespace: Option<&'a Namespace>,
        rows: u32,
    ) -> Answer<'a, Vec<LimitKey>> {
        self.call(Call::of("limit_keys"), move |world, _| {
            let mut keys = world.limit_keys(workflow);
            keys.retain(|key| namespace.is_none_or(|namespace| key.namespace == *namespace));
            keys.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
            Ok(keys)
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
        let is_paused = || !self.pauses.is_empty() && self.pauses.contains_key(&place());
        let at_gate = || self.gate_of(row.run).is_some_and(|gate| gate.at.is_some());
        row.status == Status::Queued && (at_gate() || is_paused())
    }

    /// Lists the workflows that are paused in some namespace.
    pub(super) fn paused(&self) -> impl Iterator<Item = &WorkflowName> {
        self.pauses.keys().map(|(workflow, _)| workflow)
    }
}

impl World {
    pub(super) fn gate_of(&self, run: RunId) -> Option<&Gate> {
        self.runs.get(&run)?.gate.as_ref()
    }

    /// Returns since when a run is due, as its place in the queue counts it.
    pub(super) fn since(&self, row: &RunRow, now: Timestamp) -> Timestamp {
        let gate = self.gate_of(row.run).filter(|_| row.status == Status::Queued);
        gate.map_or(row.wake_at.unwrap_or(now), |gate| gate.since)
    }

    pub(super) fn register_limit(&mut self, shape: &Shape, now: Timestamp) {
        let Some(limit) = shape.limit.clone() else {
            self.limits.remove(&shape.workflow);
            return;
        };
        let lets_in = |limit: &Limit| (limit.slots, limit.rate, limit.debounce);
        let before = self.limits.get(&shape.workflow);
        let before = before.filter(|before| lets_in(&before.limit) == lets_in(&limit));
        let since = before.map_or(now, |before| before.since);
        let workflow = shape.workflow.clone();
        self.limits.insert(workflow.clone(), KnownLimit { workflow, limit, since });
    }

    pub(super) fn of_key(run: &Run) -> Option<OfKey> {
        let key = run.gate.as_ref()?.key.clone();
        Some((run.row.namespace.clone(), run.row.workflow.clone(), key))
    }

    /// Counts the runs of each key that were let in and have not ended.
    fn running(&self) -> BTreeMap<OfKey, u32> {
        let mut running = BTreeMap::new();
        let wrongly = self.is_mutant(Mutant::LetInCountsTheStarted);
        let counts = |run: &&Run| match wrongly {
            true => run.row.status == Status::Running,
            false => !run.row.status.is_terminal(),
        };
        let live = self.runs.values().filter(counts);
        let in_it = live.filter(|run| run.gate.as_ref().is_some_and(|gate| gate.at.is_none()));
        for key in in_it.filter_map(World::of_key) {
            *running.entry(key).or_default() += 1;
        }
        running
    }

    /// Lists when runs of each key were let in that count for the rate of their limit, the latest first.
    fn started(&self, now: Timestamp) -> BTreeMap<OfKey, Vec<Timestamp>> {
        let mut started: BTreeMap<OfKey, Vec<Timestamp>> = BTreeMap::new();
        let forgets = self.is_mutant(Mutant::RateForgetsTheEnded);
        for run in self.runs.values().filter(|run| !(forgets && run.row.status.is_terminal())) {
            let rate = self.limits.get(&run.row.workflow).and_then(|known| known.limit.rate);
            let at = run.gate.as_ref().and_then(|gate| gate.let_in_at);
            let counts = |(at, rate): &(Timestamp, Rate)| *at + rate.window > now;
            let Some((at, _)) = at.zip(rate).filter(counts) else { continue };
            World::of_key(run).into_iter().for_each(|key| started.entry(key).or_default().push(at));
        }
        started.values_mut().for_each(|started| started.sort_unstable_by_key(|at| Reverse(*at)));
        started
    }

    /// Says when the next run of a key may start, if its rate is used up.
    fn opens(&self, key: &OfKey, started: &[Timestamp]) -> Option<Timestamp> {
        let rate = self.limits.get(&key.1)?.limit.rate?;
        let oldest = started.get(usize::try_from(rate.starts).ok()?.checked_sub(1)?)?;
        Some(*oldest + rate.window)
    }

    /// Says when the gates of runs are to be looked at for their sakes.
    pub(super) fn gates_open(&self, now: Timestamp) -> impl Fn(RunId) -> Option<Timestamp> {
        let started = LazyCell::new(move || self.started(now));
        move |run| {
            let run = self.runs.get(&run)?;
            let at = run.gate.as_ref()?.at?;
            let opens_at = self.opens_at(run)?.max(at);
            if opens_at > now {
                return Some(opens_at);
            }
            let key = World::of_key(run)?;
            self.opens(&key, started.get(&key)?)
        }
    }

    /// Lets runs in, as many of each key as there are free slots.
    pub(super) fn let_in(&mut self, now: Timestamp) {
        self.debounce(now);
        let stands = |run: &RunId| {
            let run = self.runs.get(run).filter(|run| self.waits(run, now))?;
            Some((place(&run.row, run.gate.as_ref()?.since), run.row.run))
        };
        let mut waiting: Vec<(Timestamp, RunId)> = self.unowned.iter().filter_map(stands).collect();
        let mut gone = std::mem::take(&mut self.gone);
        if waiting.is_empty() {
            return;
        }
        waiting.sort_unstable();
        gone.values_mut().for_each(|served| served.sort_unstable_by_key(|at| Reverse(*at)));
        let mut running = self.running();
        let mut started = self.started(now);
        for (_, id) in waiting {
            let Some((run, key)) = self.runs.get(&id).and_then(|run| Some((run, World::of_key(run)?))) else {
                continue;
            };
            let limit = self.limits.get(&run.row.workflow).map(|known| known.limit.clone());
            let served = gone.get_mut(&key);
            let started = started.entry(key.clone()).or_default();
            let is_used_up = self.opens(&key, started).is_some();
            let running = running.entry(key).or_default();
            if is_used_up || limit.as_ref().is_some_and(|limit| *running >= limit.slots) {
                continue;
            }
            let has_rate = limit.as_ref().is_some_and(|limit| limit.rate.is_some());
            let is_debounced = limit.as_ref().is_some_and(|limit| limit.debounce.is_some());
            started.extend(has_rate.then_some(now));
            started.sort_unstable_by_key(|at| Reverse(*at));
            *running += 1;
            let takes_turns = limit.is_some_and(|limit| limit.policy == Policy::RoundRobin);
            let mut due = now;
            if let Some(gate) = self.runs.get_mut(&id).and_then(|run| run.gate.as_mut()) {
                due = gate.at.take().unwrap_or(now);
                gate.let_in_at = (has_rate || is_debounced).then_some(now);
                gate.burst = is_debounced.then(|| gate.burst.unwrap_or(gate.came));
                if takes_turns {
                    // Behind who was let in at the instant at which that one was served.
                    let after = served.and_then(Vec::pop).map(|served| served + AN_INSTANT);
                    gate.since = after.unwrap_or(now).max(due);
                }
            }
            self.change(id, |row| row.wake_at = Some(due));
        }
        self.give_way(now);
    }

    /// Cancels by the policies of the limits, once a run: those that found no slot, or as many of those that were created
    /// first.
    fn give_way(&mut self, now: Timestamp) {
        let mut lines: BTreeMap<OfKey, Vec<RunId>> = BTreeMap::new();
        for run in self.runs.values().filter(|run| self.waits(run, now)) {
            if let Some(key) = World::of_key(run) {
                lines.entry(key).or_default().push(run.row.run);
            }
        }
        let (running, started) = (self.running(), self.started(now));
        for (key, line) in lines {
            let Some(limit) = self.limits.get(&key.1).map(|known| known.limit.clone()) else { continue };
            let has_slots = running.get(&key).copied().unwrap_or_default() < limit.slots;
            let used = started.get(&key).map_or(0, Vec::len);
            let chosen = match limit.policy {
                Policy::Queue | Policy::RoundRobin => continue,
                Policy::CancelNewest => line,
                Policy::CancelOldest if has_slots => continue,
                Policy::CancelOldest => {
                    let left =
                        limit.rate.map_or(usize::MAX, |rate| (rate.starts as usize).saturating_sub(used));
                    self.oldest(&key, line.len().min(left))
                }
            };
            self.cancel(chosen, &limit, limit.cancels(&key.2, has_slots), now);
        }
    }

    /// Tells runs that their limit has them cancelled.
    pub(super) fn cancel(&mut self, runs: Vec<RunId>, limit: &Limit, reason: String, now: Timestamp) {
        let (reason, by) = (Some(reason), Some(format!("limit `{}`", limit.name)));
        let grace_ms = u64::try_from(CANCEL_GRACE_DEFAULT.as_millis()).unwrap_or(u64::MAX);
        let body = MessageBody::Cancel { reason, by, grace_ms };
        for run in runs {
            if let Some(gate) = self.runs.get_mut(&run).and_then(|run| run.gate.as_mut()) {
                gate.gives_way = true;
            }
            self.send(run, &body, now);
        }
    }

    /// Lists those of the oldest `count` runs of a key under way that were not told to give way.
    fn oldest(&self, key: &OfKey, count: usize) -> Vec<RunId> {
        let gives_way = |run: &Run| run.gate.as_ref().is_some_and(|gate| gate.gives_way);
        let let_in = |run: &&Run| {
            let is_in = run.gate.as_ref().is_some_and(|gate| gate.at.is_none());
            is_in && !run.row.status.is_terminal() && World::of_key(run).as_ref() == Some(key)
        };
        let told = self.runs.values().filter(let_in).filter(|run| gives_way(run)).count();
        let others = self.runs.values().filter(let_in).filter(|run| !gives_way(run));
        others.take(count.saturating_sub(told)).map(|run| run.row.run).collect()
    }

    fn at_gate(&self, id: RunId, now: Timestamp) -> Option<AtGate> {
        let run = self.runs.get(&id)?;
        let gate = run.gate.as_ref().filter(|gate| gate.at.is_some())?;
        let limit = self.limits.get(&run.row.workflow).map(|known| &known.limit);
        let running = World::of_key(run).and_then(|key| self.running().get(&key).copied());
        let until = World::of_key(run).and_then(|key| self.opens(&key, self.started(now).get(&key)?));
        Some(AtGate {
            limit: limit.map(|limit| limit.name.clone()).unwrap_or_default(),
            key: gate.key.clone(),
            running: running.unwrap_or_default(),
            slots: limit.map(|limit| limit.slots),
            until,
            quiet_at: self
                .opens_at(run)
                .filter(|at| limit.is_some_and(|l| l.debounce.is_some()) && *at > now),
        })
    }

    fn limit_keys(&self, workflow: &WorkflowName) -> Vec<LimitKey> {
        let mut keys: BTreeMap<OfKey, (u32, u32)> = BTreeMap::new();
        for (key, running) in self.running() {
            keys.entry(key).or_default().0 += running;
        }
        let waiting =
            self.runs.values().filter(|run| run.gate.as_ref().is_some_and(|gate| gate.at.is_some()));
        for key in waiting.filter_map(World::of_key) {
            keys.entry(key).or_default().1 += 1;
        }
        let of_it = keys.into_iter().filter(|((_, of, _), _)| of == workflow);
        let mut keys: Vec<LimitKey> = of_it
            .map(|((namespace, _, key), (running, waiting))| LimitKey { namespace, key, running, waiting })
            .collect();
        keys.sort_by_key(|key| (Reverse(key.waiting), Reverse(key.running)));
        keys
    }
}

/// Returns a due run's place in the order of claims.
pub(super) fn place(row: &RunRow, due: Timestamp) -> Timestamp {
    let ahead = PRIORITY_STEP * u32::from(row.priority.unsigned_abs());
    if row.priority < 0 { due + ahead } else { due - ahead }
}
