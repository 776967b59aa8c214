//! What code writes beside its run's log: lines, and chunks of streams.

use super::{Answer, StoreError};
use crate::model::limits::CHUNKS_MAX;
use crate::model::{Level, Line, NodeId, Payload, RunId, StreamName, TaskName, Timestamp};

/// The part of the storage that keeps what code writes. It is no part of a run's state: nothing is decided by it.
///
/// Rows name their run and nothing refers to them; whoever removes a run removes them by its id.
pub trait Writings: Send + Sync + 'static {
    /// Writes lines. One that is there already, by its run and place, is left as it is: a call whose answer was lost
    /// may be made again.
    fn write_lines<'a>(&'a self, lines: &'a [(RunId, LogLine)]) -> Answer<'a, ()>;

    /// Reads lines of a run, in order.
    fn lines<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, Vec<LogLine>>;

    /// Counts the lines of a run by level, those of a task or an attempt only if the query names one; its level and
    /// page do not matter.
    fn line_counts<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, LevelCounts>;

    /// Puts chunks at the ends of their streams, in the order given, and answers for each. One that was sent before,
    /// by its [`Sending`], stays where it is. Several calls at once may refuse each other: make them again.
    fn write_chunks<'a>(&'a self, chunks: &'a [NewChunk]) -> Answer<'a, Vec<Written>>;

    /// Reads at most `limit` chunks of a stream, those after place `after`, in order.
    fn chunks<'a>(
        &'a self,
        run: RunId,
        stream: &'a StreamName,
        after: u32,
        limit: u32,
    ) -> Answer<'a, Vec<Chunk>>;

    /// Lists the streams of a run by name, with how many chunks each has.
    fn streams(&self, run: RunId) -> Answer<'_, Vec<(StreamName, u32)>>;
}

/// A line of code, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its place among the run's lines: ascends, with holes.
    pub n: i64,
    /// When it was written, on the database's clock.
    pub at: Timestamp,
    /// The node whose process wrote it.
    pub node: Option<NodeId>,
    /// The task whose code wrote it.
    pub task: TaskName,
    /// Which attempt at the task.
    pub attempt: u32,
    /// The step in whose body it was written, as `name#occurrence`; `None` outside of steps.
    pub step: Option<String>,
    /// How often the run had been claimed then. Between two lines of different numbers the code was run again from its
    /// beginning; a line that stands before and after that says the same thing twice.
    pub claims: u32,
    /// How many lines are missing here; the line itself says so.
    pub dropped: u32,
    /// What it says.
    pub line: Line,
}

/// Which lines of a run are asked for. Default: the first 1,000 of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Only those of this task.
    pub task: Option<TaskName>,
    /// Only those of this attempt.
    pub attempt: Option<u32>,
    /// Only those of this level and above.
    pub level_min: Level,
    /// Only those after this place.
    pub after: i64,
    /// Only those before this place; `None` = to the end.
    pub before: Option<i64>,
    /// The last ones instead of the first, of the newest 20,000 lines in between; in order all the same.
    pub from_end: bool,
    /// How many at most.
    pub limit: u32,
}

impl Default for LogQuery {
    fn default() -> LogQuery {
        LogQuery {
            task: None,
            attempt: None,
            level_min: Level::Trace,
            after: 0,
            before: None,
            from_end: false,
            limit: 1_000,
        }
    }
}

impl LogQuery {
    /// Asks for the lines of one task only.
    #[must_use]
    pub fn task(mut self, task: &str) -> LogQuery {
        self.task = Some(TaskName::recorded(task));
        self
    }

    /// Asks for the lines of one attempt only, from 1.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> LogQuery {
        self.attempt = Some(attempt);
        self
    }

    /// Asks for lines of this level and above only.
    #[must_use]
    pub fn level_min(mut self, level: Level) -> LogQuery {
        self.level_min = level;
        self
    }

    /// Asks for the lines after the one in place `n`: a page's last one, for the next page.
    #[must_use]
    pub fn after(mut self, n: i64) -> LogQuery {
        self.after = n;
        self
    }

    /// Asks for the lines before the one in place `n`.
    #[must_use]
    pub fn before(mut self, n: i64) -> LogQuery {
        self.before = Some(n);
        self
    }

    /// Asks for so many lines at most.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> LogQuery {
        self.limit = limit;
        self
    }

    /// Asks for the last lines, so many at most, in order: of the newest 20,000 those that fit.
    #[must_use]
    pub fn last(mut self, limit: u32) -> LogQuery {
        self.from_end = true;
        self.limit(limit)
    }
}

impl LogQuery {
    /// Says whether a line is of the task and the attempt that are asked for.
    pub(super) fn is_of(&self, line: &LogLine) -> bool {
        self.task.as_ref().is_none_or(|task| *task == line.task)
            && self.attempt.is_none_or(|attempt| attempt == line.attempt)
    }
}

/// How many lines there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelCounts {
    counts: [u64; Level::ALL.len()],
}

impl LevelCounts {
    /// Returns how many there are of one level.
    pub fn of(&self, level: Level) -> u64 {
        self.counts.get(level as usize).copied().unwrap_or_default()
    }

    /// Returns how many there are in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn add(&mut self, level: Level, lines: u64) {
        if let Some(count) = self.counts.get_mut(level as usize) {
            *count += lines;
        }
    }
}

/// What makes a chunk the same when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sending {
    /// The task whose code sends it.
    pub task: TaskName,
    /// Which attempt at the task.
    pub attempt: u32,
    /// Which execution of a step's body sends it; 0 = the task's own code, which sends the same in every execution.
    pub source: i64,
    /// How many chunks that source had sent to the stream before.
    pub k: u32,
}

/// A chunk on its way into a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChunk {
    /// The run.
    pub run: RunId,
    /// The stream.
    pub stream: StreamName,
    /// Who sends it.
    pub sending: Sending,
    /// The step in whose body it is sent.
    pub step: Option<String>,
    /// What it holds.
    pub data: Payload,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the stream now.
    New,
    /// It was there already.
    Known {
        /// For a source's first chunk: how many chunks of that source are in the stream, if none is missing among them;
        /// else 0.
        sent: u32,
    },
    /// The stream has [`CHUNKS_MAX`] chunks: it is not written.
    Full,
}

/// A chunk of a stream, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its place in the stream, from 1 without holes.
    pub n: u32,
    /// When it was written, on the database's clock.
    pub at: Timestamp,
    /// Who sent it. A step's body that runs again is another source: what its source before sent is void then.
    pub sending: Sending,
    /// The step in whose body it was sent, as `name#occurrence`.
    pub step: Option<String>,
    /// What it holds.
    pub data: Payload,
}

/// Says what a chunk came to, from its place and from what is known of its source.
pub(super) fn written(n: Option<i64>, known: bool, sent: i64) -> Result<Written, StoreError> {
    let bug = || StoreError::Bug { message: "a chunk was written without an answer".to_owned() };
    Ok(match n.ok_or_else(bug)? {
        _ if known => Written::Known { sent: u32::try_from(sent).unwrap_or_default() },
        n if n > i64::from(CHUNKS_MAX) => Written::Full,
        _ => Written::New,
    })
}
