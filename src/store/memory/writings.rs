//! Lines and chunks.

use std::collections::BTreeMap;

use super::faults::Call;
use super::{MemoryStore, World};
use crate::model::limits::{CHUNKS_MAX, LINES_SEARCHED_MAX};
use crate::model::{RunId, StreamName, Timestamp};
use crate::store::Answer;
use crate::store::writings::{Chunk, LevelCounts, LogLine, LogQuery, NewChunk, Writings, Written};

/// What code wrote beside its runs' logs.
#[derive(Default)]
pub(super) struct Papers {
    lines: BTreeMap<(RunId, i64), LogLine>,
    chunks: BTreeMap<(RunId, StreamName), Vec<Chunk>>,
}

impl Writings for MemoryStore {
    fn write_lines<'a>(&'a self, lines: &'a [(RunId, LogLine)]) -> Answer<'a, ()> {
        self.call(Call::of("write_lines"), move |world, _| {
            for (run, line) in lines {
                world.papers.lines.entry((*run, line.n)).or_insert_with(|| line.clone());
            }
            Ok(())
        })
    }

    fn lines<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, Vec<LogLine>> {
        self.call(Call::of("lines"), move |world, _| {
            let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
            let between =
                |line: &&LogLine| line.n > query.after && query.before.is_none_or(|before| line.n < before);
            let wanted = |line: &&LogLine| query.is_of(line) && line.line.level >= query.level_min;
            let lines = world.papers.of_run(run).filter(between);
            if !query.from_end {
                return Ok(lines.filter(wanted).take(limit).cloned().collect());
            }
            let newest = lines.rev().take(LINES_SEARCHED_MAX as usize);
            let mut last: Vec<LogLine> = newest.filter(wanted).take(limit).cloned().collect();
            last.reverse();
            Ok(last)
        })
    }

    fn line_counts<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, LevelCounts> {
        self.call(Call::of("line_counts"), move |world, _| {
            let mut counts = LevelCounts::default();
            let lines = world.papers.of_run(run).filter(|line| query.is_of(line));
            lines.for_each(|line| counts.add(line.line.level, 1));
            Ok(counts)
        })
    }

    fn write_chunks<'a>(&'a self, chunks: &'a [NewChunk]) -> Answer<'a, Vec<Written>> {
        self.call(Call::of("write_chunks"), move |world: &mut World, now| {
            Ok(chunks.iter().map(|chunk| world.papers.send(chunk, now)).collect())
        })
    }

    fn chunks<'a>(
        &'a self,
        run: RunId,
        stream: &'a StreamName,
        after: u32,
        limit: u32,
    ) -> Answer<'a, Vec<Chunk>> {
        self.call(Call::of("chunks"), move |world, _| {
            let chunks = world.papers.chunks.get(&(run, stream.clone())).into_iter().flatten();
            let after = chunks.filter(|chunk| chunk.n > after);
            Ok(after.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
        })
    }

    fn streams(&self, run: RunId) -> Answer<'_, Vec<(StreamName, u32)>> {
        self.call(Call::of("streams"), move |world, _| {
            let of_run = world.papers.chunks.iter().filter(|((of, _), _)| *of == run);
            Ok(of_run.map(|((_, name), chunks)| (name.clone(), length(chunks))).collect())
        })
    }
}

impl Papers {
    /// Returns the lines of a run, in order.
    fn of_run(&self, run: RunId) -> impl DoubleEndedIterator<Item = &LogLine> {
        self.lines.range((run, i64::MIN)..=(run, i64::MAX)).map(|(_, line)| line)
    }

    fn send(&mut self, new: &NewChunk, now: Timestamp) -> Written {
        let chunks = self.chunks.entry((new.run, new.stream.clone())).or_default();
        let of_source = |chunk: &&Chunk| {
            let (ours, theirs) = (&new.sending, &chunk.sending);
            (&ours.task, ours.attempt, ours.source) == (&theirs.task, theirs.attempt, theirs.source)
        };
        if chunks.iter().any(|chunk| chunk.sending == new.sending) {
            let places = || chunks.iter().filter(of_source).map(|chunk| chunk.sending.k);
            let sent = u32::try_from(places().count()).unwrap_or(u32::MAX);
            let whole = new.sending.k == 0 && places().max().is_some_and(|last| last + 1 == sent);
            return Written::Known { sent: if whole { sent } else { 0 } };
        }
        let n = length(chunks) + 1;
        if n > CHUNKS_MAX {
            return Written::Full;
        }
        let NewChunk { sending, step, data, .. } = new.clone();
        chunks.push(Chunk { n, at: now, sending, step, data });
        Written::New
    }
}

fn length(chunks: &[Chunk]) -> u32 {
    u32::try_from(chunks.len()).unwrap_or(u32::MAX)
}
