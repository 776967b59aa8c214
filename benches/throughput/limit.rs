//! *limit*: a bare journal. Two committers send the rows that the engine would send, by the engine's own statements, made
//! beforehand; no code runs, nothing is decided, folded, or waited for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use runlog::clock::Clock;
use runlog::model::event::{Encoded, Trigger};
use runlog::model::{Event, Namespace, NodeId, Recorded, RunId, Status, Version, WorkflowName};
use runlog::store::postgres::PostgresStore;
use runlog::store::{Append, Commit, NewRun, NodeInfo, RowChange, Served, Store, Wanted};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::meter::Meter;

/// Longer than any bench: nobody renews it.
const LEASE: Duration = Duration::from_secs(24 * 3_600);
const LANES: u16 = 2;
/// Appends and rows of one statement at most, as the engine has it.
const BATCH: usize = runlog::model::limits::BATCH_APPENDS_MAX;
const CLAIM: usize = runlog::model::limits::CLAIM_ROWS_MAX;
/// Apart from the engine's, so that it does not claim what is queued here.
const VERSION: &str = "limit";

/// A run's log, in the commits that the engine made of it.
#[derive(Clone)]
pub struct Template {
    workflow: WorkflowName,
    version: Version,
    commits: Vec<Vec<Encoded>>,
}

impl Template {
    /// Takes the log of a run that the engine ran; events of one commit have one time.
    pub fn of(workflow: &str, log: &[Recorded]) -> anyhow::Result<Template> {
        let mut commits = Vec::new();
        for events in log.chunk_by(|one, next| one.at == next.at) {
            let encoded = events.iter().map(|recorded: &Recorded| Event::encode(&recorded.event));
            commits.push(encoded.collect::<Result<Vec<_>, _>>()?);
        }
        let (workflow, version) = (WorkflowName::new(workflow)?, Version::new(VERSION)?);
        Ok(Template { workflow, version, commits })
    }

    /// Events of a run.
    pub fn events(&self) -> usize {
        self.commits.iter().map(Vec::len).sum()
    }

    fn appends(&self, run: RunId) -> VecDeque<Append> {
        let mut expected = 0;
        let mut appends = VecDeque::with_capacity(self.commits.len());
        for (at, events) in self.commits.iter().enumerate() {
            let (begins, ends) = (has(events, "run_started"), at + 1 == self.commits.len());
            let status = if ends { Status::Succeeded } else { Status::Running };
            let row = (at > 0 && (begins || ends)).then_some(RowChange {
                status,
                deadline_at: None,
                release: None,
                failure: None,
            });
            let born = (at == 0).then(|| Box::new(self.born(run, begins)));
            let (mail, taken) = (Vec::new(), Vec::new());
            appends.push_back(Append {
                run,
                expected,
                events: events.clone(),
                born,
                row,
                mail,
                taken,
                awaits: Vec::new(),
            });
            expected += events.len() as u32;
        }
        appends
    }

    fn born(&self, run: RunId, running: bool) -> NewRun {
        NewRun {
            namespace: Namespace::default(),
            workflow: self.workflow.clone(),
            version: self.version.clone(),
            key: None,
            status: if running { Status::Running } else { Status::Queued },
            priority: 0,
            wake_at: (!running).then(|| run.created_at()),
            deadline_at: None,
            trigger: (&Trigger::Manual).into(),
            parent: None,
            metadata: Default::default(),
            limit_key: None,
        }
    }
}

fn has(events: &[Encoded], kind: &str) -> bool {
    events.iter().any(|event| event.kind == kind)
}

/// The bare journal.
#[derive(Clone)]
pub struct Journal {
    store: Arc<PostgresStore>,
    clock: Arc<Clock>,
    node: NodeId,
}

/// A run under way.
struct Going {
    left: VecDeque<Append>,
    begun: Instant,
}

/// How fast a bulk start and its drain were.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    pub enqueued_per_s: f64,
    pub drained_per_s: f64,
}

impl Journal {
    pub async fn join(pool: PgPool) -> anyhow::Result<Journal> {
        let store = PostgresStore::open(pool, LANES, false).await?;
        let info = NodeInfo {
            name: VERSION.to_owned(),
            pid: std::process::id(),
            release: String::new(),
            slots: usize::MAX,
            served: Vec::new(),
            resumes: None,
        };
        let joined = store.join(&info, LANES, LEASE).await?;
        let clock = Arc::new(Clock::starting_at(joined.now));
        Ok(Journal { store: Arc::new(store), clock, node: joined.node })
    }

    /// Makes an id of a run created now.
    pub fn new_run_id(&self) -> RunId {
        self.clock.new_run_id()
    }

    /// Keeps `in_flight` runs going until the meter stops, with a pause after each. `expected` of them are made first.
    pub fn keep_in_flight(
        &self,
        template: &Template,
        in_flight: usize,
        pause: Duration,
        expected: usize,
        meter: &Arc<Meter>,
    ) -> JoinSet<anyhow::Result<()>> {
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            let in_flight = (in_flight + usize::from(LANES - 1 - lane)) / usize::from(LANES);
            if in_flight == 0 {
                continue;
            }
            let (journal, template, meter) = (self.clone(), template.clone(), Arc::clone(meter));
            let make = move |_| template.appends(journal.clock.new_run_id());
            let made: Vec<VecDeque<Append>> = (0..expected / usize::from(LANES)).map(&make).collect();
            let mut runs = made.into_iter().chain((0..).map(make));
            let journal = self.clone();
            lanes.spawn(async move {
                let mut begin = move || Some(Going { left: runs.next()?, begun: Instant::now() });
                let mut queue: VecDeque<Going> = (0..in_flight).filter_map(|_| begin()).collect();
                while !queue.is_empty() {
                    for finished in journal.commit(lane, &mut queue).await? {
                        meter.finished(finished.begun);
                        if !pause.is_zero() {
                            tokio::time::sleep(pause).await;
                        }
                        queue.extend(Some(()).filter(|()| !meter.is_stopped()).and_then(|()| begin()));
                    }
                }
                Ok(())
            });
        }
        lanes
    }

    /// Commits what is next of all the waiting runs; returns those that are finished.
    async fn commit(&self, lane: u16, queue: &mut VecDeque<Going>) -> anyhow::Result<Vec<Going>> {
        let mut going: Vec<Going> = queue.drain(..queue.len().min(BATCH)).collect();
        let next = going.iter_mut().filter_map(|run| run.left.pop_front());
        let batch: Vec<Commit> = next.map(|append| Commit { appends: vec![append] }).collect();
        self.store.append(self.node, lane, &batch).await?;
        let (finished, left): (Vec<_>, Vec<_>) = going.into_iter().partition(|run| run.left.is_empty());
        queue.extend(left);
        Ok(finished)
    }

    /// Creates `runs` queued runs by one statement, claims them, and brings them to their end.
    pub async fn bulk(&self, template: &Template, runs: usize) -> anyhow::Result<Bulk> {
        let made = (0..runs).map(|_| template.appends(self.clock.new_run_id()));
        let (births, rests): (Vec<Append>, Vec<VecDeque<Append>>) =
            made.filter_map(|mut run| Some((run.pop_front()?, run))).unzip();
        let mut rests: std::collections::HashMap<RunId, VecDeque<Append>> =
            births.iter().map(|birth| birth.run).zip(rests).collect();
        let begun = Instant::now();
        self.store.create(&births).await?;
        let enqueued_per_s = runs as f64 / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let (senders, mut lanes) = self.drains();
        let (workflow, version) = (template.workflow.clone(), template.version.clone());
        let served = vec![Served { workflow, version, slots: usize::MAX }];
        let wanted = Wanted { served, limit: CLAIM, ..Wanted::default() };
        while !rests.is_empty() {
            for run in self.store.claim(self.node, &wanted).await?.runs {
                let left = rests.remove(&run).context("a run of somebody else was claimed")?;
                let lane = usize::from(rests.len().is_multiple_of(2));
                senders.get(lane).context("a lane is missing")?.send(Going { left, begun })?;
            }
        }
        drop(senders);
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok(Bulk { enqueued_per_s, drained_per_s: runs as f64 / begun.elapsed().as_secs_f64() })
    }

    fn drains(&self) -> (Vec<mpsc::UnboundedSender<Going>>, JoinSet<anyhow::Result<()>>) {
        let (mut senders, mut lanes) = (Vec::new(), JoinSet::new());
        for lane in 0..LANES {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            senders.push(sender);
            let journal = self.clone();
            lanes.spawn(async move {
                let mut queue = VecDeque::new();
                loop {
                    if queue.is_empty() {
                        let Some(first) = receiver.recv().await else { return Ok(()) };
                        queue.push_back(first);
                    }
                    while let Ok(more) = receiver.try_recv() {
                        queue.push_back(more);
                    }
                    journal.commit(lane, &mut queue).await?;
                }
            });
        }
        (senders, lanes)
    }
}
