//! Waits for signals by key: what the store knows of them, and what is kept for them.

use super::draft::Draft;
use super::live::Live;
use crate::model::state::OpState;
use crate::model::wanted::wanted;
use crate::model::{Event, Recorded, RunEvent, TaskEvent};
use crate::store::{Ask, Awaits};

impl Live {
    /// Says how a draft changes what the run waits for by a key: a function of the state before and after it.
    pub(super) fn awaits_of(&self, draft: &mut Draft) -> Vec<Awaits> {
        let Some(state) = &self.state else { return Vec::new() };
        // Other runs pay nothing: folding ahead copies the state.
        if !self.by_key && !draft.events.iter().any(is_by_key) {
            return Vec::new();
        }
        let mut changes = wanted(state);
        changes.values_mut().for_each(|count| *count = -*count);
        for event in &draft.events {
            // It left the inbox, where it counted as brought.
            if let Event::Run(RunEvent::SignalReceived(received)) = event
                && let Some(key) = &received.key
            {
                *changes.entry((received.name.clone(), key.clone())).or_default() += 1;
            }
        }
        let namespace = state.origin.namespace.clone();
        let now = self.now();
        match draft.state_after(state, now) {
            // The store forgets the waits of a run that ends.
            Some(after) if after.status.is_terminal() => return Vec::new(),
            Some(after) => {
                for (topic, count) in wanted(after) {
                    *changes.entry(topic).or_default() += count;
                }
            }
            // `evolve` will refuse it, and the run be folded again.
            None => return Vec::new(),
        }
        let changes = changes.into_iter().filter(|(_, change)| *change != 0);
        let awaits = |((name, key), change)| Awaits { namespace: namespace.clone(), name, key, change };
        changes.map(awaits).collect()
    }

    /// Asks for what is kept for waits that began with the events: they are committed, so whoever sends from now on sees them.
    pub(super) fn ask_for(&mut self, events: &[Recorded]) {
        if !events.iter().any(|recorded| is_by_key(&recorded.event)) {
            return;
        }
        self.by_key = true;
        let Some(state) = &self.state else { return };
        let is_open = |recorded: &&Recorded| {
            let Event::Task(place, TaskEvent::SignalAwaited(wait)) = &recorded.event else { return false };
            let op = state.task(&place.task).and_then(|(_, task)| task.ops.get(&wait.op));
            op.is_some_and(|op| matches!(op.state, OpState::Signal { key: Some(_), outcome: None, .. }))
        };
        if state.status.is_terminal() || !events.iter().any(|recorded| is_open(&recorded)) {
            return;
        }
        self.ask_anew();
    }

    /// Asks for what is kept for every open wait: whoever had the run before may have died between the commit of the wait and
    /// its question.
    pub(super) fn ask_anew(&mut self) {
        let Some(state) = self.state.as_ref().filter(|state| !state.status.is_terminal()) else { return };
        let wanted = wanted(state);
        self.by_key |= !wanted.is_empty();
        for ((name, key), _) in wanted.into_iter().filter(|(_, count)| *count > 0) {
            self.asking += 1;
            let ask = Ask { run: self.run, namespace: state.origin.namespace.clone(), name, key };
            self.engine.ask((ask, self.myself.clone()));
        }
    }

    /// A question has its answer: what was there is in the inbox.
    pub(super) fn asked(&mut self) {
        self.asking = self.asking.saturating_sub(1);
    }
}

fn is_by_key(event: &Event) -> bool {
    match event {
        Event::Run(RunEvent::SignalReceived(received)) => received.key.is_some(),
        Event::Task(_, TaskEvent::SignalAwaited(wait)) => wait.key.is_some(),
        _ => false,
    }
}
