//! The folds of runs that are being exported, as many as there is room for.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::settings::ExportSettings;
use crate::model::event::RunCreated;
use crate::model::limits::{EXPORT_WAITING_BYTES_MAX, OTLP_REQUEST_BYTES_MAX};
use crate::model::{Event, Recorded, RunEvent, RunId};
use crate::store::outbox::Stretch;
use crate::telemetry::otlp::Encoded;
use crate::telemetry::spans::{AtCreation, Span, Tracer};

/// The folds that are kept from one commit of a run to the next; one that is not is made anew from the log.
///
/// What this process commits is folded in at its commit, while it is at hand: only the bytes of its spans wait until the exporter
/// takes them. The rest is read from the log. All of it is a hint: what is to be exported, the outbox alone says.
///
/// Whoever holds several locks took that of the runs first, then that of a run's fold, then that of what waits.
#[derive(Default)]
pub(crate) struct Folds {
    /// Whether commits are folded in.
    is_open: AtomicBool,
    /// Whether more waits than is to be kept.
    is_full: AtomicBool,
    kept: Mutex<Kept>,
    /// Spans of what was committed here, until the exporter takes them.
    waiting: Mutex<Batch>,
    /// Told when enough spans wait.
    enough: Notify,
}

/// Spans, and of which run each of them is.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) spans: Encoded,
    pub(super) runs: Vec<RunId>,
}

/// Bytes of spans that the exporter is woken for, some requests of the largest size: to wait longer only makes them cold, and each
/// look costs a commit.
const ENOUGH: usize = 4 * OTLP_REQUEST_BYTES_MAX;

/// Events of a log that are folded at once: no commit of the run waits longer than for those.
const EVENTS_AT_A_TIME: usize = 64;

/// Which runs there are folds of.
#[derive(Default)]
struct Kept {
    entries: HashMap<RunId, Entry>,
    /// By when they were last used.
    order: BTreeMap<u64, RunId>,
    uses: u64,
    /// The last use that is not of the exporter's read under way.
    idle: u64,
    room: usize,
    at_creation: AtCreation,
}

struct Entry {
    fold: Arc<Mutex<Fold>>,
    used: u64,
}

/// The fold of one run.
struct Fold {
    /// `None`: nothing of the run is exported.
    tracer: Option<Tracer>,
    /// From which event on its spans were made to be sent.
    from: u32,
    /// The last event that was folded in.
    seq: u32,
    /// The last of them that the outbox named.
    asked: u32,
    is_over: bool,
}

/// While it lives, commits are folded in; then everything is forgotten.
pub(super) struct Keeping<'a>(&'a Folds);

impl std::ops::Deref for Keeping<'_> {
    type Target = Folds;

    fn deref(&self) -> &Folds {
        self.0
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        self.0.is_open.store(false, Ordering::Release);
        self.0.reset(Kept::default());
    }
}

impl Folds {
    /// Begins to keep folds, and to fold in what is committed from now on, unless nothing is exported as it goes.
    pub(super) fn keep(&self, settings: &ExportSettings) -> Keeping<'_> {
        let (room, at_creation) = (settings.runs_kept, settings.at_creation);
        self.reset(Kept { room, at_creation, ..Kept::default() });
        self.is_open.store(!at_creation.keeps_none(), Ordering::Release);
        Keeping(self)
    }

    fn reset(&self, kept: Kept) {
        *locked(&self.kept) = kept;
        drop(self.take());
    }

    /// Folds in what was just committed, while there is an exporter here and room. What is passed over is read from the log.
    pub(in crate::actor) fn committed(&self, run: RunId, events: &[Recorded]) {
        if !self.is_open.load(Ordering::Acquire) || self.is_full.load(Ordering::Acquire) {
            return;
        }
        let Some(fold) = locked(&self.kept).of_commit(run, events) else { return };
        let mut fold = locked(&fold);
        for event in events {
            let closed = fold.next(event);
            // Before the fold is let go: who finds an event in it finds its spans here, or took them.
            if !closed.is_empty() {
                self.wait(run, &closed);
            }
        }
    }

    /// Keeps spans until the exporter takes them.
    fn wait(&self, run: RunId, spans: &[Span]) {
        let mut waiting = locked(&self.waiting);
        spans.iter().for_each(|span| waiting.push(run, span));
        let bytes = waiting.spans.bytes();
        self.is_full.store(bytes >= EXPORT_WAITING_BYTES_MAX, Ordering::Release);
        if bytes >= ENOUGH {
            self.enough.notify_one();
        }
    }

    /// Returns when there is enough to look for.
    pub(super) async fn enough(&self) {
        self.enough.notified().await;
    }

    /// Takes the spans that wait, of whatever run.
    pub(super) fn take(&self) -> Batch {
        let mut waiting = locked(&self.waiting);
        self.is_full.store(false, Ordering::Release);
        std::mem::take(&mut waiting)
    }

    /// Says after which event a run's log is to be read on, unless all of a stretch is folded in: then its spans wait, if they were
    /// not taken before. A run that ended within it is let go.
    pub(super) fn missing(&self, wanted: &Stretch) -> Option<u32> {
        let mut kept = locked(&self.kept);
        let fold = kept.of_stretch(wanted);
        let mut fold = locked(&fold);
        fold.asked = fold.asked.max(wanted.last.min(fold.seq));
        if fold.tracer.is_some() && !fold.is_over && fold.seq < wanted.last {
            return Some(fold.seq);
        }
        // The row for its end may be still to come: forgotten before, the run would be sent once more.
        if fold.is_over && !fold.is_awaited() {
            kept.forget(wanted.run);
        }
        None
    }

    /// Returns the last event of a run that was folded in.
    pub(super) fn seq(&self, run: RunId) -> u32 {
        self.of(run).map_or(0, |fold| locked(&fold).seq)
    }

    /// Folds in events of a run's log, those that follow what is folded in already; gives the spans that they close.
    pub(super) fn read(&self, run: RunId, events: &[Recorded], batch: &mut Batch) {
        let Some(fold) = self.of(run) else { return };
        for events in events.chunks(EVENTS_AT_A_TIME) {
            let mut fold = locked(&fold);
            events.iter().flat_map(|event| fold.next(event)).for_each(|span| batch.push(run, &span));
        }
    }

    /// Exports nothing more of a run.
    pub(super) fn silence(&self, run: RunId) {
        if let Some(fold) = self.of(run) {
            locked(&fold).tracer = None;
        }
    }

    /// Lets go of a run.
    pub(super) fn forget(&self, run: RunId) {
        locked(&self.kept).forget(run);
    }

    /// Ends a read: lets go of those that were not used for the longest time, until the others have room.
    pub(super) fn trim(&self) {
        let mut kept = locked(&self.kept);
        kept.idle = kept.uses;
        while kept.entries.len() > kept.room {
            let Some((_, oldest)) = kept.order.first_key_value() else { return };
            let oldest = *oldest;
            kept.forget(oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        locked(&self.kept).entries.len()
    }

    fn of(&self, run: RunId) -> Option<Arc<Mutex<Fold>>> {
        locked(&self.kept).of(run)
    }
}

impl Batch {
    fn push(&mut self, run: RunId, span: &Span) {
        self.spans.push(span);
        self.runs.push(run);
    }

    pub(super) fn append(&mut self, others: Batch) {
        match self.runs.is_empty() {
            true => *self = others,
            false => {
                self.spans.append(&others.spans);
                self.runs.extend(others.runs);
            }
        }
    }
}

impl Kept {
    fn of(&self, run: RunId) -> Option<Arc<Mutex<Fold>>> {
        self.entries.get(&run).map(|entry| Arc::clone(&entry.fold))
    }

    /// Finds the fold for what was just committed; begins one with a run, if there is room.
    fn of_commit(&mut self, run: RunId, events: &[Recorded]) -> Option<Arc<Mutex<Fold>>> {
        let Event::Run(RunEvent::Created(created)) = &events.first()?.event else { return self.of(run) };
        // One that the exporter began is its own to go on with: it may have to ask whether the run is exported.
        if self.entries.contains_key(&run) || !self.has_room() {
            return None;
        }
        let tracer = self.keeps(run, created)?.then(|| Tracer::new(run));
        Some(self.insert(run, Fold { tracer, ..Fold::new(run, 1) }))
    }

    /// Finds the fold for what the outbox names, or begins one.
    fn of_stretch(&mut self, wanted: &Stretch) -> Arc<Mutex<Fold>> {
        let run = wanted.run;
        match self.of(run) {
            Some(fold) if !locked(&fold).has_passed_over(wanted) => {
                self.touch(run);
                fold
            }
            _ => {
                self.forget(run);
                self.insert(run, Fold::new(run, wanted.first))
            }
        }
    }

    /// Says whether a new run is exported, if that is known here: a child run is as its parent.
    fn keeps(&self, run: RunId, created: &RunCreated) -> Option<bool> {
        let caller = created.trace.as_deref();
        match (self.at_creation, caller, &created.parent) {
            (AtCreation::Caller { .. }, Some(_), Some(parent)) => {
                let parent = self.of(parent.run)?;
                locked(&parent).tracer.is_some().then_some(true)
            }
            (at_creation, ..) => Some(at_creation.place(run, caller).flags.is_sampled()),
        }
    }

    /// Makes room for one more run: another is let go that the exporter is not at work with, and that no row is to come for.
    fn has_room(&mut self) -> bool {
        if self.entries.len() < self.room {
            return true;
        }
        let Some((used, oldest)) = self.order.first_key_value() else { return false };
        let (used, oldest) = (*used, *oldest);
        if used <= self.idle && self.of(oldest).is_none_or(|fold| !locked(&fold).is_awaited()) {
            self.forget(oldest);
        }
        self.entries.len() < self.room
    }

    fn insert(&mut self, run: RunId, fold: Fold) -> Arc<Mutex<Fold>> {
        let fold = Arc::new(Mutex::new(fold));
        self.entries.insert(run, Entry { fold: Arc::clone(&fold), used: 0 });
        self.touch(run);
        fold
    }

    /// Notes that a run was used just now.
    fn touch(&mut self, run: RunId) {
        let Some(entry) = self.entries.get_mut(&run) else { return };
        self.uses += 1;
        self.order.remove(&entry.used);
        entry.used = self.uses;
        self.order.insert(self.uses, run);
    }

    fn forget(&mut self, run: RunId) {
        if let Some(entry) = self.entries.remove(&run) {
            self.order.remove(&entry.used);
        }
    }
}

impl Fold {
    fn new(run: RunId, from: u32) -> Fold {
        Fold { tracer: Some(Tracer::new(run)), from, seq: 0, asked: 0, is_over: false }
    }

    /// Says whether events of the stretch were folded in silence: transactions of the code may commit out of their order.
    fn has_passed_over(&self, wanted: &Stretch) -> bool {
        self.tracer.is_some() && wanted.first < self.from
    }

    /// Says whether the outbox is still to name the last event.
    fn is_awaited(&self) -> bool {
        self.asked < self.seq
    }

    /// Folds in the next event; returns the spans that it closes. Those of events before the stretch were sent; not so those of
    /// events that no node wrote, for a client of a former release leaves no row in the outbox.
    fn next(&mut self, event: &Recorded) -> Vec<Span> {
        if event.seq != self.seq.saturating_add(1) {
            return Vec::new();
        }
        self.seq = event.seq;
        self.is_over = event.event.is_terminal();
        let Some(tracer) = &mut self.tracer else { return Vec::new() };
        let closed = tracer.record(event);
        if event.seq >= self.from || event.node.is_none() { closed } else { Vec::new() }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
