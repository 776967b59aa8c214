//! Signals by key.

use std::collections::{BTreeMap, BTreeSet};

use super::MemoryStore;
use super::faults::Call;
use super::simulated::{Accepted, Mutant};
use super::world::World;
use crate::model::limits::{SIGNAL_RUNS_AT_ONCE, SIGNALS_KEPT_MAX, SIGNALS_KEPT_OF_KEY_MAX};
use crate::model::{Key, MessageBody, Namespace, RunId, SignalName, Timestamp};
use crate::store::{Answer, Append, Ask, Asked, KeyedSignal, Posted, SignalId, SignalState, Signals, Told};

/// What makes one signal by key another than the next.
type Topic = (Namespace, SignalName, Key);

/// Signals that were accepted, and who waits for more.
#[derive(Default)]
pub(super) struct Switchboard {
    pub(super) signals: BTreeMap<SignalId, Accepted>,
    /// By the sender's own id.
    sent: BTreeMap<(Namespace, String), SignalId>,
    waits: BTreeMap<Topic, BTreeMap<RunId, i32>>,
}

/// How old a new signal is when others than its sender look after it.
const UNTOLD_FOR: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

impl Signals for MemoryStore {
    fn post_signal<'a>(&'a self, signal: &'a KeyedSignal) -> Answer<'a, Posted> {
        self.call(Call::of("post_signal"), move |world, now| Ok(world.post(signal, now)))
    }

    fn tell_signal(&self, signal: SignalId) -> Answer<'_, Told> {
        self.call(Call::of("tell_signal"), move |world, now| Ok(world.tell_waiting(signal, now)))
    }

    fn ask_signal<'a>(&'a self, ask: &'a Ask) -> Answer<'a, Asked> {
        self.call(Call::of("ask_signal"), move |world, now| {
            Ok(if world.is_mutant(Mutant::KeptSignalsStay) { Asked::Nothing } else { world.ask(ask, now) })
        })
    }

    fn untold_signals(&self, limit: u32) -> Answer<'_, Vec<SignalId>> {
        self.call(Call::of("untold_signals"), move |world, now| {
            let untold = |accepted: &Accepted| {
                accepted.state == SignalState::New && now.signed_duration_since(accepted.at) >= UNTOLD_FOR
            };
            let limit = if world.is_mutant(Mutant::UntoldSignalsStay) { 0 } else { limit };
            let signals = world.switchboard.signals.iter().filter(|(_, accepted)| untold(accepted));
            Ok(signals.take(limit as usize).map(|(id, _)| *id).collect())
        })
    }
}

impl World {
    fn post(&mut self, signal: &KeyedSignal, now: Timestamp) -> Posted {
        let sent = (signal.namespace.clone(), signal.sent_as.clone());
        if let Some(id) = self.switchboard.sent.get(&sent) {
            let same = self.switchboard.signals.get(id).is_some_and(|known| known.signal == *signal);
            return if same { Posted::Accepted(*id) } else { Posted::Another };
        }
        if self.switchboard.is_full(signal) {
            return Posted::Full;
        }
        let last = self.switchboard.signals.keys().next_back().map_or(0, |id| id.0);
        let (id, told) = (SignalId(last + 1), BTreeSet::new());
        let accepted = Accepted { signal: signal.clone(), state: SignalState::New, at: now, told };
        self.switchboard.signals.insert(id, accepted);
        self.switchboard.sent.insert(sent, id);
        Posted::Accepted(id)
    }

    fn tell_waiting(&mut self, id: SignalId, now: Timestamp) -> Told {
        let runs = self.switchboard.to_tell(id);
        for run in &runs {
            self.bring(id, *run, now);
        }
        let left = !self.switchboard.to_tell(id).is_empty();
        let Some(accepted) = self.switchboard.signals.get_mut(&id) else {
            return Told { runs, count: 0, state: SignalState::Told };
        };
        if accepted.state == SignalState::New && !left {
            accepted.state = if accepted.told.is_empty() { SignalState::Kept } else { SignalState::Told };
        }
        Told { runs, count: accepted.told.len() as u64, state: accepted.state }
    }

    fn ask(&mut self, ask: &Ask, now: Timestamp) -> Asked {
        let Some((id, state)) = self.switchboard.oldest(ask) else { return Asked::Nothing };
        let brought = match state {
            SignalState::New => self.tell_waiting(id, now).runs,
            SignalState::Kept => {
                self.bring(id, ask.run, now);
                if let Some(accepted) = self.switchboard.signals.get_mut(&id) {
                    accepted.state = SignalState::Told;
                }
                vec![ask.run]
            }
            SignalState::Told => Vec::new(),
        };
        if brought.is_empty() { Asked::Busy } else { Asked::Brought(brought) }
    }

    /// Puts a signal into the inbox of a run that waits for it.
    fn bring(&mut self, id: SignalId, run: RunId, now: Timestamp) {
        let Some(accepted) = self.switchboard.signals.get_mut(&id) else { return };
        accepted.told.insert(run);
        let KeyedSignal { name, key, payload, .. } = &accepted.signal;
        let body =
            MessageBody::Signal { name: name.clone(), key: Some(key.clone()), payload: payload.clone() };
        let topic = topic(&accepted.signal);
        *self.switchboard.waits.entry(topic).or_default().entry(run).or_default() -= 1;
        self.send(run, &body, now);
    }

    /// Notes what a run waits for from its append on.
    pub(super) fn note_awaits(&mut self, append: &Append) {
        for wait in &append.awaits {
            let topic = (wait.namespace.clone(), wait.name.clone(), wait.key.clone());
            *self.switchboard.waits.entry(topic).or_default().entry(append.run).or_default() += wait.change;
        }
    }
}

impl Switchboard {
    /// Forgets what a run that has ended waited for.
    pub(super) fn drop_awaits(&mut self, run: RunId) {
        self.waits.retain(|_, runs| {
            runs.remove(&run);
            !runs.is_empty()
        });
    }

    /// Finds the runs that a new signal is still to be told, at most some hundred.
    fn to_tell(&self, id: SignalId) -> Vec<RunId> {
        let Some(accepted) = self.signals.get(&id).filter(|accepted| accepted.state == SignalState::New)
        else {
            return Vec::new();
        };
        let waits = self.waits.get(&topic(&accepted.signal)).into_iter().flatten();
        let untold = waits.filter(|(run, count)| **count > 0 && !accepted.told.contains(*run));
        untold.map(|(run, _)| *run).take(SIGNAL_RUNS_AT_ONCE).collect()
    }

    /// Finds the oldest signal that a run which waits may still get.
    fn oldest(&self, ask: &Ask) -> Option<(SignalId, SignalState)> {
        let topic_of_ask = (ask.namespace.clone(), ask.name.clone(), ask.key.clone());
        self.waits.get(&topic_of_ask)?.get(&ask.run).filter(|count| **count > 0)?;
        let fits = |accepted: &Accepted| {
            accepted.state != SignalState::Told
                && topic(&accepted.signal) == topic_of_ask
                && !accepted.told.contains(&ask.run)
        };
        let mut signals = self.signals.iter();
        signals.find(|(_, accepted)| fits(accepted)).map(|(id, accepted)| (*id, accepted.state))
    }

    /// Says whether there is no room to keep a signal for which nobody waits.
    fn is_full(&self, signal: &KeyedSignal) -> bool {
        let topic_of_signal = topic(signal);
        let mut waits = self.waits.get(&topic_of_signal).into_iter().flatten();
        if waits.any(|(_, count)| *count > 0) {
            return false;
        }
        let open = || {
            let open = self.signals.values().filter(|accepted| accepted.state != SignalState::Told);
            open.filter(|accepted| accepted.signal.namespace == signal.namespace)
        };
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let of_key = open().filter(|accepted| topic(&accepted.signal) == topic_of_signal).count();
        count(of_key) >= SIGNALS_KEPT_OF_KEY_MAX || count(open().count()) >= SIGNALS_KEPT_MAX
    }
}

fn topic(signal: &KeyedSignal) -> Topic {
    (signal.namespace.clone(), signal.name.clone(), signal.key.clone())
}
