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
    /// What each commit wrote of it, in the order of the seqs; some may be missing in between.
    commits: Vec<Commit>,
    /// In which round of the exporter the last one came.
    round: u64,
}

/// Events as they were handed over: to move them one by one costs as much as to encode their spans.
struct Commit {
    events: Vec<Recorded>,
    /// What they take of the memory.
    bytes: usize,
}

impl Commit {
    fn of(mut events: Vec<Recorded>) -> Commit {
        let bytes = events.iter_mut().map(|recorded| bytes_of(&mut recorded.event)).sum();
        Commit { events, bytes }
    }

    fn last(&self) -> u32 {
        self.events.last().map_or(0, |event| event.seq)
    }
}

impl Kept {
    /// Notes that events are kept no more.
    fn less(&mut self, gone: &Commit) {
        self.events = self.events.saturating_sub(gone.events.len());
        self.bytes = self.bytes.saturating_sub(gone.bytes);
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
        let commit = Commit::of(events);
        let mut kept = self.lock();
        // The exporter wants the oldest first: what finds no room is read from the log.
        let has_room = kept.events.saturating_add(commit.events.len()) <= EXPORT_RECENT_EVENTS_MAX
            && kept.bytes.saturating_add(commit.bytes) <= EXPORT_RECENT_BYTES_MAX;
        // Once more under the lock, which whoever closes it takes, too.
        if !has_room || !self.is_open.load(Ordering::Acquire) {
            return;
        }
        kept.events += commit.events.len();
        kept.bytes += commit.bytes;
        let round = kept.round;
        let is_enough = kept.events >= ENOUGH;
        let stay = kept.runs.entry(run).or_default();
        stay.commits.push(commit);
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

    /// Takes the commits of a stretch, the oldest first. What was kept of the run before it is among them.
    pub(super) fn take(&self, stretch: &Stretch) -> impl Iterator<Item = Vec<Recorded>> + use<> {
        let mut kept = self.lock();
        let mut stay = kept.runs.remove(&stretch.run).unwrap_or_default();
        let within = stay.commits.partition_point(|commit| commit.last() <= stretch.last);
        let later = stay.commits.split_off(within);
        let commits = std::mem::replace(&mut stay.commits, later);
        commits.iter().for_each(|commit| kept.less(commit));
        if !stay.commits.is_empty() {
            kept.runs.insert(stretch.run, stay);
        }
        commits.into_iter().map(|commit| commit.events)
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
        gone.iter().flat_map(|stay| &stay.commits).for_each(|commit| kept.less(commit));
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
