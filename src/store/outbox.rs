//! What the exporter asks of its storage: what was committed and is not exported yet.

use std::time::Duration;

use super::{Answer, Holder};
use crate::model::{Recorded, RunId, Timestamp};

/// The outbox: every commit that wrote events leaves a row in it, in its own transaction, while somebody exports; the row
/// goes when its events are exported. A transaction that commits late leaves its row late, and is not skipped:
/// `docs/decisions/0028-the-exporters-cursor.md`.
///
/// Every method is one atomic step, as those of [`Store`](super::Store). Those that change something do so only for the one
/// exporter.
pub trait Outbox: Send + Sync + 'static {
    /// Makes this process the exporter in the name of `by`, unless there is another; it stays so for `lease` after each word
    /// of it.
    fn begin_export<'a>(&'a self, by: &'a str, lease: Duration) -> Answer<'a, ExportBegun>;

    /// Keeps this process the exporter; says whether it still is.
    fn hold_export(&self, lease: Duration) -> Answer<'_, bool>;

    /// Makes room for another exporter.
    fn end_export(&self) -> Answer<'_, ()>;

    /// Keeps the outbox open for [`OUTBOX_OPEN_FOR`] from now, and notes when runs are to be looked through
    /// ([`sweep`](Outbox::sweep)): the outbox was closed, or nodes of a former release, which fill none, lived until now.
    /// To be called every few seconds, by an exporter that gets on.
    fn tend_export(&self) -> Answer<'_, Tended>;

    /// Reads at most `limit` rows of the outbox that `place` has not passed.
    fn outbox<'a>(&'a self, place: &'a Place, limit: u32) -> Answer<'a, Commits>;

    /// Removes rows of the outbox, whose events are exported but for `refused`; says whether this process still is the
    /// exporter, and keeps it that for `lease`. If not, nothing is removed.
    fn pass_outbox<'a>(
        &'a self,
        rows: &'a [OutboxRow],
        refused: &'a [RefusedSpan],
        lease: Duration,
    ) -> Answer<'a, bool>;

    /// Reads the next runs that may have events which left no row in the outbox, at most some hundred.
    fn sweep(&self) -> Answer<'_, Sweep>;

    /// Notes that the runs of a sweep up to `next` are exported; `None`: all of them.
    fn swept(&self, next: Option<RunId>) -> Answer<'_, ()>;

    /// Reads the logs of runs, each after a seq, until there are `limit` events or some megabytes of them. Runs that have no
    /// more, or are in the archive, are left out.
    fn grown<'a>(&'a self, runs: &'a [(RunId, u32)], limit: u32) -> Answer<'a, Logs>;

    /// Says which of some runs have ended.
    fn ended<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>>;

    /// Measures what is not exported yet.
    fn backlog(&self) -> Answer<'_, Backlog>;

    /// Lists spans that the backend refused for good, the last first; the last [`REFUSED_SPANS_KEPT`] are known.
    ///
    /// [`REFUSED_SPANS_KEPT`]: crate::model::limits::REFUSED_SPANS_KEPT
    fn refused_spans(&self, limit: u32) -> Answer<'_, Vec<RefusedSpan>>;
}

/// How long commits fill the outbox after the last word of an exporter that gets on. That bounds what it takes of the disk
/// while nobody exports, or the backend is away: one row of some hundred bytes a commit. What is committed later is found by
/// looking through the runs.
pub const OUTBOX_OPEN_FOR: Duration = Duration::from_secs(3_600);

/// Whether this process is the exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportBegun {
    /// It is.
    Yours,
    /// Another one is.
    Held(Holder),
}

/// What an exporter is told that tends its export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tended {
    /// It is none any more.
    Lost,
    /// It still is the exporter, and has nothing to look at but the outbox.
    Open,
    /// It still is, and there are runs to look through.
    OpenAndSweeps,
}

/// How far a reader of the outbox has come. A hint where to look, worth something to the one connection that made it; the
/// default looks through everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// All rows of transactions that had ended in this snapshot are read.
    pub(super) seen: Option<String>,
    /// The snapshot that is `seen` once the rows below are read.
    pub(super) sees: Option<String>,
    /// The last row that was read since.
    pub(super) row: Option<OutboxRow>,
}

/// Names a row of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxRow {
    /// The transaction that wrote it.
    pub(super) xid: u64,
    /// Tells it from its neighbours.
    pub(super) id: i64,
}

/// What was read of the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// Commits; those of one run in their order, but for a transaction of the code that wrote before it appended.
    pub commits: Vec<Committed>,
    /// How far that comes.
    pub next: Place,
    /// Whether there may be more.
    pub more: bool,
}

/// What one commit appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its row in the outbox.
    pub row: OutboxRow,
    /// When it was committed.
    pub at: Timestamp,
    /// What it appended, run by run. A run that was left out because its key was taken is named, and has no log.
    pub stretches: Vec<Stretch>,
}

/// Events of one run that stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The run.
    pub run: RunId,
    /// The seq of the first event.
    pub first: u32,
    /// The seq of the last one.
    pub last: u32,
}

/// What is to be looked through besides the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Nothing.
    Nothing,
    /// Something, once transactions have ended that may still write past the outbox.
    Waits,
    /// These runs, each from its beginning; then those after `next`, unless it is `None`.
    Runs {
        /// The runs.
        runs: Vec<RunId>,
        /// The last run that was looked at.
        next: Option<RunId>,
    },
}

/// What was read of some runs' logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs {
    /// Run by run.
    pub logs: Vec<Grown>,
    /// Whether the limit left something out.
    pub cut: bool,
}

/// A stretch of a run's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Grown {
    /// The run.
    pub run: RunId,
    /// Its events after the seq that was asked for, without a hole.
    pub events: Vec<Recorded>,
    /// Why the event after them cannot be read.
    pub unreadable: Option<String>,
}

/// What is not exported yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Commits in the outbox, counted up to [`OUTBOX_COUNTED_MAX`].
    ///
    /// [`OUTBOX_COUNTED_MAX`]: crate::model::limits::OUTBOX_COUNTED_MAX
    pub commits: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Timestamp>,
    /// The database's time.
    pub now: Timestamp,
    /// Until when commits fill the outbox; `None`: nobody ever exported.
    pub open_until: Option<Timestamp>,
    /// Whether runs are to be looked through besides.
    pub sweeps: bool,
    /// Who exports.
    pub holder: Option<Holder>,
    /// Spans that were ever refused.
    pub refused: u64,
}

impl Backlog {
    /// Returns for how long the oldest commit has been waiting.
    pub fn lag(&self) -> Duration {
        self.oldest.and_then(|oldest| (self.now - oldest).to_std().ok()).unwrap_or_default()
    }
}

/// A span that the backend refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSpan {
    /// When; set by the store.
    pub at: Timestamp,
    /// Its run.
    pub run: RunId,
    /// Its trace, in hex; `None` where the run itself cannot be exported.
    pub trace_id: Option<String>,
    /// Its id, in hex.
    pub span_id: Option<String>,
    /// Its name.
    pub name: String,
    /// What the backend said.
    pub reason: String,
}

/// Puts events together that stand together.
pub(super) fn stretches(events: impl IntoIterator<Item = (RunId, u32)>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (run, seq) in events {
        match stretches.last_mut() {
            Some(last) if last.run == run && last.last.checked_add(1) == Some(seq) => last.last = seq,
            _ => stretches.push(Stretch { run, first: seq, last: seq }),
        }
    }
    stretches
}
