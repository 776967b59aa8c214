//! Reading runs, and the snapshots that shorten it.

use super::world::{Entry, Run, Snapshot, World};
use crate::model::{Key, Namespace, Recorded, RunId, RunState, Status, WorkflowName, snapshot};
use crate::store::{Loaded, RawEvent, RunRow, StoreError};

impl World {
    pub(super) fn load(&self, runs: &[RunId]) -> Vec<Loaded> {
        let load = |id: &RunId| {
            let run = self.runs.get(id)?;
            let snapshot = run.snapshot.as_ref().filter(|kept| kept.seq <= run.seq());
            let snapshot = snapshot.and_then(|kept| snapshot::read(*id, kept.seq, kept.format, &kept.bytes));
            let after = snapshot.as_ref().map_or(0, |state| state.seq);
            let log = run.decode(after, u32::MAX).map_err(|(seq, message)| format!("event {seq}: {message}"));
            Some(Loaded { row: run.row.clone(), snapshot, log, inbox: self.waiting(*id) })
        };
        runs.iter().filter_map(load).collect()
    }

    pub(super) fn log(&self, run: RunId, after: u32, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        let Some(found) = self.runs.get(&run) else { return Ok(Vec::new()) };
        found.decode(after, limit).map_err(|(seq, message)| StoreError::Corrupt {
            table: "events",
            column: "payload",
            row: format!("{run}/{seq}"),
            message,
        })
    }

    pub(super) fn raw_log(&self, run: RunId, after: u32, limit: u32) -> Vec<RawEvent> {
        let Some(found) = self.runs.get(&run) else { return Vec::new() };
        let entries = (1_u32..).zip(&found.log).skip(usize::try_from(after).unwrap_or(usize::MAX));
        let line = |(seq, entry): (u32, &Entry)| RawEvent {
            seq,
            kind: entry.event.kind.to_owned(),
            schema_version: entry.event.schema_version,
            time: entry.at,
            node: entry.node,
            task: entry.event.task.as_ref().map(|task| task.as_str().to_owned()),
            attempt: entry.event.attempt.and_then(|attempt| u32::try_from(attempt).ok()),
            payload: entry.event.payload.clone(),
        };
        entries.take(usize::try_from(limit).unwrap_or(usize::MAX)).map(line).collect()
    }

    pub(super) fn row(&self, run: RunId) -> Option<RunRow> {
        self.runs.get(&run).map(|run| run.row.clone())
    }

    pub(super) fn find(&self, namespace: &Namespace, workflow: &WorkflowName, key: &Key) -> Option<RunId> {
        self.keys.get(&(namespace.clone(), workflow.clone(), key.clone())).copied()
    }

    pub(super) fn replays(&self, run: RunId, limit: u32) -> Vec<RunRow> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let from = self.replays.range((run, RunId::from_tick(0, 0))..);
        let replays = from.take_while(|(of, _)| *of == run).take(limit);
        replays.filter_map(|(_, replay)| self.row(*replay)).collect()
    }

    pub(super) fn children(&self, run: RunId, limit: u32) -> Vec<RunRow> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let from = self.children.range((run, RunId::from_tick(0, 0))..);
        let children = from.take_while(|(parent, _)| *parent == run).take(limit);
        children.filter_map(|(_, child)| self.row(*child)).collect()
    }

    pub(super) fn last_good(&self, run: RunId, limit: u32) -> Vec<RunId> {
        let Some(asked) = self.runs.get(&run).map(|run| &run.row) else { return Vec::new() };
        let before = self.runs.range(..run).rev().map(|(_, before)| &before.row);
        let good = before.filter(|row| {
            let alike = row.namespace == asked.namespace && row.workflow == asked.workflow;
            alike && row.status == Status::Succeeded
        });
        good.take(usize::try_from(limit).unwrap_or(usize::MAX)).map(|row| row.run).collect()
    }

    pub(super) fn keep_snapshot(&mut self, state: &RunState) {
        let Some(run) = self.runs.get_mut(&state.id) else { return };
        let newer = run.snapshot.as_ref().is_none_or(|kept| kept.seq <= state.seq);
        if let Some(bytes) = snapshot::write(state).filter(|_| newer) {
            run.snapshot = Some(Snapshot { seq: state.seq, format: snapshot::FORMAT, bytes });
        }
    }
}

impl Run {
    /// Reads at most `limit` events after seq `after`; fails with the seq that cannot be read, and why.
    fn decode(&self, after: u32, limit: u32) -> Result<Vec<Recorded>, (u32, String)> {
        let entries = (1_u32..).zip(&self.log).skip(usize::try_from(after).unwrap_or(usize::MAX));
        let wanted = entries.take(usize::try_from(limit).unwrap_or(usize::MAX));
        wanted.map(|(seq, entry)| entry.decode(seq).map_err(|message| (seq, message))).collect()
    }
}
