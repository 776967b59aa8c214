//! Every bound of the product, with its unit and the reason for the number.

mod payload;
mod triggers;
mod lists;

use std::time::Duration;

pub use self::lists::*;
pub use self::payload::*;
pub use self::triggers::*;

/// Bytes of a name (workflow, version, task, step, signal, namespace): longer ones do not fit a list's column.
pub const NAME_BYTES_MAX: usize = 128;

/// Bytes of a branch's name, with those of the branches around it: leaves a quarter of a name to its operations.
pub const BRANCH_BYTES_MAX: usize = 96;

/// Bytes of a run's key: room for a URL or a composed business id, small enough for a B-tree entry.
pub const KEY_BYTES_MAX: usize = 512;

/// Metadata pairs of one run.
pub const METADATA_PAIRS_MAX: usize = 32;

/// Bytes of one metadata value.
pub const METADATA_VALUE_BYTES_MAX: usize = 1024;

/// Tasks of one DAG: a run's state is kept in memory and compared task by task.
pub const TASKS_MAX: usize = 512;

/// Terms of one task's conditions: more are no condition but code, and belong into a task.
pub const CONDITION_TERMS_MAX: usize = 32;

/// Events of one run, signals that nobody took included: at this size a recovery folds for about a second. A run that
/// reaches it fails; split the work into child runs.
pub const EVENTS_MAX: u32 = 1_000_000;

/// Events of a run whose code does not fit it, up to which all of them are compared: some milliseconds, once a minute.
pub const EVENTS_EXPLAINED_MAX: u32 = 10_000;

/// Child runs of one run.
pub const CHILDREN_MAX: usize = 100_000;

/// Levels of parent runs above a run: a workflow that starts itself stops here and not at the disk's end.
pub const DEPTH_MAX: u32 = 32;

/// Bytes of an error message that are kept; the rest is cut with a visible mark.
pub const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// Bytes of an error message, or of its place, that a list shows: a run's row stays inside its page.
pub const SUMMARY_BYTES_MAX: usize = 1024;

/// Links of an error's source chain that are kept.
pub const CHAIN_MAX: usize = 16;

/// Signals of one name and key that are kept for runs which do not wait for them yet: more than a consumer that comes late
/// reads at once. The next one is refused.
pub const SIGNALS_KEPT_OF_KEY_MAX: i64 = 100;

/// Signals of one namespace that are kept so: at most 10 GiB, and counted in about a millisecond.
pub const SIGNALS_KEPT_MAX: i64 = 10_000;

/// How long a signal by key is kept for a run that does not wait for it yet.
pub const SIGNAL_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long a signal by key is remembered once it is delivered: a sender that tries again does so within hours.
pub const SIGNAL_REMEMBERED: Duration = IDEMPOTENCY_KEPT;

/// Bytes of a sender's id for a signal: as of an Idempotency-Key.
pub const SIGNAL_ID_BYTES_MAX: usize = IDEMPOTENCY_KEY_BYTES_MAX;

/// How far apart two looks for signals by key are whose senders died before all were told, unless the poll interval is longer:
/// that is seldom, and an idle node asks little.
pub const UNTOLD_SIGNALS_POLL: Duration = Duration::from_secs(5);

/// Runs that one statement tells a signal: at most as many rows of the inbox.
pub const SIGNAL_RUNS_AT_ONCE: usize = 256;

/// Runs of one bulk start: one statement, all or none.
pub const START_MANY_MAX: usize = 50_000;

/// Child runs of one run that are replayed with it: each is read whole. More of them are started anew.
pub const REPLAYED_CHILDREN_MAX: usize = 1_000;

/// Runs that a bulk action takes by their ids: what fits into memory without a thought. A filter has no such limit.
pub const BULK_RUNS_MAX: usize = 100_000;

/// Runs that a bulk action is busy with at once unless told otherwise: few enough to leave the pool to others.
pub const BULK_AT_ONCE_DEFAULT: usize = 8;

/// Answers of a bulk action that wait for their reader before it pauses.
pub const BULK_ANSWERS_WAITING_MAX: usize = 256;

/// Runs that the preview of a bulk action looks at: what a person reads.
pub const BULK_SAMPLE: usize = 10;

/// How long a bulk action tries one run again while the database does not answer.
pub const BULK_PATIENCE: Duration = Duration::from_secs(60);

/// Appends in one group commit: beyond a few hundred the statement's own time outweighs the shared fsync.
pub const BATCH_APPENDS_MAX: usize = 1_024;

/// Rows claimed by one statement: enough to fill a node quickly, small enough to leave work for the others.
pub const CLAIM_ROWS_MAX: usize = 512;

/// Highest priority of a run, and less than nothing the lowest: 16 hours' difference to one of priority 0.
pub const PRIORITY_MAX: i16 = 1_000;

/// What one step of priority counts for in the queue: a run goes before those that were due up to so much earlier. The
/// statements of `store/postgres` have the same number.
pub const PRIORITY_STEP: Duration = Duration::from_secs(60);

/// Slots of a limit of concurrency: who wants more wants none.
pub const LIMIT_SLOTS_MAX: u32 = 100_000;

/// Starts in a window of a rate: each that counts is a row that a claim reads.
pub const RATE_STARTS_MAX: u32 = 10_000;

/// Longest window of a rate: what it counts is kept from the archive for so long.
pub const RATE_WINDOW_MAX: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Longest time for which a key must be quiet, and longest wait for it: as the window of a rate.
pub const DEBOUNCE_MAX: Duration = RATE_WINDOW_MAX;

/// Longest delay, timeout or sleep: 100 years keeps every instant inside the database's and chrono's range.
pub const WAIT_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Live runs of one node unless the embedder says otherwise: about 20 kB each.
pub const LIVE_RUNS_DEFAULT: usize = 10_000;

/// Lease of a node unless the embedder says otherwise.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(10);

/// Shortest lease: below it a slow fsync looks like a dead node.
pub const LEASE_MIN: Duration = Duration::from_millis(500);

/// Longest lease: the runs of a node that dies stand still for so long.
pub const LEASE_MAX: Duration = Duration::from_secs(3_600);

/// Shortest pause between two looks at an idle queue: what a timer can tell apart.
pub const POLL_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Longest pause between two looks at an idle queue: what nobody tells a node about waits for so long.
pub const POLL_INTERVAL_MAX: Duration = Duration::from_secs(3_600);

/// Time between two retention passes unless the embedder says otherwise: what is due waits for 30 days, and a pass over
/// nothing is a few statements.
pub const RETENTION_INTERVAL_DEFAULT: Duration = Duration::from_secs(3_600);

/// Share of one processor that a retention pass may take unless the embedder says otherwise: runs beside it do not feel it
/// (docs/PERFORMANCE.md), and a million runs of five events are archived in half an hour.
pub const RETENTION_SHARE_DEFAULT: f64 = 0.1;

/// Smallest such share: a pass over a million runs takes two days then, and longer ones are never done.
pub const RETENTION_SHARE_MIN: f64 = 0.001;

/// Shortest time between two retention passes: the passes are told apart by it.
pub const RETENTION_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Longest time between two retention passes: the log needs its next months made.
pub const RETENTION_INTERVAL_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long code that was told of its cancellation may go on before it is aborted.
pub const CANCEL_GRACE_DEFAULT: Duration = Duration::from_secs(5);

/// How long a run that only waits stays in memory before it is parked.
pub const PARK_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// How long a run whose code does not fit its log is left before it is tried again.
pub const BLOCKED_RETRY: Duration = Duration::from_secs(60);

/// Deaths of its nodes in a row, without getting any further in between, after which a run is poison: it fails, so that it
/// kills no more of them.
pub const POISON_DEATHS: i16 = 5;

/// How long a node watches a suspect, a run whose nodes died twice or more, before it takes others: what kills a node does so
/// at once, as a rule.
pub const SUSPECT_WATCH: Duration = Duration::from_secs(60);

/// Events after which a snapshot is worth its row when a run is parked.
pub const SNAPSHOT_EVERY_EVENTS: u32 = 256;

/// Bytes of a payload that an answer about a run carries inline: a page of them stays readable; a larger one is left out,
/// named by its size, and fetched by itself.
pub const PAYLOAD_INLINE_BYTES_MAX: usize = 64 << 10;

/// Bytes of a request's body: one payload and everything that may stand beside it.
pub const BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + (128 << 10);

/// How long a request's body may take to arrive: what a phone on a train needs for the largest one.
pub const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// Bytes of a request that imports exported runs: it stands in memory several times while it is read and folded. What is
/// larger is imported by the command, straight on the database.
pub const IMPORT_BYTES_MAX: usize = 64 << 20;

/// How long such a request may take to arrive.
pub const IMPORT_WAIT_MAX: Duration = Duration::from_secs(120);

/// Runs that one request imports: a statement each.
pub const IMPORT_RUNS_MAX: usize = 1_000;

/// Imports over HTTP that one process takes at a time, for the memory that they need.
pub const IMPORTS_MAX: usize = 2;

/// How long the server works on a question for a list before it gives up: a person waits no longer.
pub const LIST_TIME_MAX: Duration = Duration::from_secs(2);

/// How long the server works on a question about one run before it gives up: the longest log takes about a second.
pub const DETAIL_TIME_MAX: Duration = Duration::from_secs(5);

/// Connections for each of the two kinds of questions: readers wait for each other, never the engine for them.
pub const READER_CONNECTIONS: u32 = 2;

/// Rows of one page of a list.
pub const PAGE_ROWS_MAX: u32 = 500;

/// Rows of one page of a list unless the reader says otherwise.
pub const PAGE_ROWS_DEFAULT: u32 = 50;

/// Lines that one attempt at a task may write; more are dropped and counted: nobody reads more, and a loop that logs must not
/// fill the disk.
pub const LINES_MAX: u32 = 10_000;

/// Lines of a run that are looked at, from its end back, for the last ones of a task or a level: twice what an attempt may
/// write.
pub const LINES_SEARCHED_MAX: u32 = 20_000;

/// Bytes of a line's message; the rest is cut with a visible mark.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// Bytes of a line's target.
pub const LINE_TARGET_BYTES_MAX: usize = 256;

/// Fields of a line: as many as a `tracing` event may have.
pub const LINE_FIELDS_MAX: usize = 32;

/// Bytes of one field of a line.
pub const LINE_FIELD_BYTES_MAX: usize = 1 << 10;

/// Lines of a process that wait to be written; more are dropped and counted.
pub const LINES_WAITING_MAX: usize = 8_192;

/// Bytes of the lines of a process that wait to be written: what an outage of the database may cost in memory.
pub const LINES_WAITING_BYTES_MAX: usize = 8 << 20;

/// Lines written by one statement.
pub const LINES_PER_WRITE_MAX: usize = 512;

/// Bytes of one chunk of a stream: larger ones reach nobody sooner than several small ones.
pub const CHUNK_BYTES_MAX: usize = 64 << 10;

/// Chunks of one stream: a reader that comes late reads them all.
pub const CHUNKS_MAX: u32 = 100_000;

/// Streams that one attempt at a task may send to.
pub const STREAMS_MAX: usize = 64;

/// Chunks of a process that wait to be written; who sends more waits.
pub const CHUNKS_WAITING_MAX: usize = 1_024;

/// Chunks written by one statement: at most 8 MiB.
pub const CHUNKS_PER_WRITE_MAX: usize = 128;

/// Streams that one process serves at once: each costs a socket and some kilobytes.
pub const OPEN_STREAMS_MAX: usize = 500;

/// Events that a stream makes up for; who is further behind reads anew.
pub const STREAM_BACKLOG_EVENTS_MAX: u32 = 10_000;

/// How long a stream lives: access that was taken back ends by then.
pub const STREAM_TIME_MAX: Duration = Duration::from_secs(3_600);

/// How long a request with an Idempotency-Key counts as under way after its process was last heard of.
pub const IDEMPOTENCY_BUSY_MAX: Duration = Duration::from_secs(60);

/// How long an answer to a request with an Idempotency-Key is kept: a client that tries again does so within hours.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Bytes of an Idempotency-Key: a UUID and a prefix fit several times.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Characters of a filter: one that is longer was not typed by a person, and fits no address bar.
pub const FILTER_CHARS_MAX: usize = 1_000;

/// Terms of a filter: each is one more condition on every row that is read.
pub const FILTER_TERMS_MAX: usize = 20;

/// What is counted at most: beyond it a number tells nobody more, and takes longer to find.
pub const COUNT_MAX: u32 = 10_000;

/// Rows that one page reads at most to find what a filter wants where no index leads to it: some 10 ms where they lie
/// side by side, 100 ms where each is in a page of its own. The answer is shorter then, and says how far it looked.
pub const SEARCH_ROWS_MAX: u32 = 20_000;

/// Rows of an index without the order of ids that are read whole and sorted; with more, the newest runs are searched.
pub const NARROW_ROWS_MAX: u32 = 5_000;

/// Failure groups in one answer: who has more has one problem, not many.
pub const FAILURE_GROUPS_MAX: u32 = 200;

/// Runs whose logs one page of tasks folds at most.
pub const TASK_RUNS_MAX: u32 = 200;

/// Events that one page of tasks folds at most, but for the last run's.
pub const TASK_EVENTS_MAX: u32 = 100_000;

/// Workflows with metrics of their own in one process; those after them are counted together, as `other`.
pub const METRIC_WORKFLOWS_MAX: usize = 256;

/// Tasks with metrics of their own in one process, of all workflows together: each has some hundred numbers at most.
pub const METRIC_TASKS_MAX: usize = 2_048;

/// Members of a `tracestate`: the standard's limit.
pub const TRACESTATE_MEMBERS_MAX: usize = 32;

/// Bytes of a `tracestate`: what everybody who passes one on must keep.
pub const TRACESTATE_BYTES_MAX: usize = 512;

/// Bytes of a request to an OpenTelemetry backend before it is compressed: they take 4 MiB at most, some 1 MiB.
pub const OTLP_REQUEST_BYTES_MAX: usize = (1 << 20) - 1;

/// How long a request to an OpenTelemetry backend may take unless told: the standard's.
pub const OTLP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The longest such time: what hangs holds up all that comes after it.
pub const OTLP_TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// For how long an OpenTelemetry backend may ask to be left alone: a slip there must not cost a day here.
pub const OTLP_RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Bytes that are read of such a backend's answer.
pub const OTLP_ANSWER_BYTES_MAX: usize = 64 << 10;

/// Characters that are kept of what such a backend says.
pub const OTLP_REASON_CHARS_MAX: usize = 500;

/// Events that a span keeps; of more it says how many there were.
pub const SPAN_EVENTS_MAX: usize = 32;

/// Bytes of a text in a span: an error's message, a reason. What is longer is in the log.
pub const SPAN_TEXT_BYTES_MAX: usize = 1 << 10;

/// Causes of an error that a span tells, so that a span with all its events stays far below a request's limit.
pub const SPAN_CHAIN_MAX: usize = 4;

/// Numbers in one request of metrics to an OpenTelemetry backend: a histogram takes some 300 bytes, so 1 MiB is not reached.
pub const OTLP_POINTS_MAX: usize = 2_000;

/// Shortest time between two pushes of metrics: a person sees no more.
pub const METRICS_PUSH_MIN: Duration = Duration::from_millis(100);

/// Longest time between two pushes of metrics: what dies with the process in between is lost.
pub const METRICS_PUSH_MAX: Duration = Duration::from_secs(3_600);

/// Time between two pushes of metrics unless told otherwise: the standard's.
pub const METRICS_PUSH_DEFAULT: Duration = Duration::from_secs(60);

/// Refused spans that are kept for whoever asks: the last of them say what is wrong, and 10,000 are a few megabytes.
pub const REFUSED_SPANS_KEPT: u32 = 10_000;

/// Commits of the outbox that are counted: more say no more, and a look at them takes some ten milliseconds.
pub const OUTBOX_COUNTED_MAX: u32 = 100_000;

/// Commits of the outbox that the exporter takes at a time.
pub const EXPORT_COMMITS_PER_LOOK: u32 = 512;

/// Runs whose logs the exporter reads by one question.
pub const EXPORT_RUNS_PER_READ: usize = 512;

/// Events that the exporter reads by one question, and about as many spans are sent before the next: some megabytes.
pub const EXPORT_EVENTS_PER_READ: u32 = 4_096;

/// What the spans of a process's own commits may take of the memory until its exporter comes for them, a second of a busy
/// node: what finds no room is read from the log.
pub const EXPORT_WAITING_BYTES_MAX: usize = 16 << 20;

/// Runs whose folds the exporter keeps from one commit to the next unless the embedder says otherwise: as many as two nodes
/// hold, at some hundred bytes each.
pub const EXPORT_RUNS_KEPT_DEFAULT: usize = 20_000;

/// Time between two looks for commits to export unless the embedder says otherwise: what a person waits for a span, and a
/// question a second where nothing happens.
pub const EXPORT_INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// Shortest such time: a shorter one finds single commits, each with a request of its own.
pub const EXPORT_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Longest such time: with a longer one the outbox might close in between.
pub const EXPORT_INTERVAL_MAX: Duration = Duration::from_secs(60);
