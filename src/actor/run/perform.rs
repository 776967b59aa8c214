//! Brings about what the state asks for: attempts, timers, children, mail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::draft::Draft;
use super::live::Live;
use super::{Begin, Beginning, RunMsg};
use crate::actor::birth::{NO_RULES, fold_new, recorded};
use crate::model::command::Now;
use crate::model::effects::{Effect, effects};
use crate::model::state::{Op, OpState};
use crate::model::{Event, OpKey, Recorded, RunEvent, Status, Timestamp};
use crate::store::StoreError;
use crate::workflow::context::Cancelled;

/// The longest timer that is kept in memory; a later one is set anew when it goes off.
const TIMER_MAX: Duration = Duration::from_secs(3_600);

impl Live {
    /// Returns what decisions need beside the state.
    pub(super) fn now(&self) -> Now<'_> {
        let rules = self.definition.as_ref().map_or(&NO_RULES, |definition| &definition.rules);
        Now { at: self.engine.clock.now(), chance: self.engine.clock.chance(), rules }
    }

    /// Starts what should be in flight and is not, and stops what is and should not be.
    pub(super) fn perform(&mut self) {
        let Some(state) = &self.state else { return };
        let wanted = effects(state, self.told_until);
        let cancel = state.cancel.clone();
        let blocked = self.blocked;
        let (mut attempts, mut judges) = (Vec::new(), BTreeSet::new());
        let mut wake = None;
        for effect in wanted {
            match effect {
                Effect::Start => {}
                Effect::Attempt { task, attempt } => attempts.push((task, attempt)),
                Effect::Judge { task } => {
                    judges.insert(task);
                }
                Effect::Wake { at } => wake = Some(at),
            }
        }
        self.attempts.retain(|task, live| !blocked && attempts.contains(&(*task, live.attempt)));
        let definition = self.definition.clone().filter(|_| !blocked && !self.draining);
        for (task, _) in attempts {
            if let Some(definition) = definition.as_ref().filter(|_| !self.attempts.contains_key(&task)) {
                self.spawn_attempt(task, definition, false);
            }
        }
        self.judge(&judges);
        if let Some(cancel) = cancel {
            for live in self.attempts.values() {
                live.ledger.cancel(Cancelled { reason: cancel.reason.clone(), by: cancel.by.clone() });
            }
        }
        self.set_timer(wake);
        self.watch_rest();
    }

    /// Answers attempts whose reports came to nothing.
    pub(super) fn settle(&mut self, draft: Draft) {
        if self.draining {
            self.leave_rested(&draft.answers);
        }
        self.answer(&draft, &mut BTreeMap::new());
        // Time may have passed for retries that need no event, and effects may have changed with it.
        self.perform();
    }

    /// Sets a new run going, whose first events were committed.
    pub(super) fn live_from(&mut self, events: Vec<Event>, at: Timestamp) -> Result<(), StoreError> {
        let events = recorded(0, at, Some(self.node.id), events);
        let state = fold_new(self.run, &events)?;
        state.iter().for_each(|state| self.engine.metrics.born(state));
        self.state = state.map(Box::new);
        self.engine.committed(self.run, &events);
        self.perform();
        Ok(())
    }

    /// Hands the committed facts to whoever waits for them.
    pub(super) fn after_commit(&mut self, mut draft: Draft, events: &[Recorded], at: Timestamp) {
        let mut ops = self.changed_ops(events);
        self.answer(&draft, &mut ops);
        for (task, changed) in ops {
            if let Some(live) = self.attempts.get_mut(&task) {
                live.idle = false;
                live.ledger.committed(0, changed);
            }
        }
        for child in std::mem::take(&mut draft.children) {
            let Some((started, expected)) = child.started else {
                self.engine.metrics.queued(&child.workflow, child.events.len());
                self.engine.queued();
                continue;
            };
            let events = recorded(0, at, Some(self.node.id), child.events);
            match fold_new(child.run, &events) {
                Ok(Some(state)) => {
                    self.engine.committed(child.run, &events);
                    self.engine.metrics.born(&state);
                    let begin = Begin::Adopt { state: Box::new(state), expected };
                    let (slot, definition) = (started.slot, Some(started.definition));
                    self.engine.spawn(&self.node, Beginning { run: child.run, begin, slot, definition });
                }
                Ok(None) | Err(_) => {
                    self.engine.hint(crate::actor::claimer::Hint::Orphan(child.run));
                }
            }
        }
        for mail in &draft.mail {
            self.engine.mailed(mail.to);
        }
    }

    fn answer(&mut self, draft: &Draft, ops: &mut BTreeMap<usize, Vec<(OpKey, Op)>>) {
        let mut batches: BTreeMap<usize, u32> = BTreeMap::new();
        for task in &draft.answers {
            *batches.entry(*task).or_default() += 1;
        }
        for (task, count) in batches {
            if let Some(live) = self.attempts.get_mut(&task) {
                live.idle = false;
                live.ledger.committed(count, ops.remove(&task).unwrap_or_default());
            }
        }
    }

    /// Collects what the events changed in the operations of live attempts.
    fn changed_ops(&self, events: &[Recorded]) -> BTreeMap<usize, Vec<(OpKey, Op)>> {
        let mut changed: BTreeMap<usize, Vec<(OpKey, Op)>> = BTreeMap::new();
        let Some(state) = &self.state else { return changed };
        for recorded in events {
            match &recorded.event {
                Event::Task(place, event) => {
                    let Some(((at, task), key)) = state.task(&place.task).zip(event.op()) else { continue };
                    let op = task.ops.get(key).filter(|_| self.attempts.contains_key(&at));
                    changed.entry(at).or_default().extend(op.map(|op| (key.clone(), op.clone())));
                }
                Event::Run(RunEvent::SignalReceived(received)) => {
                    for at in self.attempts.keys() {
                        let ops = state.tasks.get(*at).into_iter().flat_map(|task| &task.ops);
                        let taken = ops.filter(|(_, op)| match &op.state {
                            OpState::Signal { signal, outcome: Some(_), .. } => *signal == received.name,
                            _ => false,
                        });
                        let taken = taken.map(|(key, op)| (key.clone(), op.clone()));
                        changed.entry(*at).or_default().extend(taken);
                    }
                }
                Event::Run(_) => {}
            }
        }
        changed
    }

    pub(super) fn tell_time(&mut self) {
        self.told_until = self.engine.clock.now();
        for live in self.attempts.values_mut() {
            live.idle &= !live.ledger.tell_time(self.told_until);
        }
    }

    /// Sets the one timer to the earliest instant at which time changes the run.
    fn set_timer(&mut self, wake: Option<Timestamp>) {
        if self.timer.as_ref().map(|(at, _)| *at) == wake {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
        if let Some(at) = wake.filter(|_| self.is_alive()) {
            // A millisecond is what the runtime's timers can tell apart; one too early would only ask again.
            let wait = self.engine.clock.until(at).clamp(Duration::from_millis(1), TIMER_MAX);
            let myself = self.myself.clone();
            let timer = tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                let _gone = myself.cast(RunMsg::Tick);
            });
            self.timer = Some((at, timer));
        }
    }

    fn is_alive(&self) -> bool {
        self.state.as_ref().is_some_and(|state| matches!(state.status, Status::Queued | Status::Running))
    }
}
