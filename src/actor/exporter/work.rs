//! The exporter's work: look, read, fold, send, pass on.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::folds::{Batch, Keeping};
use super::settings::ExportSettings;
use super::{Ended, Engine, post};
use crate::model::limits::{EXPORT_COMMITS_PER_LOOK, EXPORT_EVENTS_PER_READ, EXPORT_RUNS_PER_READ};
use crate::model::{Event, Recorded, RunEvent, RunId};
use crate::store::StoreError;
use crate::store::outbox::{Commits, Logs, OutboxRow, Place, RefusedSpan, Stretch, Sweep, Tended};

/// How often the outbox is told that somebody exports: nodes of a former release are noticed as often.
const TEND_EVERY: Duration = Duration::from_secs(10);

/// What the exporter knows. It may be lost at any moment: what was not passed is in the outbox.
pub(super) struct Work<'a> {
    pub(super) engine: &'a Engine,
    pub(super) settings: &'a ExportSettings,
    stopping: watch::Receiver<bool>,
    folds: Keeping<'a>,
    /// Runs that are sent as wholes, whatever their creation said.
    whole: BTreeSet<RunId>,
    place: Place,
    sweeps: bool,
    tended: Option<Instant>,
}

/// How often it is asked whether the transactions of others have ended.
const WAIT_EVERY: Duration = Duration::from_secs(1);

/// Spans after which no further log is read before they are sent.
const SPANS_ENOUGH: usize = EXPORT_EVENTS_PER_READ as usize;

/// Events of an archived log that one question reads: it has no limit by bytes.
const ARCHIVED_PER_READ: u32 = 256;

/// What reading on in some logs gave.
#[derive(Default)]
struct Read {
    batch: Batch,
    /// Of these there is more to read.
    unfinished: Vec<Stretch>,
    refused: Vec<RefusedSpan>,
}

/// What a look came to.
enum Looked {
    /// Everything there is is exported.
    All,
    /// There is more.
    More,
    /// There is more, once transactions of others have ended.
    Later,
    /// This process is not the exporter any more.
    Lost,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        engine: &'a Arc<Engine>,
        settings: &'a Arc<ExportSettings>,
        stopping: watch::Receiver<bool>,
    ) -> Work<'a> {
        let folds = engine.exporting.folds.keep(settings);
        let (whole, place) = (BTreeSet::new(), Place::default());
        Work { engine, settings, stopping, folds, whole, place, sweeps: false, tended: None }
    }

    pub(super) async fn run(mut self) -> Result<Ended, StoreError> {
        loop {
            // Asked before the look: what was committed before it was told to stop is exported.
            let stops = *self.stopping.borrow_and_update();
            match self.look().await? {
                Looked::Lost => return Ok(Ended::Lost),
                Looked::More => {}
                Looked::All | Looked::Later if stops => return Ok(Ended::Stopped),
                Looked::All => self.rest(self.settings.interval).await,
                Looked::Later => self.rest(self.settings.interval.min(WAIT_EVERY)).await,
            }
        }
    }

    async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.folds.enough() => {}
            // Fails when nobody is there to stop it, which is a stop.
            _told = self.stopping.changed() => {}
        }
    }

    /// Exports what one look into the outbox finds, and some of the runs that are to be looked through besides.
    async fn look(&mut self) -> Result<Looked, StoreError> {
        let store = &self.engine.store;
        if self.tended.is_none_or(|tended| tended.elapsed() >= TEND_EVERY) {
            match store.tend_export().await? {
                Tended::Lost => return Ok(Looked::Lost),
                Tended::Open => self.sweeps = false,
                Tended::OpenAndSweeps => self.sweeps = true,
            }
            self.tended = Some(Instant::now());
        }
        let Commits { commits, next, more } = store.outbox(&self.place, EXPORT_COMMITS_PER_LOOK).await?;
        if !commits.is_empty() {
            let wanted = merged(commits.iter().flat_map(|commit| &commit.stretches));
            let refused = self.export(wanted).await?;
            let rows: Vec<OutboxRow> = commits.iter().map(|commit| commit.row).collect();
            if !store.pass_outbox(&rows, &refused, self.engine.settings.lease).await? {
                return Ok(Looked::Lost);
            }
        }
        self.place = next;
        let swept = if self.sweeps { self.sweep().await? } else { Looked::All };
        match swept {
            Looked::All | Looked::Later if more => Ok(Looked::More),
            swept => Ok(swept),
        }
    }

    /// Exports a stretch of the runs that are to be looked through.
    async fn sweep(&mut self) -> Result<Looked, StoreError> {
        let store = &self.engine.store;
        match store.sweep().await? {
            // Until the next time it is asked whether there are runs to look through.
            Sweep::Nothing => self.sweeps = false,
            Sweep::Waits => return Ok(Looked::Later),
            Sweep::Runs { runs, next } => {
                let whole = |run: RunId| Stretch { run, first: 1, last: u32::MAX };
                let refused = self.export(runs.into_iter().map(whole).collect()).await?;
                if !refused.is_empty()
                    && !store.pass_outbox(&[], &refused, self.engine.settings.lease).await?
                {
                    return Ok(Looked::Lost);
                }
                store.swept(next).await?;
                self.sweeps = next.is_some();
                if self.sweeps {
                    return Ok(Looked::More);
                }
            }
        }
        Ok(Looked::All)
    }

    /// Exports what is sampled of stretches of runs; returns what was refused.
    async fn export(&mut self, wanted: Vec<Stretch>) -> Result<Vec<RefusedSpan>, StoreError> {
        let whole = self.sampled_at_end(&wanted).await?;
        let mut refused = Vec::new();
        if !self.settings.at_creation.keeps_none() {
            refused = self.send(wanted).await?;
        }
        if !whole.is_empty() {
            let wanted = whole.iter().map(|run| Stretch { run: *run, first: 1, last: u32::MAX }).collect();
            // What they were folded to before, in silence, is of no use.
            whole.iter().for_each(|run| self.folds.forget(*run));
            self.whole = whole;
            refused.extend(self.send(wanted).await?);
            self.whole = BTreeSet::new();
        }
        Ok(refused)
    }

    /// Sends the spans of stretches of runs, of at most a few thousand events at a time; returns those that were refused.
    async fn send(&mut self, wanted: Vec<Stretch>) -> Result<Vec<RefusedSpan>, StoreError> {
        let mut waiting = VecDeque::from(wanted);
        let mut refused = Vec::new();
        while !waiting.is_empty() {
            let reads: Vec<Stretch> = waiting.drain(..waiting.len().min(EXPORT_RUNS_PER_READ)).collect();
            let read = self.read(&reads).await?;
            refused.extend(read.refused);
            if !read.batch.runs.is_empty() {
                refused.extend(post::send(self.engine, self.settings, &read.batch).await);
            }
            read.unfinished.into_iter().rev().for_each(|stretch| waiting.push_front(stretch));
            self.folds.trim();
            self.engine.metrics.export_keeps(self.folds.len());
        }
        Ok(refused)
    }

    /// Reads on in the logs of some runs, as far as they are not folded in yet, and takes the spans of the rest.
    async fn read(&mut self, wanted: &[Stretch]) -> Result<Read, StoreError> {
        let mut asked: Vec<(RunId, u32)> = Vec::new();
        let mut open: Vec<&Stretch> = Vec::new();
        for stretch in wanted {
            if let Some(after) = self.folds.missing(stretch) {
                asked.push((stretch.run, after));
                open.push(stretch);
            }
        }
        let mut read = Read::default();
        let logs = match asked.is_empty() {
            true => Logs::default(),
            false => self.engine.store.grown(&asked, EXPORT_EVENTS_PER_READ).await?,
        };
        for log in logs.logs {
            self.fold(log.run, &log.events, &mut read).await?;
            if let Some(reason) = log.unreadable {
                self.give_up(log.run, reason, &mut read);
            }
        }
        for stretch in open {
            let Some(after) = self.folds.missing(stretch) else { continue };
            // A log that was read to its end may be in the archive, or not be at all.
            let ends_early = stretch.last != u32::MAX || after == 0;
            if logs.cut || read.batch.runs.len() >= SPANS_ENOUGH {
                read.unfinished.push(*stretch);
            } else if ends_early {
                self.read_archived(stretch, after, &mut read).await?;
            }
        }
        // Last: the spans of all that is not missing are among them, or were taken before.
        read.batch.append(self.folds.take());
        Ok(read)
    }

    async fn read_archived(
        &mut self,
        stretch: &Stretch,
        after: u32,
        read: &mut Read,
    ) -> Result<(), StoreError> {
        let run = stretch.run;
        match self.engine.store.log(run, after, ARCHIVED_PER_READ).await {
            Ok(events) if events.is_empty() => self.folds.forget(run),
            Ok(events) => {
                self.fold(run, &events, read).await?;
                if let Some(after) = self.folds.missing(stretch) {
                    read.unfinished.push(Stretch { last: after.saturating_add(1), ..*stretch });
                }
            }
            Err(error @ StoreError::Corrupt { .. }) => self.give_up(run, error.to_string(), read),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn fold(&mut self, run: RunId, events: &[Recorded], read: &mut Read) -> Result<(), StoreError> {
        if let Some(Event::Run(RunEvent::Created(created))) = events.first().map(|first| &first.event)
            && self.folds.seq(run) == 0
            && !self.whole.contains(&run)
            && !self.keeps(run, created).await?
        {
            self.folds.silence(run);
        }
        self.folds.read(run, events, &mut read.batch);
        Ok(())
    }

    /// A log that cannot be read further, by this release at least, holds up no other.
    fn give_up(&mut self, run: RunId, reason: String, read: &mut Read) {
        tracing::warn!(%run, reason, "the rest of the run is not exported");
        self.folds.silence(run);
        let name = "the rest of the run".to_owned();
        read.refused.push(RefusedSpan {
            at: self.engine.clock.now(),
            run,
            trace_id: None,
            span_id: None,
            name,
            reason,
        });
    }
}

/// Makes one stretch a run of all its stretches.
fn merged<'a>(stretches: impl Iterator<Item = &'a Stretch>) -> Vec<Stretch> {
    let mut places: HashMap<RunId, usize> = HashMap::new();
    let mut merged: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        let place = *places.entry(stretch.run).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(whole) => {
                whole.first = whole.first.min(stretch.first);
                whole.last = whole.last.max(stretch.last);
            }
            None => merged.push(*stretch),
        }
    }
    merged
}
