//! Which runs are exported: as the first run of their trace is, by what is known at its creation, or by how it ends.

use std::collections::{BTreeMap, BTreeSet};

use super::work::Work;
use crate::model::event::RunCreated;
use crate::model::limits::{CHILDREN_MAX, DEPTH_MAX, EXPORT_RUNS_PER_READ};
use crate::model::{Event, RunEvent, RunId, Status, Timestamp};
use crate::store::StoreError;
use crate::store::outbox::Stretch;
use crate::telemetry::ids;
use crate::telemetry::spans::{AtCreation, AtEnd, Ending};

/// What is known of the first run of a trace.
struct First {
    run: RunId,
    status: Status,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

impl Work<'_> {
    /// Says whether a run is exported as it goes.
    pub(super) async fn keeps(&self, run: RunId, created: &RunCreated) -> Result<bool, StoreError> {
        let trace_id = ids::run(run, created.trace.as_deref()).trace_id;
        let flags = |created: &RunCreated| created.trace.as_ref().map(|caller| caller.flags);
        if !matches!(self.settings.at_creation, AtCreation::Caller { .. }) {
            return Ok(self.settings.at_creation.keeps(trace_id, None));
        }
        // What a child run was told is not asked: its node may have been told nothing of any sampling.
        let (mut caller, mut above) = (flags(created), created.parent.as_ref().map(|parent| parent.run));
        for _ in 0..DEPTH_MAX {
            let (Some(_), Some(parent)) = (caller, above) else { break };
            // What is gone was called, for all that is known.
            let Some(created) = self.created(parent).await? else { break };
            (caller, above) = (flags(&created), created.parent.map(|parent| parent.run));
        }
        Ok(self.settings.at_creation.keeps(trace_id, caller))
    }

    /// Finds, of runs that went on, those that are exported as wholes: they have ended, and so has the first run of their trace,
    /// as it was told. When that is among them, so are the runs below it that have ended.
    pub(super) async fn sampled_at_end(&self, wanted: &[Stretch]) -> Result<BTreeSet<RunId>, StoreError> {
        let mut whole = BTreeSet::new();
        let Some(at_end) = self.settings.at_end else { return Ok(whole) };
        let runs: Vec<RunId> = wanted.iter().map(|stretch| stretch.run).collect();
        let mut decided = BTreeMap::new();
        for runs in runs.chunks(EXPORT_RUNS_PER_READ) {
            let ended = self.engine.store.ended(runs).await?;
            for run in self.engine.store.summaries(&ended).await? {
                let (status, started_at, finished_at) = (run.status, run.started_at, run.finished_at);
                let itself = First { run: run.run, status, started_at, finished_at };
                let first = match run.parent {
                    Some(parent) => self.first(parent).await?.unwrap_or(itself),
                    None => itself,
                };
                let is_kept = match decided.get(&first.run) {
                    Some(is_kept) => *is_kept,
                    None => self.is_kept(&first, at_end).await?,
                };
                decided.insert(first.run, is_kept);
                if is_kept {
                    whole.insert(run.run);
                    if first.run == run.run {
                        self.add_below(run.run, &mut whole).await?;
                    }
                }
            }
        }
        Ok(whole)
    }

    /// Finds the first run of the trace of a run.
    async fn first(&self, run: RunId) -> Result<Option<First>, StoreError> {
        let (mut first, mut above) = (None, Some(run));
        for _ in 0..=DEPTH_MAX {
            let Some(run) = above else { break };
            let Some(row) = self.engine.store.row(run).await? else { break };
            above = row.parent;
            let (status, started_at, finished_at) = (row.status, row.started_at, row.finished_at);
            first = Some(First { run, status, started_at, finished_at });
        }
        Ok(first)
    }

    /// Says whether a trace is exported because of the end of its first run, and was not before.
    async fn is_kept(&self, first: &First, at_end: AtEnd) -> Result<bool, StoreError> {
        let Some(at) = first.finished_at else { return Ok(false) };
        if !at_end.keeps(&Ending { status: first.status, started_at: first.started_at, at }) {
            return Ok(false);
        }
        match self.created(first.run).await? {
            Some(created) => Ok(!self.keeps(first.run, &created).await?),
            None => Ok(false),
        }
    }

    /// Adds the runs below a run that have ended; those that live follow when they do.
    async fn add_below(&self, run: RunId, whole: &mut BTreeSet<RunId>) -> Result<(), StoreError> {
        let limit = u32::try_from(CHILDREN_MAX).unwrap_or(u32::MAX);
        let mut above = vec![run];
        while let Some(run) = above.pop() {
            for child in self.engine.store.children(run, limit).await? {
                above.push(child.run);
                if child.status.is_terminal() {
                    whole.insert(child.run);
                }
            }
            if whole.len() > CHILDREN_MAX {
                tracing::warn!(%run, "the trace has more runs than are exported at its end");
                return Ok(());
            }
        }
        Ok(())
    }

    async fn created(&self, run: RunId) -> Result<Option<RunCreated>, StoreError> {
        let first = self.engine.store.log(run, 0, 1).await?.into_iter().next();
        match first.map(|first| first.event) {
            Some(Event::Run(RunEvent::Created(created))) => Ok(Some(created)),
            _ => Ok(None),
        }
    }
}
