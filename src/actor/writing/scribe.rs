//! Writes lines: what waits leaves together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Map;
use tokio::sync::mpsc;

use super::desk::{Desk, Entry, Voice};
use crate::actor::supervisor::Engine;
use crate::model::limits::{LINES_MAX, LINES_PER_WRITE_MAX};
use crate::model::{Level, Line, RunId, Timestamp};
use crate::store::{LogLine, LogQuery, StoreError};

/// The agent that writes lines. While the database does not answer it holds one batch, and the desk what follows, up to
/// its limits.
pub(super) struct Scribe {
    engine: Arc<Engine>,
    desk: Arc<Desk>,
    queue: mpsc::Receiver<Entry>,
    /// The place of the last line.
    last: i64,
}

/// The pause after a write that got no answer; doubles from the first to the last.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Scribe {
    pub(super) fn new(engine: Arc<Engine>, desk: Arc<Desk>, queue: mpsc::Receiver<Entry>) -> Scribe {
        Scribe { engine, desk, queue, last: 0 }
    }

    pub(super) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(LINES_PER_WRITE_MAX);
        loop {
            tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut waiting, LINES_PER_WRITE_MAX) => {
                    if taken == 0 {
                        return;
                    }
                }
                () = self.desk.is_short.notified() => {}
            }
            self.write(waiting.drain(..)).await;
        }
    }

    /// Writes what was taken, and what must be said of what was not.
    async fn write(&mut self, taken: impl Iterator<Item = Entry>) {
        let (mut lines, mut returned, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
        for entry in taken {
            match entry {
                Entry::Line { voice, at, step, line } => {
                    self.desk.wrote(&line);
                    lines.push(self.placed(&voice, at, step, 0, line));
                    if voice.was_here.load(Ordering::Relaxed) {
                        returned.push(voice);
                    }
                }
                Entry::Flush(told) => flushed.push(told),
            }
        }
        for voice in self.desk.take_short() {
            for (dropped, message) in voice.shortfalls() {
                let line = Line::new(Level::Warn, "runlog", message, Map::new());
                lines.push(self.placed(&voice, self.engine.clock.now(), None, dropped, line));
            }
        }
        if !lines.is_empty() {
            self.insert(&lines).await;
        }
        for voice in returned {
            self.count_before(&voice).await;
        }
        for told in flushed {
            let _gone = told.send(());
        }
    }

    /// Counts once what the attempt wrote when it was in memory before: its limit is one.
    async fn count_before(&self, voice: &Voice) {
        if !voice.was_here.swap(false, Ordering::Relaxed) {
            return;
        }
        let query = LogQuery::default().task(voice.task.as_str()).attempt(voice.attempt);
        match self.engine.store.line_counts(voice.run, &query).await {
            Ok(counts) => {
                // What it wrote since is among them, and was counted when it was taken.
                let before = counts.total().saturating_sub(voice.placed.load(Ordering::Relaxed).into());
                voice.taken.fetch_add(u32::try_from(before).unwrap_or(LINES_MAX), Ordering::Relaxed);
            }
            Err(error) => {
                voice.was_here.store(true, Ordering::Relaxed);
                tracing::debug!(run = %voice.run, %error, "the lines of an attempt that goes on cannot be counted");
            }
        }
    }

    /// Gives a line its place: places of one process ascend in the order of writing.
    fn placed(
        &mut self,
        voice: &Voice,
        at: Timestamp,
        step: Option<String>,
        dropped: u32,
        line: Line,
    ) -> (RunId, LogLine) {
        self.last = at.timestamp_micros().max(self.last + 1);
        voice.placed.fetch_add(1, Ordering::Relaxed);
        let line = LogLine {
            n: self.last,
            at,
            node: Some(voice.node),
            task: voice.task.clone(),
            attempt: voice.attempt,
            step,
            claims: voice.claims,
            dropped,
            line,
        };
        (voice.run, line)
    }

    /// Inserts, again and again while there is no answer. Of a refused batch each line goes alone.
    async fn insert(&self, lines: &[(RunId, LogLine)]) {
        match self.answered(lines).await {
            Ok(()) => {}
            Err(error) if lines.len() > 1 => {
                tracing::warn!(%error, "log lines were refused: writing one by one");
                for line in lines {
                    Box::pin(self.insert(std::slice::from_ref(line))).await;
                }
                return;
            }
            Err(error) => tracing::warn!(%error, "a log line is refused and lost"),
        }
        let runs: BTreeSet<RunId> = lines.iter().map(|(run, _)| *run).collect();
        runs.into_iter().for_each(|run| self.engine.grown(run));
    }

    async fn answered(&self, lines: &[(RunId, LogLine)]) -> Result<(), StoreError> {
        let mut pause = PAUSE_MIN;
        loop {
            match self.engine.store.write_lines(lines).await {
                Err(StoreError::Unavailable { source }) => {
                    tracing::debug!(error = %source, "log lines got no answer");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                answer => return answer,
            }
        }
    }
}
