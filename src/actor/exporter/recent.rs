//! What this process committed a moment ago, for its own exporter: it need not read it back from the log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::limits::{EXPORT_EVENTS_PER_READ, EXPORT_RECENT_BYTES_MAX, EXPORT_RECENT_EVENTS_MAX};
use crate::model::{Event, Recorded, RunEvent, RunId, TaskEvent};
use crate::store::outbox::Stretch;

/// Committed events on their way to the exporter of the same process.
///
/// A hint: any of them may be missing, and is read from the log then. What is to be exported, the outbox alone says.
#[derive(Default)]
pub(crate) struct Recent {
    is_open: AtomicBool,
    kept: Mutex<Kept>,
    /// Told when there is enough to look for.
    enough: Notify,
}

/// Events that the exporter is woken for: some looks a second on a busy node, each of which costs a commit.
const ENOUGH: usize = 4 * EXPORT_EVENTS_PER_READ as usize;

#[derive(Default)]
struct Kept {
    runs: HashMap<RunId, Stay>,
    round: u64,
    events: usize,
    bytes: usize,
}

/// The events of one run.
#[derive(Default)]
struct Stay {
    /// In the order of their seqs, each with what it takes of the memory; some may be missing in between.
    events: Vec<(Recorded, usize)>,
    /// In which round of the exporter the last one came.
    round: u64,
}

impl Kept {
    /// Notes that events are kept no more.
    fn less(&mut self, gone: &[(Recorded, usize)]) {
        self.events = self.events.saturating_sub(gone.len());
        self.bytes = self.bytes.saturating_sub(gone.iter().map(|(_, bytes)| bytes).sum());
    }
}

/// While it lives, committed events are kept; then they are forgotten.
pub(super) struct Keeping<'a>(&'a Recent);

impl std::ops::Deref for Keeping<'_> {
    type Target = Recent;

    fn deref(&self) -> &Recent {
        self.0
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        self.0.is_open.store(false, Ordering::Release);
        *self.0.lock() = Kept::default();
    }
}

impl Recent {
    /// Keeps what is committed from now on.
    pub(super) fn keep(&self) -> Keeping<'_> {
        self.is_open.store(true, Ordering::Release);
        Keeping(self)
    }

    /// Keeps events that were just committed, while there is an exporter here and room.
    pub(in crate::actor) fn add(&self, run: RunId, events: Vec<Recorded>) {
        if events.is_empty() || !self.is_open.load(Ordering::Acquire) {
            return;
        }
        let weighed = events.into_iter().map(|mut recorded| {
            let bytes = bytes_of(&mut recorded.event);
            (recorded, bytes)
        });
        let mut events: Vec<(Recorded, usize)> = weighed.collect();
        let bytes: usize = events.iter().map(|(_, bytes)| bytes).sum();
        let mut kept = self.lock();
        // The exporter wants the oldest first: what finds no room is read from the log.
        let has_room = kept.events.saturating_add(events.len()) <= EXPORT_RECENT_EVENTS_MAX
            && kept.bytes.saturating_add(bytes) <= EXPORT_RECENT_BYTES_MAX;
        // Once more under the lock, which whoever closes it takes, too.
        if !has_room || !self.is_open.load(Ordering::Acquire) {
            return;
        }
        kept.events += events.len();
        kept.bytes += bytes;
        let round = kept.round;
        let is_enough = kept.events >= ENOUGH;
        let stay = kept.runs.entry(run).or_default();
        stay.events.append(&mut events);
        stay.round = round;
        drop(kept);
        if is_enough {
            self.enough.notify_one();
        }
    }

    /// Returns when there is enough to look for: to wait longer only makes it cold.
    pub(super) async fn enough(&self) {
        self.enough.notified().await;
    }

    /// Takes the events of a stretch that follow `after` without a hole; the others up to its end are forgotten.
    pub(super) fn take(&self, stretch: &Stretch, after: u32) -> Vec<Recorded> {
        let mut kept = self.lock();
        let Some(mut stay) = kept.runs.remove(&stretch.run) else { return Vec::new() };
        let within = stay.events.partition_point(|(event, _)| event.seq <= stretch.last);
        let later = stay.events.split_off(within);
        let events = std::mem::replace(&mut stay.events, later);
        kept.less(&events);
        if !stay.events.is_empty() {
            kept.runs.insert(stretch.run, stay);
        }
        drop(kept);
        let mut last = after;
        let next = events.into_iter().map(|(event, _)| event).filter(|event| {
            let is_next = last.checked_add(1) == Some(event.seq);
            last = if is_next { event.seq } else { last };
            is_next
        });
        next.collect()
    }

    /// Begins a round: what is kept by now was committed before it.
    pub(super) fn begin_round(&self) -> u64 {
        let mut kept = self.lock();
        kept.round += 1;
        kept.round
    }

    /// Forgets what nobody will ask for: it came before a round that exported everything that was committed before it.
    pub(super) fn forget_before(&self, round: u64) {
        let mut kept = self.lock();
        let gone: Vec<Stay> =
            kept.runs.extract_if(|_, stay| stay.round < round).map(|(_, stay)| stay).collect();
        gone.iter().for_each(|stay| kept.less(&stay.events));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event takes of the memory, about, but for what all of them do.
fn bytes_of(event: &mut Event) -> usize {
    let payloads: usize = event.payloads_mut().iter().map(|payload| payload.text().len()).sum();
    let error = match event {
        Event::Run(RunEvent::Failed(failed)) => Some(&failed.error),
        Event::Task(_, TaskEvent::AttemptFailed(failed)) => Some(&failed.error),
        Event::Task(_, TaskEvent::StepFailed(failed)) => Some(&failed.error),
        _ => None,
    };
    let error =
        error.map_or(0, |error| error.message.len() + error.chain.iter().map(String::len).sum::<usize>());
    payloads + error
}
