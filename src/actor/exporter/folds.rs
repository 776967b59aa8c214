//! The folds of runs that are being exported, as many as there is room for.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Recorded, RunId};
use crate::store::outbox::Stretch;
use crate::telemetry::spans::{Span, Tracer};

/// The folds that are kept from one commit of a run to the next; one that is not is made anew from the log.
pub(super) struct Folds {
    entries: HashMap<RunId, Entry>,
    /// By when they were last used.
    order: BTreeMap<u64, RunId>,
    uses: u64,
    room: usize,
}

struct Entry {
    /// `None`: nothing of the run is exported.
    tracer: Option<Tracer>,
    /// From which event on its spans were made to be sent.
    from: u32,
    /// The last event that was folded.
    seq: u32,
    used: u64,
    is_over: bool,
}

impl Folds {
    pub(super) fn new(room: usize) -> Folds {
        Folds { entries: HashMap::new(), order: BTreeMap::new(), uses: 0, room }
    }

    /// Gets ready for a stretch of a run's events.
    pub(super) fn seat(&mut self, wanted: &Stretch) {
        self.uses += 1;
        let used = self.uses;
        let new = || Entry {
            tracer: Some(Tracer::new(wanted.run)),
            from: wanted.first,
            seq: 0,
            used,
            is_over: false,
        };
        let entry = self.entries.entry(wanted.run).or_insert_with(new);
        // Transactions of the code may commit out of their order: what was folded in silence has to be sent.
        if wanted.first < entry.from && entry.tracer.is_some() {
            *entry = new();
        }
        self.order.remove(&entry.used);
        entry.used = used;
        self.order.insert(used, wanted.run);
    }

    /// Says whether everything up to an event was folded.
    pub(super) fn has(&self, run: RunId, seq: u32) -> bool {
        self.entries.get(&run).is_none_or(|entry| entry.tracer.is_none() || entry.is_over || entry.seq >= seq)
    }

    /// Returns the last event of a run that was folded.
    pub(super) fn seq(&self, run: RunId) -> u32 {
        self.entries.get(&run).map_or(0, |entry| entry.seq)
    }

    /// Folds the next event of a run in; returns the spans that it closes. Those of events before the stretch were sent; not
    /// so those of events that no node wrote, for a client of a former release leaves no row in the outbox.
    pub(super) fn fold(&mut self, run: RunId, event: &Recorded) -> Vec<Span> {
        let Some(entry) = self.entries.get_mut(&run) else { return Vec::new() };
        if event.seq != entry.seq.saturating_add(1) {
            return Vec::new();
        }
        entry.seq = event.seq;
        entry.is_over = event.event.is_terminal();
        let Some(tracer) = &mut entry.tracer else { return Vec::new() };
        let closed = tracer.record(event);
        if event.seq >= entry.from || event.node.is_none() { closed } else { Vec::new() }
    }

    /// Exports nothing more of a run.
    pub(super) fn silence(&mut self, run: RunId) {
        if let Some(entry) = self.entries.get_mut(&run) {
            entry.tracer = None;
        }
    }

    /// Lets go of a run that has ended, whatever else happens to it.
    pub(super) fn settle(&mut self, run: RunId) {
        if self.entries.get(&run).is_some_and(|entry| entry.is_over) {
            self.forget(run);
        }
    }

    /// Lets go of a run.
    pub(super) fn forget(&mut self, run: RunId) {
        if let Some(entry) = self.entries.remove(&run) {
            self.order.remove(&entry.used);
        }
    }

    /// Lets go of those that were not used for the longest time, until the others have room.
    pub(super) fn trim(&mut self) {
        while self.entries.len() > self.room {
            match self.order.pop_first() {
                Some((_, run)) => drop(self.entries.remove(&run)),
                None => return,
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
