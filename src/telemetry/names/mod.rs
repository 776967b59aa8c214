//! Names of what is exported, in one place. `docs/TELEMETRY.md` is their table; a test compares the two.

pub mod traces;

/// A metric as it is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, with the unit's suffix.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: MetricKind,
    /// Its unit, as UCUM writes it.
    pub unit: &'static str,
    /// The labels of its series: all of few values, none of them a run.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum since the process began.
    Counter,
    /// A value of this moment.
    Gauge,
    /// How many values fell below each of some bounds, since the process began.
    Histogram,
}

impl MetricKind {
    /// Returns the word for it in Prometheus' text.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

/// Label: the workflow's name.
pub const WORKFLOW: &str = "workflow";
/// Label: the task's name.
pub const TASK: &str = "task";
/// Label: how something ended, in one word.
pub const OUTCOME: &str = "outcome";
/// Label: a run's status.
pub const STATUS: &str = "status";
/// Label: what something is doing.
pub const STATE: &str = "state";
/// Label: an address of the REST interface, with its parameters' names.
pub const ROUTE: &str = "route";
/// Label: an HTTP method.
pub const METHOD: &str = "method";

/// Moves of runs from one status to the next.
pub const RUN_STATUS_CHANGES: Metric = Metric {
    name: "runlog_run_status_changes_total",
    kind: MetricKind::Counter,
    unit: "{run}",
    labels: &[WORKFLOW, STATUS],
    help: "Runs that came to a status by a commit of this process.",
};

/// How long runs waited for their start.
pub const QUEUE_LATENCY: Metric = Metric {
    name: "runlog_queue_latency_seconds",
    kind: MetricKind::Histogram,
    unit: "s",
    labels: &[WORKFLOW],
    help: "Time from when a run was due (its creation, or its start_at) to its start.",
};

/// How long runs took.
pub const RUN_DURATION: Metric = Metric {
    name: "runlog_run_duration_seconds",
    kind: MetricKind::Histogram,
    unit: "s",
    labels: &[WORKFLOW, OUTCOME],
    help: "Time from a run's start to its end, its sleeps and waits included.",
};

/// How long attempts took.
pub const ATTEMPT_DURATION: Metric = Metric {
    name: "runlog_attempt_duration_seconds",
    kind: MetricKind::Histogram,
    unit: "s",
    labels: &[WORKFLOW, TASK, OUTCOME],
    help: "Time from the start of an attempt at a task to its end, its sleeps and waits included.",
};

/// How long bodies of steps took.
pub const STEP_DURATION: Metric = Metric {
    name: "runlog_step_duration_seconds",
    kind: MetricKind::Histogram,
    unit: "s",
    labels: &[WORKFLOW, TASK, OUTCOME],
    help: "Time that the body of a task's step took, each try by itself.",
};

/// How many events were committed.
pub const EVENTS: Metric = Metric {
    name: "runlog_events_total",
    kind: MetricKind::Counter,
    unit: "{event}",
    labels: &[],
    help: "Events that this process committed.",
};

/// How long the database took for a group commit.
pub const APPEND_LATENCY: Metric = Metric {
    name: "runlog_append_latency_seconds",
    kind: MetricKind::Histogram,
    unit: "s",
    labels: &[OUTCOME],
    help: "Time that the database took to answer a group commit.",
};

/// How many runs share a group commit.
pub const APPEND_BATCH: Metric = Metric {
    name: "runlog_append_batch_runs",
    kind: MetricKind::Histogram,
    unit: "{run}",
    labels: &[],
    help: "Runs whose events left together in one group commit.",
};

/// Runs in memory.
pub const NODE_RUNS: Metric = Metric {
    name: "runlog_node_runs",
    kind: MetricKind::Gauge,
    unit: "{run}",
    labels: &[],
    help: "Runs that this process holds in memory, each with its actor.",
};

/// Room for runs in memory.
pub const NODE_SLOTS: Metric = Metric {
    name: "runlog_node_slots",
    kind: MetricKind::Gauge,
    unit: "{run}",
    labels: &[],
    help: "Runs that this process may hold in memory at once.",
};

/// Live runs in the database.
pub const RUNS: Metric = Metric {
    name: "runlog_runs",
    kind: MetricKind::Gauge,
    unit: "{run}",
    labels: &[STATE],
    help: "Runs in the database that have not ended.",
};

/// How late the dispatch is.
pub const DISPATCH_LAG: Metric = Metric {
    name: "runlog_dispatch_lag_seconds",
    kind: MetricKind::Gauge,
    unit: "s",
    labels: &[],
    help: "For how long the run that waits longest in the database has been due without a node that took it.",
};

/// The embedder's pool.
pub const POOL_CONNECTIONS: Metric = Metric {
    name: "runlog_pool_connections",
    kind: MetricKind::Gauge,
    unit: "{connection}",
    labels: &[STATE],
    help: "Connections of the embedder's pool.",
};

/// Spans that were exported.
pub const EXPORT_SPANS: Metric = Metric {
    name: "runlog_export_spans_total",
    kind: MetricKind::Counter,
    unit: "{span}",
    labels: &[OUTCOME],
    help: "Spans that this process exported.",
};

/// Requests that a backend did not take.
pub const EXPORT_FAILURES: Metric = Metric {
    name: "runlog_export_failures_total",
    kind: MetricKind::Counter,
    unit: "{request}",
    labels: &[],
    help: "Times that the backend took nothing of what this process sent, which is sent again.",
};

/// Runs that an exporter keeps in memory.
pub const EXPORT_RUNS: Metric = Metric {
    name: "runlog_export_runs",
    kind: MetricKind::Gauge,
    unit: "{run}",
    labels: &[],
    help: "Runs whose open spans this process keeps in memory for the export.",
};

/// How late the export is.
pub const EXPORT_LAG: Metric = Metric {
    name: "runlog_export_lag_seconds",
    kind: MetricKind::Gauge,
    unit: "s",
    labels: &[],
    help: "For how long the oldest commit that is not exported has been waiting.",
};

/// How much waits for the export.
pub const EXPORT_COMMITS: Metric = Metric {
    name: "runlog_export_commits",
    kind: MetricKind::Gauge,
    unit: "{commit}",
    labels: &[],
    help: "Commits that are not exported, counted up to 100,000.",
};

/// Streams over REST.
pub const STREAMS: Metric = Metric {
    name: "runlog_streams",
    kind: MetricKind::Gauge,
    unit: "{stream}",
    labels: &[],
    help: "Streams of the REST interface that are open here.",
};

/// Requests over REST.
pub const HTTP_REQUESTS: Metric = Metric {
    name: "runlog_http_request_seconds",
    kind: MetricKind::Histogram,
    unit: "s",
    labels: &[ROUTE, METHOD, STATUS],
    help: "How long requests took to answer.",
};

/// Every metric, in the order of `docs/TELEMETRY.md`.
pub const METRICS: [Metric; 20] = [
    RUN_STATUS_CHANGES,
    QUEUE_LATENCY,
    RUN_DURATION,
    ATTEMPT_DURATION,
    STEP_DURATION,
    EVENTS,
    APPEND_LATENCY,
    APPEND_BATCH,
    NODE_RUNS,
    NODE_SLOTS,
    RUNS,
    DISPATCH_LAG,
    POOL_CONNECTIONS,
    EXPORT_SPANS,
    EXPORT_FAILURES,
    EXPORT_RUNS,
    EXPORT_LAG,
    EXPORT_COMMITS,
    STREAMS,
    HTTP_REQUESTS,
];
