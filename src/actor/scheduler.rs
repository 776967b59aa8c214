//! Starts runs by the clock, and clears away what started others long ago.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::birth::{Born, Start, Target};
use super::supervisor::Engine;
use crate::model::event::Trigger;
use crate::model::limits::{SCHEDULE_POLL, SCHEDULE_RETRY_MAX, SCHEDULE_RETRY_MIN, SCHEDULES_FIRED_MAX};
use crate::model::schedule::due;
use crate::model::{Timestamp, WorkflowName};
use crate::store::{Append, Firing, ScheduleRow, StoreError, Times};

/// The agent that starts the occurrences that are due, on every node: the database says whose statement was first, so nobody
/// need be in charge.
///
/// While nothing is due it reads one entry of an index, and sleeps until that time comes or something is changed.
pub(crate) struct Scheduler {
    pub(crate) engine: Arc<Engine>,
}

/// How far apart two looks for schedules that ended long ago are.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// The pause between two pieces of that: others come first.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// The shortest pause between two looks, and the one after a look at which others were faster.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_AFTER_OTHERS: Duration = Duration::from_millis(10);

impl Scheduler {
    pub(crate) async fn run(self) {
        let mut sweep = Instant::now() + SWEEP_EVERY.mul_f64(self.engine.clock.chance());
        loop {
            let pause = match self.look().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "due schedules cannot be looked for");
                    SCHEDULE_RETRY_MIN
                }
            };
            tokio::select! {
                biased;
                () = self.engine.schedules_changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            if Instant::now() >= sweep {
                sweep = Instant::now() + SWEEP_EVERY;
                if let Err(error) = self.sweep().await {
                    tracing::warn!(%error, "old schedules and events cannot be removed: it will be tried again");
                }
            }
        }
    }

    /// Removes schedules and trigger events that nobody asks for any more.
    async fn sweep(&self) -> Result<(), StoreError> {
        self.engine.store.sweep_schedules().await?;
        while self.engine.store.sweep_trigger_events().await? > 0 {
            tokio::time::sleep(SWEEP_PAUSE).await;
        }
        Ok(())
    }

    /// Starts what is due; returns how long nothing more is expected.
    async fn look(&self) -> Result<Duration, StoreError> {
        let store = &self.engine.store;
        let mut patience = PAUSE_AFTER_OTHERS;
        loop {
            let next = store.next_schedule().await?;
            self.engine.clock.witness(next.now);
            // A quarter of jitter, so that many nodes do not ask at once.
            let poll = SCHEDULE_POLL.max(self.engine.settings.poll_interval);
            let poll = poll.mul_f64(1.0 - 0.25 * self.engine.clock.chance());
            let Some(wake_at) = next.wake_at else { return Ok(poll) };
            if wake_at > next.now {
                let wait = (wake_at - next.now).to_std().unwrap_or_default();
                return Ok(wait.clamp(PAUSE_MIN, poll));
            }
            let rows = store.due_schedules(SCHEDULES_FIRED_MAX).await?;
            if !self.take_up(&rows, next.now).await? {
                // Somebody may hold a row for long.
                tokio::time::sleep(patience).await;
                patience = (patience * 2).min(SCHEDULE_RETRY_MIN);
            }
        }
    }

    /// Does what is to be done about schedules that are due; says whether this node did any of it.
    async fn take_up(&self, rows: &[ScheduleRow], now: Timestamp) -> Result<bool, StoreError> {
        let mut versions = Versions::default();
        let (mut fired, mut firings, mut at_work) = (Vec::new(), Vec::new(), false);
        for row in rows {
            match self.firing(row, now, &mut versions).await? {
                Ok(firing) => {
                    fired.push(row);
                    firings.push(firing);
                }
                Err(problem) => {
                    at_work = true;
                    self.failed(row, &problem, now).await?;
                }
            }
        }
        if firings.is_empty() {
            return Ok(at_work);
        }
        match self.fire(&firings).await {
            Err(StoreError::Refused { .. }) => {
                for (row, firing) in fired.into_iter().zip(&firings) {
                    match self.fire(std::slice::from_ref(firing)).await {
                        Err(StoreError::Refused { message }) => self.failed(row, &message, now).await?,
                        done => drop(done?),
                    }
                }
                Ok(true)
            }
            done => Ok(at_work | done?),
        }
    }

    /// Starts occurrences by one statement; says whether this node was the one for any schedule.
    async fn fire(&self, firings: &[Firing]) -> Result<bool, StoreError> {
        let moved = self.engine.store.fire(firings).await?;
        let ours = firings.iter().zip(&moved).filter(|(_, moved)| **moved).map(|(firing, _)| firing);
        let started: Vec<&Append> =
            ours.flat_map(|firing| firing.occurrences.iter().map(|(_, append)| append)).collect();
        if !started.is_empty() {
            self.engine.enqueued(started);
        }
        Ok(moved.contains(&true))
    }

    /// Makes what is to be written of a schedule that is due, or says why it cannot be.
    async fn firing(
        &self,
        row: &ScheduleRow,
        now: Timestamp,
        versions: &mut Versions,
    ) -> Result<Result<Firing, String>, StoreError> {
        let Some(next_at) = row.next_at else {
            return Ok(Err("it is due, and has no next occurrence".to_owned()));
        };
        let timing = match row.spec.times.timing() {
            Ok(timing) => timing,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let due = due(&timing, row.spec.misfire, next_at, now);
        let mut occurrences = Vec::with_capacity(due.fire.len());
        for at in due.fire {
            let Some(target) = versions.of(&self.engine, &row.spec.workflow).await? else {
                return Ok(Err(unknown(&row.spec.workflow)));
            };
            match occurrence(&self.engine, row, at, None, target)? {
                Ok(append) => occurrences.push((at, append)),
                Err(problem) => return Ok(Err(problem)),
            }
        }
        let (schedule, revision, next_at) = (row.id, row.revision, due.next);
        Ok(Ok(Firing { schedule, revision, occurrences, next_at }))
    }

    async fn failed(&self, row: &ScheduleRow, problem: &str, now: Timestamp) -> Result<(), StoreError> {
        let (namespace, name) = (&row.spec.namespace, &row.spec.name);
        tracing::warn!(%namespace, schedule = %name, problem, "an occurrence cannot be started: it will be tried again");
        let pause = SCHEDULE_RETRY_MIN.saturating_mul(1 << row.failures.min(16)).min(SCHEDULE_RETRY_MAX);
        self.engine.store.note_schedule_failure(row.id, row.revision, problem, now + pause).await
    }
}

/// The versions that starts by name get, each asked for once.
#[derive(Default)]
pub(crate) struct Versions(BTreeMap<WorkflowName, Option<Target>>);

impl Versions {
    pub(crate) async fn of(
        &mut self,
        engine: &Engine,
        workflow: &WorkflowName,
    ) -> Result<Option<&Target>, StoreError> {
        Ok(match self.0.entry(workflow.clone()) {
            Entry::Occupied(known) => known.into_mut().as_ref(),
            Entry::Vacant(place) => place.insert(engine.version_for(workflow).await?).as_ref(),
        })
    }
}

fn unknown(workflow: &WorkflowName) -> String {
    format!("workflow {:?} is unknown: no node ever served it", workflow.as_str())
}

/// Makes the run of an occurrence, or says why it cannot be made here.
fn occurrence(
    engine: &Engine,
    row: &ScheduleRow,
    at: Timestamp,
    by: Option<String>,
    target: &Target,
) -> Result<Result<Append, String>, StoreError> {
    let limit = match target.limited(&row.spec.input, &row.spec.metadata) {
        Ok(limit) => limit,
        Err(problem) => return Ok(Err(problem)),
    };
    let schedule = row.spec.name.to_string();
    let trigger = match row.spec.times {
        Times::Cron { .. } => Trigger::Cron { schedule, due: at, by },
        Times::At(_) => Trigger::Schedule { schedule, due: Some(at), by },
    };
    let start = Start {
        workflow: row.spec.workflow.clone(),
        version: target.version.clone(),
        namespace: row.spec.namespace.clone(),
        key: None,
        input: row.spec.input.clone(),
        metadata: row.spec.metadata.clone(),
        priority: row.spec.priority,
        start_at: None,
        timeout: target.timeout,
        start_timeout: target.start_timeout,
        trigger,
        parent: None,
        trace: None,
        limit,
        taken_over: Vec::new(),
    };
    Ok(Ok(Born::queued(engine.clock.new_run_id(), &start, engine.clock.now())?.append))
}

impl Engine {
    /// Finds the version that a start by name gets: that whose code is here, else the newest that other nodes serve.
    pub(crate) async fn version_for(&self, workflow: &WorkflowName) -> Result<Option<Target>, StoreError> {
        if let Some(here) = self.registry.newest(workflow.as_str()) {
            return Ok(Some(Target::from(here.as_ref())));
        }
        Ok(self.store.registered(workflow).await?.map(Target::from))
    }

    /// Makes an occurrence of a schedule out of turn, which changes nothing about the next one; `None` when its workflow is
    /// unknown, the inner error says why it cannot be started here.
    pub(crate) async fn out_of_turn(
        &self,
        row: &ScheduleRow,
        by: Option<String>,
    ) -> Result<Option<Result<Firing, String>>, StoreError> {
        let Some(target) = self.version_for(&row.spec.workflow).await? else { return Ok(None) };
        let now = self.clock.now();
        let firing = |append| Firing {
            schedule: row.id,
            revision: row.revision,
            occurrences: vec![(now, append)],
            next_at: row.next_at,
        };
        Ok(Some(occurrence(self, row, now, by, &target)?.map(firing)))
    }
}
