//! One action on many runs: one answer for each.

mod work;

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::control::{CancelOptions, Cancelled, Runtime};
use super::error::Error;
use super::replay::{ReplayOptions, ReplayPlan};
use crate::model::limits::{BULK_ANSWERS_WAITING_MAX, BULK_AT_ONCE_DEFAULT, BULK_RUNS_MAX, BULK_SAMPLE};
use crate::model::{BulkId, RunId, Status};

/// An action on many runs, under construction. Nothing is done before [`start`](Bulk::start).
///
/// An action may be repeated with its id after a crash: what was done is answered again and not done twice.
#[must_use = "a bulk action is done when it is started"]
pub struct Bulk {
    runtime: Runtime,
    id: BulkId,
    action: Action,
    runs: Vec<RunId>,
    rate: Option<u32>,
    at_once: usize,
}

#[derive(Clone)]
enum Action {
    Cancel(CancelOptions),
    Replay(ReplayOptions),
}

/// What a bulk action would do.
#[derive(Debug)]
pub struct BulkPreview {
    /// How many runs it is about.
    pub count: u64,
    /// What it would do to the first of them; at most 10.
    pub sample: Vec<(RunId, Result<BulkIntent, Error>)>,
}

/// What a bulk action would do to one run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "a preview holds ten of them")]
pub enum BulkIntent {
    /// Cancel it.
    Cancel {
        /// Where it stands.
        status: Status,
    },
    /// Replay it.
    Replay(ReplayPlan),
}

/// What a bulk action did to one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkDone {
    /// It is cancelled, or was before.
    Cancelled(Cancelled),
    /// It is replayed.
    Replayed {
        /// The new run.
        run: RunId,
        /// Whether it is new; not when the action is repeated.
        created: bool,
    },
}

/// The answer for one run.
#[derive(Debug)]
pub struct BulkAnswer {
    /// The run.
    pub run: RunId,
    /// What was done to it, or why nothing was.
    pub outcome: Result<BulkDone, Error>,
}

/// A bulk action under way. Dropping it stops it: runs that it has not come to stay as they are.
#[derive(Debug)]
pub struct BulkRun {
    id: BulkId,
    total: u64,
    answers: mpsc::Receiver<BulkAnswer>,
    worker: JoinHandle<()>,
}

/// What a bulk action came to.
#[derive(Debug)]
pub struct BulkReport {
    /// Its id.
    pub id: BulkId,
    /// One answer a run, in the order in which they came.
    pub answers: Vec<BulkAnswer>,
}

impl Runtime {
    /// Begins to cancel many runs, each as [`cancel`](Runtime::cancel) does.
    pub fn bulk_cancel(&self, runs: impl IntoIterator<Item = RunId>, options: CancelOptions) -> Bulk {
        Bulk::new(self, runs, Action::Cancel(options))
    }

    /// Begins to replay many runs, each as [`replay`](Runtime::replay) does; the new runs wait in the queue for any node.
    pub fn bulk_replay(&self, runs: impl IntoIterator<Item = RunId>, options: ReplayOptions) -> Bulk {
        Bulk::new(self, runs, Action::Replay(options))
    }
}

impl Bulk {
    fn new(runtime: &Runtime, runs: impl IntoIterator<Item = RunId>, action: Action) -> Bulk {
        let mut known = HashSet::new();
        let runs = runs.into_iter().filter(|run| known.insert(*run)).collect();
        let id = BulkId(runtime.engine.clock.new_run_id());
        Bulk { runtime: runtime.clone(), id, action, runs, rate: None, at_once: BULK_AT_ONCE_DEFAULT }
    }

    /// Sets the action's id, to repeat one whose answers were lost. Default: a new one.
    pub fn id(mut self, id: BulkId) -> Self {
        self.id = id;
        self
    }

    /// Sets how many runs a second it begins with at most. Default: no limit.
    pub fn rate(mut self, per_second: u32) -> Self {
        self.rate = Some(per_second);
        self
    }

    /// Sets how many runs it is busy with at once. Default: 8.
    pub fn at_once(mut self, runs: usize) -> Self {
        self.at_once = runs;
        self
    }

    /// Says what it would do, and does nothing.
    ///
    /// # Errors
    /// [`Error::Field`] for what [`start`](Bulk::start) refuses, too. What would be refused for one run is in the sample.
    pub async fn preview(&self) -> Result<BulkPreview, Error> {
        self.check()?;
        let mut sample = Vec::new();
        for run in self.runs.iter().take(BULK_SAMPLE) {
            sample.push((*run, work::intent(&self.runtime, &self.action, *run).await));
        }
        Ok(BulkPreview { count: self.runs.len() as u64, sample })
    }

    /// Begins. Each run is answered for, one after the other or several at once.
    ///
    /// # Errors
    /// [`Error::Field`]: too many runs, or a rate or number at once of 0.
    pub async fn start(self) -> Result<BulkRun, Error> {
        self.check()?;
        let (sender, answers) = mpsc::channel(BULK_ANSWERS_WAITING_MAX);
        let (id, total) = (self.id, self.runs.len() as u64);
        let worker = tokio::spawn(work::work(self, sender));
        Ok(BulkRun { id, total, answers, worker })
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |field, problem| Err(Error::Field { field, problem });
        if self.runs.len() > BULK_RUNS_MAX {
            let problem = format!("{} runs, the limit is {BULK_RUNS_MAX}: use a filter", self.runs.len());
            return refuse("runs", problem);
        }
        if self.rate == Some(0) || self.at_once == 0 {
            let field = if self.at_once == 0 { "at_once" } else { "rate" };
            return refuse(field, "0 would never do anything, at least 1".to_owned());
        }
        Ok(())
    }

    /// The pause from one beginning to the next.
    fn gap(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1))
    }
}

impl BulkRun {
    /// Returns the action's id; with it, the action may be repeated.
    pub fn id(&self) -> BulkId {
        self.id
    }

    /// Returns how many runs it is about: so many answers come.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Waits for the next answer; `None` when all were given. An action whose answers nobody takes comes to a stop.
    pub async fn next(&mut self) -> Option<BulkAnswer> {
        self.answers.recv().await
    }

    /// Waits for all answers.
    pub async fn finish(mut self) -> BulkReport {
        let mut answers = Vec::new();
        while let Some(answer) = self.next().await {
            answers.push(answer);
        }
        BulkReport { id: self.id, answers }
    }
}

impl Drop for BulkRun {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl BulkReport {
    /// Returns how many runs nothing was done to.
    pub fn refused(&self) -> usize {
        self.answers.iter().filter(|answer| answer.outcome.is_err()).count()
    }
}
