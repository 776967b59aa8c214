//! What a process counts, from what it committed.
//!
//! One registry for each runtime, none that is global. Series are labelled by workflow, task and outcome, never by run.

mod labels;
#[cfg(feature = "otel")]
mod export;
mod meters;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, HistogramVec, IntCounter, IntCounterVec, Registry, TextEncoder};

#[cfg(feature = "otel")]
use self::export::ExportMeters;
#[cfg(feature = "otel")]
pub(crate) use self::export::Unexported;
use self::labels::Labels;
use self::meters::{counter, counters, gauge, gauges, histograms};
use super::names;
use crate::model::event::{RunEvent, TaskEvent};
use crate::model::failure::{CANCELLED, TASK_TIMED_OUT};
use crate::model::{Event, Failure, Recorded, RunState, Status, TaskName, Timestamp, WorkflowName};

/// Bounds of the histograms of what workflows do, in seconds: from a step in memory to a run that sleeps for a month.
const LIFE: [f64; 20] = [
    0.001,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    1_800.0,
    7_200.0,
    86_400.0,
    604_800.0,
    2_592_000.0,
];

/// Bounds for one statement of the database, in seconds: from a commit without a disk to an outage.
const STATEMENT: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Bounds for a request, in seconds: from a cached answer to the longest question.
#[cfg(feature = "http")]
const REQUEST: [f64; 9] = [0.001, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Bounds for a group commit, in runs: up to the largest batch.
const BATCH: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0];

/// The media type of [`Metrics::text`].
#[cfg(feature = "http")]
pub(crate) const TEXT_TYPE: &str = prometheus::TEXT_FORMAT;

/// What one runtime counts.
pub(crate) struct Metrics {
    registry: Registry,
    labels: Labels,
    #[cfg(feature = "otel")]
    began: std::sync::OnceLock<Timestamp>,
    status_changes: IntCounterVec,
    queue_latency: HistogramVec,
    run_duration: HistogramVec,
    attempt_duration: HistogramVec,
    step_duration: HistogramVec,
    events: IntCounter,
    append_latency: HistogramVec,
    append_batch: HistogramVec,
    node_runs: Gauge,
    node_slots: Gauge,
    runs: GaugeVec,
    dispatch_lag: GaugeVec,
    pool_connections: GaugeVec,
    #[cfg(feature = "otel")]
    export: ExportMeters,
    #[cfg(feature = "http")]
    streams: Gauge,
    #[cfg(feature = "http")]
    requests: HistogramVec,
}

/// What is read when somebody asks, beside what was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// Runs in memory, and room for them.
    pub(crate) node: (usize, usize),
    /// Connections of the embedder's pool: those in use, and the idle ones.
    pub(crate) pool: Option<(u32, u32)>,
    /// What the database says; `None` when it has no time for the question.
    pub(crate) database: Option<Census>,
    /// What waits for the export, if this process takes part in one.
    #[cfg(feature = "otel")]
    pub(crate) unexported: Option<Unexported>,
}

/// The live runs, as the database counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Census {
    /// How many there are, by what they do.
    pub(crate) runs: [(&'static str, u64); 4],
    /// For how long the one that waits longest has been due, in seconds.
    pub(crate) lag: f64,
}

/// How a group commit was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answered {
    /// It is in the log.
    Committed,
    /// This node was declared dead.
    Fenced,
    /// The database refuses a value.
    Refused,
    /// Nobody knows.
    Not,
}

impl Metrics {
    /// Makes a registry of its own.
    ///
    /// # Errors
    /// When two metrics have one name, or one of them is none.
    pub(crate) fn new() -> Result<Metrics, prometheus::Error> {
        let metrics = Metrics {
            registry: Registry::new(),
            labels: Labels::default(),
            #[cfg(feature = "otel")]
            began: std::sync::OnceLock::new(),
            status_changes: counters(&names::RUN_STATUS_CHANGES)?,
            queue_latency: histograms(&names::QUEUE_LATENCY, &LIFE)?,
            run_duration: histograms(&names::RUN_DURATION, &LIFE)?,
            attempt_duration: histograms(&names::ATTEMPT_DURATION, &LIFE)?,
            step_duration: histograms(&names::STEP_DURATION, &LIFE)?,
            events: counter(&names::EVENTS)?,
            append_latency: histograms(&names::APPEND_LATENCY, &STATEMENT)?,
            append_batch: histograms(&names::APPEND_BATCH, &BATCH)?,
            node_runs: gauge(&names::NODE_RUNS)?,
            node_slots: gauge(&names::NODE_SLOTS)?,
            runs: gauges(&names::RUNS)?,
            dispatch_lag: gauges(&names::DISPATCH_LAG)?,
            pool_connections: gauges(&names::POOL_CONNECTIONS)?,
            #[cfg(feature = "otel")]
            export: ExportMeters::new()?,
            #[cfg(feature = "http")]
            streams: gauge(&names::STREAMS)?,
            #[cfg(feature = "http")]
            requests: histograms(&names::HTTP_REQUESTS, &REQUEST)?,
        };
        metrics.collectors().into_iter().try_for_each(|collector| metrics.registry.register(collector))?;
        #[cfg(feature = "otel")]
        metrics
            .export
            .collectors()
            .into_iter()
            .try_for_each(|collector| metrics.registry.register(collector))?;
        Ok(metrics)
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.status_changes.clone()),
            Box::new(self.queue_latency.clone()),
            Box::new(self.run_duration.clone()),
            Box::new(self.attempt_duration.clone()),
            Box::new(self.step_duration.clone()),
            Box::new(self.events.clone()),
            Box::new(self.append_latency.clone()),
            Box::new(self.append_batch.clone()),
            Box::new(self.node_runs.clone()),
            Box::new(self.node_slots.clone()),
            Box::new(self.runs.clone()),
            Box::new(self.dispatch_lag.clone()),
            Box::new(self.pool_connections.clone()),
            #[cfg(feature = "http")]
            Box::new(self.streams.clone()),
            #[cfg(feature = "http")]
            Box::new(self.requests.clone()),
        ]
    }

    /// Notes from when on there was something to count; the first time counts.
    #[cfg(feature = "otel")]
    pub(crate) fn begin(&self, now: Timestamp) -> Timestamp {
        *self.began.get_or_init(|| now)
    }

    /// Counts a run that was put into the queue with its first events.
    pub(crate) fn queued(&self, workflow: &WorkflowName, events: usize) {
        self.labels.workflow(workflow, |workflow| self.came_to(workflow, Status::Queued));
        self.events.inc_by(u64::try_from(events).unwrap_or(u64::MAX));
    }

    /// Counts a run that was started in the commit that created it; `state` is the fold of that commit.
    pub(crate) fn born(&self, state: &RunState) {
        let workflow = &state.origin.workflow;
        self.queued(workflow, usize::try_from(state.seq).unwrap_or(usize::MAX));
        if let Some(started_at) = state.started_at {
            self.started(state, started_at);
        }
        if let (true, Some(finished_at)) = (state.status.is_terminal(), state.finished_at) {
            self.ended(state, state.status, finished_at);
        }
    }

    /// Counts a committed event; `before` is the state that it changes.
    pub(crate) fn committed(&self, before: &RunState, recorded: &Recorded) {
        self.events.inc();
        let at = recorded.at;
        match &recorded.event {
            Event::Run(RunEvent::Started(_)) => self.started(before, at),
            Event::Run(RunEvent::Succeeded(_)) => self.ended(before, Status::Succeeded, at),
            Event::Run(RunEvent::Failed(_)) => self.ended(before, Status::Failed, at),
            Event::Run(RunEvent::Cancelled(_)) => self.ended(before, Status::Cancelled, at),
            Event::Run(RunEvent::TimedOut(_)) => self.ended(before, Status::TimedOut, at),
            Event::Run(_) => {}
            Event::Task(place, event) => self.task(before, &place.task, event, at),
        }
    }

    fn task(&self, before: &RunState, task: &TaskName, event: &TaskEvent, at: Timestamp) {
        let attempt = |outcome| {
            let (_, state) = before.task(task)?;
            let took = seconds(state.attempts.last()?.started_at, at);
            Some((&self.attempt_duration, outcome, took))
        };
        let step = |outcome, us| Some((&self.step_duration, outcome, us as f64 / 1e6));
        let observation = match event {
            TaskEvent::AttemptSucceeded(_) => attempt("succeeded"),
            TaskEvent::AttemptFailed(failed) => attempt(outcome_of(&failed.error)),
            TaskEvent::StepCompleted(completed) => step("succeeded", completed.us),
            TaskEvent::StepFailed(failed) => step("failed", failed.us),
            // They end nothing that has a duration of its own.
            _ => None,
        };
        let Some((histograms, outcome, took)) = observation else { return };
        self.labels.task(&before.origin.workflow, task, |workflow, task| {
            observe(histograms, &[workflow, task, outcome], took);
        });
    }

    fn started(&self, before: &RunState, at: Timestamp) {
        self.labels.workflow(&before.origin.workflow, |workflow| {
            self.came_to(workflow, Status::Running);
            observe(&self.queue_latency, &[workflow], seconds(before.queued_until(), at));
        });
    }

    fn ended(&self, before: &RunState, status: Status, at: Timestamp) {
        self.labels.workflow(&before.origin.workflow, |workflow| {
            self.came_to(workflow, status);
            // What never started took no time.
            if let Some(started_at) = before.started_at {
                observe(&self.run_duration, &[workflow, word(status)], seconds(started_at, at));
            }
        });
    }

    fn came_to(&self, workflow: &str, status: Status) {
        if let Ok(counter) = self.status_changes.get_metric_with_label_values(&[workflow, word(status)]) {
            counter.inc();
        }
    }

    /// Counts a group commit of `runs` runs that was answered after `took`.
    pub(crate) fn appended(&self, answer: Answered, took: std::time::Duration, runs: usize) {
        let outcome = match answer {
            Answered::Committed => "committed",
            Answered::Fenced => "fenced",
            Answered::Refused => "refused",
            Answered::Not => "unanswered",
        };
        observe(&self.append_latency, &[outcome], took.as_secs_f64());
        if matches!(answer, Answered::Committed) {
            observe(&self.append_batch, &[], runs as f64);
        }
    }

    /// Counts an answered request.
    #[cfg(feature = "http")]
    pub(crate) fn requested(&self, route: &str, method: &str, status: u16, took: std::time::Duration) {
        observe(&self.requests, &[route, method, &status.to_string()], took.as_secs_f64());
    }

    /// Counts a stream that is open until the answer is dropped.
    #[cfg(feature = "http")]
    pub(crate) fn streaming(&self) -> Streaming {
        self.streams.inc();
        Streaming(self.streams.clone())
    }

    /// Reads everything.
    pub(crate) fn gather(&self, moment: &Moment) -> Vec<MetricFamily> {
        let (runs, slots) = moment.node;
        self.node_runs.set(runs as f64);
        self.node_slots.set(slots as f64);
        if let Some((used, idle)) = moment.pool {
            set(&self.pool_connections, &["used"], f64::from(used));
            set(&self.pool_connections, &["idle"], f64::from(idle));
        }
        match &moment.database {
            Some(census) => {
                census.runs.iter().for_each(|(state, runs)| set(&self.runs, &[state], *runs as f64));
                set(&self.dispatch_lag, &[], census.lag);
            }
            // Yesterday's figures would look like today's.
            None => {
                self.runs.reset();
                self.dispatch_lag.reset();
            }
        }
        #[cfg(feature = "otel")]
        self.export.read(moment.unexported.as_ref());
        self.registry.gather()
    }

    /// Writes everything in Prometheus' text format 0.0.4.
    pub(crate) fn text(&self, moment: &Moment) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.gather(moment), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        text
    }
}

/// Counts as an open stream until it is dropped.
#[cfg(feature = "http")]
pub(crate) struct Streaming(Gauge);

#[cfg(feature = "http")]
impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Returns the label's word for a status.
fn word(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
        Status::TimedOut => "timed_out",
    }
}

fn outcome_of(error: &Failure) -> &'static str {
    match &*error.kind {
        TASK_TIMED_OUT => "timed_out",
        CANCELLED => "cancelled",
        _ => "failed",
    }
}

/// The log's clock never goes back; an id made in a burst may be a little ahead of it.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to - from).to_std().unwrap_or_default().as_secs_f64()
}

/// A series that cannot be made is one of a bug here, and nothing to fail a run for.
fn observe(histograms: &HistogramVec, labels: &[&str], value: f64) {
    if let Ok(histogram) = histograms.get_metric_with_label_values(labels) {
        histogram.observe(value);
    }
}

fn set(gauges: &GaugeVec, labels: &[&str], value: f64) {
    if let Ok(gauge) = gauges.get_metric_with_label_values(labels) {
        gauge.set(value);
    }
}
