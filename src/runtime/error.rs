//! What can go wrong for an embedder.

use crate::inspect::{CursorError, ImportError, InspectError};
use crate::model::event::Timeout;
use crate::model::ids::NameError;
use crate::model::schedule::CronError;
use crate::model::trigger::EventFilterError;
use crate::model::{Failure, FilterError, PayloadError, RunId, Status, TaskName};
use crate::store::StoreError;
use crate::workflow::BuildError;

/// Why a call of the runtime did not do what was asked. Nothing was written, unless
/// [`StoreError::Unavailable`] says that this is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A workflow cannot be served.
    #[error(transparent)]
    Workflow(#[from] BuildError),
    /// A setting of the builder is out of range.
    #[error("setting {name}: {problem}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What is wrong with it, and what would do.
        problem: String,
    },
    /// No workflow of that name is served here, and none was ever registered in the database.
    #[error("workflow {workflow:?} is unknown: no node ever served it; {}", served_here(known))]
    UnknownWorkflow {
        /// The name.
        workflow: String,
        /// What is served here, by name and version.
        known: Vec<String>,
    },
    /// A name, key or namespace is refused.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An input or a signal's payload is refused.
    #[error("{field}: {source}")]
    Payload {
        /// Which.
        field: &'static str,
        /// What is wrong.
        source: PayloadError,
    },
    /// A field of a start is out of range.
    #[error("{field}: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it, and what would do.
        problem: String,
    },
    /// `if_exists_fail` was set and the key is taken.
    #[error("run {run} of workflow {workflow} has the key {key:?} already")]
    KeyExists {
        /// The run that has it.
        run: RunId,
        /// The workflow.
        workflow: String,
        /// The key.
        key: String,
    },
    /// The run has ended.
    #[error("run {run} ended as {status}: it cannot be {attempted}")]
    Finished {
        /// The run.
        run: RunId,
        /// How it ended.
        status: Status,
        /// What was asked for.
        attempted: &'static str,
    },
    /// The sender's id for a signal is that of another one, with another name, key or payload.
    #[error("the signal id {id:?} was used for another signal: give each its own")]
    SignalId {
        /// The id.
        id: String,
    },
    /// No run waits for the signal, and as many are kept already as may be.
    #[error(
        "no run waits for signal {name:?} of key {key:?}, and no more are kept: at most {of_key} of one key and {of_namespace} \
         of a namespace; send it again when some were taken"
    )]
    SignalsFull {
        /// The signal's name.
        name: String,
        /// Its key.
        key: String,
        /// How many of one name and key are kept.
        of_key: i64,
        /// How many of a namespace are kept.
        of_namespace: i64,
    },
    /// The run cannot be replayed, or not so.
    #[error("run {run} cannot be replayed: {why}")]
    NotReplayable {
        /// The run.
        run: RunId,
        /// Why.
        why: NotReplayable,
    },
    /// There is no such run.
    #[error("there is no run {run}")]
    NotFound {
        /// The id.
        run: RunId,
    },
    /// The runtime is shut down, or lost its lease and joins anew. Whether a start that was under way is committed is
    /// unknown; with a key it may be repeated.
    #[error(
        "the runtime is shut down, or joins anew after it lost its lease: whether the start was committed is unknown, \
         repeat it with the same key"
    )]
    NotRunning,
    /// The run's log has no event of that seq.
    #[error("run {run} has no event {seq}: its log has the events 1 to {events}")]
    OutOfRange {
        /// The run.
        run: RunId,
        /// Which event was asked for.
        seq: u32,
        /// How many events its log has.
        events: u32,
    },
    /// The run's log cannot be folded.
    #[error("the log of run {run} cannot be folded: {reason}")]
    Quarantined {
        /// The run.
        run: RunId,
        /// What is wrong with its log.
        reason: String,
    },
    /// A filter cannot be read.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A page was asked for with a cursor that is not its own.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A schedule's expression or time zone is refused.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// There is a schedule of that name already.
    #[error("there is a schedule {name:?} already: take another name, or replace it")]
    ScheduleExists {
        /// The name.
        name: String,
    },
    /// There is no schedule of that name.
    #[error("there is no schedule {name:?}")]
    NoSchedule {
        /// The name.
        name: String,
    },
    /// A subscription's filter is refused.
    #[error(transparent)]
    EventFilter(#[from] EventFilterError),
    /// There is a subscription of that name already.
    #[error("there is a subscription {name:?} already: take another name, or replace it")]
    SubscriptionExists {
        /// The name.
        name: String,
    },
    /// As many trigger events are being pushed here as a process takes at a time. Nothing was done.
    #[error("too many events are being pushed at once: push it again in {retry_after:?}")]
    TooManyEvents {
        /// After when.
        retry_after: std::time::Duration,
    },
    /// What was said of a schedule, a subscription or an event is refused.
    #[error(transparent)]
    Schedule(std::sync::Arc<Error>),
    /// Somebody is at a retention pass already.
    #[error("a retention pass is under way by {by}: wait for its end")]
    PassUnderWay {
        /// Who.
        by: String,
    },
    /// An exported run cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The store refuses, or does not answer; in the latter case it is unknown whether it was done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// Takes an error out of what several may hold.
    pub(super) fn shared(error: std::sync::Arc<Error>) -> Error {
        std::sync::Arc::try_unwrap(error).unwrap_or_else(Error::Schedule)
    }
}

/// Why a run cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReplayable {
    /// It lives.
    #[error("it is {status}: wait for its end, or cancel it")]
    Live {
        /// Where it stands.
        status: Status,
    },
    /// Somebody, or its parent, wanted its end.
    #[error("it was cancelled: say that you force it")]
    Cancelled,
    /// Nothing of it failed.
    #[error("it succeeded, so nothing of it failed: say from the start, or from which task")]
    Succeeded,
    /// It came by an import, and values of it were hidden where it was exported.
    #[error(
        "values of it were hidden where it was exported, and are not in this database: give it an input that is written out, or \
         export it again where nothing is hidden"
    )]
    Redacted,
    /// It has no such task.
    #[error("it has no task {task:?}: expected one of {}", known.join(", "))]
    UnknownTask {
        /// The task that was named.
        task: TaskName,
        /// Those that there are.
        known: Vec<String>,
    },
}

impl From<InspectError> for Error {
    fn from(error: InspectError) -> Error {
        match error {
            InspectError::Illegal(illegal) => {
                Error::Quarantined { run: illegal.run, reason: illegal.to_string() }
            }
            InspectError::OutOfRange { run, seq, events } => Error::OutOfRange { run, seq, events },
            InspectError::Cursor(error) => Error::Cursor(error),
            limit @ InspectError::PageLimit { .. } => {
                Error::Field { field: "limit", problem: limit.to_string() }
            }
            InspectError::Unreadable { run, seq, problem } => {
                Error::Quarantined { run, reason: format!("event {seq}: {problem}") }
            }
            InspectError::Store(error) => Error::Store(error),
        }
    }
}

/// How a run ended other than well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// With an error.
    #[error("run {run} failed{}: {error}", in_task(.task))]
    Failed {
        /// The run.
        run: RunId,
        /// The task that failed first.
        task: Option<TaskName>,
        /// Why.
        error: Failure,
    },
    /// By a timeout.
    #[error("run {run} timed out: its {} passed", match timeout { Timeout::Start => "start_timeout", Timeout::Run => "timeout" })]
    TimedOut {
        /// The run.
        run: RunId,
        /// Which of its timeouts.
        timeout: Timeout,
    },
    /// By a person's or a parent's wish.
    #[error("run {run} was cancelled{}{}", crate::workflow::by_whom(.by), crate::workflow::for_what(.reason))]
    Cancelled {
        /// The run.
        run: RunId,
        /// Why.
        reason: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// Its outcome is there and is not of the type asked for.
    #[error("the output of run {run}: {source}")]
    Output {
        /// The run.
        run: RunId,
        /// What is wrong.
        source: PayloadError,
    },
    /// Its outcome cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Error),
}

fn in_task(task: &Option<TaskName>) -> String {
    task.as_ref().map(|task| format!(" in task {task}")).unwrap_or_default()
}

fn served_here(known: &[String]) -> String {
    match known {
        [] => "this process serves none".to_owned(),
        known => format!("this process serves {}", known.join(", ")),
    }
}
