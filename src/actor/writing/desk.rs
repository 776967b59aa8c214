//! Where attempts hand in their lines: at once, or not at all.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::model::limits::{LINES_MAX, LINES_WAITING_BYTES_MAX};
use crate::model::{Line, NodeId, RunId, TaskName, Timestamp};

/// One attempt, as far as its lines go.
pub(crate) struct Voice {
    pub(crate) run: RunId,
    pub(crate) node: NodeId,
    pub(crate) task: TaskName,
    pub(crate) attempt: u32,
    pub(crate) claims: u32,
    /// It was in memory before: the lines of that time count, too.
    pub(super) was_here: AtomicBool,
    /// Lines that were taken.
    pub(super) taken: AtomicU32,
    /// Lines that the scribe took to the store, and what it said itself.
    pub(super) placed: AtomicU32,
    /// Lines that were not taken, for want of room, since that was last said.
    missed: AtomicU32,
    /// Lines that were not taken, for the limit of an attempt.
    over: AtomicU32,
    told_limit: AtomicBool,
    ended: AtomicBool,
}

impl Voice {
    pub(crate) fn new(
        run: RunId,
        node: NodeId,
        task: TaskName,
        attempt: u32,
        claims: u32,
        was_here: bool,
    ) -> Voice {
        Voice {
            run,
            node,
            task,
            attempt,
            claims,
            was_here: AtomicBool::new(was_here),
            taken: AtomicU32::new(0),
            placed: AtomicU32::new(0),
            missed: AtomicU32::new(0),
            over: AtomicU32::new(0),
            told_limit: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// Returns what is to be said of the lines that were dropped, each with their number.
    pub(super) fn shortfalls(&self) -> Vec<(u32, String)> {
        let mut said = Vec::new();
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            said.push((missed, format!("dropped {missed} lines: too many waited to be written")));
        }
        if self.over.load(Ordering::Relaxed) > 0 && !self.told_limit.swap(true, Ordering::Relaxed) {
            said.push((
                0,
                format!("this attempt has {LINES_MAX} lines, the limit: what comes is dropped and counted"),
            ));
        }
        if self.ended.load(Ordering::Relaxed) {
            let over = self.over.swap(0, Ordering::Relaxed);
            if over > 0 {
                said.push((over, format!("dropped {over} lines: an attempt may have {LINES_MAX}")));
            }
        }
        said
    }
}

/// A line on its way, or the wish to hear when all before it are written.
pub(super) enum Entry {
    Line { voice: Arc<Voice>, at: Timestamp, step: Option<String>, line: Line },
    Flush(oneshot::Sender<()>),
}

/// The scribe's desk. It never waits: what finds no room is dropped and counted.
pub(crate) struct Desk {
    entries: mpsc::Sender<Entry>,
    /// Bytes of the lines that wait.
    bytes: AtomicUsize,
    /// Attempts of which something must be said. Each is in it a few times at most, and they are live ones.
    short: Mutex<Vec<Arc<Voice>>>,
    pub(super) is_short: Notify,
}

/// What a line keeps in memory beside its text, about.
const LINE_OVERHEAD_BYTES: usize = 200;

/// Returns how many bytes a line keeps in memory, about.
fn bytes_of(line: &Line) -> usize {
    let fields = line.fields.as_ref().map_or(0, |fields| fields.text().len());
    LINE_OVERHEAD_BYTES + line.target.len() + line.message.len() + fields
}

impl Desk {
    pub(super) fn new(entries: mpsc::Sender<Entry>) -> Desk {
        Desk { entries, bytes: AtomicUsize::new(0), short: Mutex::default(), is_short: Notify::new() }
    }

    /// Takes a line, or drops and counts it.
    pub(crate) fn take(&self, voice: &Arc<Voice>, at: Timestamp, step: Option<String>, line: Line) {
        if voice.taken.load(Ordering::Relaxed) >= LINES_MAX {
            if voice.over.fetch_add(1, Ordering::Relaxed) == 0 {
                self.note_short(voice);
            }
            return;
        }
        let bytes = bytes_of(&line);
        let waiting = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let entry = || Entry::Line { voice: Arc::clone(voice), at, step, line };
        if waiting <= LINES_WAITING_BYTES_MAX && self.entries.try_send(entry()).is_ok() {
            voice.taken.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if voice.missed.fetch_add(1, Ordering::Relaxed) == 0 {
            self.note_short(voice);
        }
    }

    /// Notes that an attempt's code is gone: what it was denied is said once more, in full.
    pub(crate) fn end(&self, voice: &Arc<Voice>) {
        if voice.over.load(Ordering::Relaxed) > 0 {
            voice.ended.store(true, Ordering::Relaxed);
            self.note_short(voice);
        }
    }

    /// Waits until what was taken so far is written.
    pub(super) async fn flush(&self) {
        let (told, written) = oneshot::channel();
        if self.entries.send(Entry::Flush(told)).await.is_ok() {
            let _gone = written.await;
        }
    }

    /// Makes room for as much as was written.
    pub(super) fn wrote(&self, line: &Line) {
        self.bytes.fetch_sub(bytes_of(line), Ordering::Relaxed);
    }

    pub(super) fn take_short(&self) -> Vec<Arc<Voice>> {
        std::mem::take(&mut *self.short.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note_short(&self, voice: &Arc<Voice>) {
        self.short.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(voice));
        self.is_short.notify_one();
    }
}
