//! What can be asked of a run, and the answer when it is refused.

use std::time::Duration;

use super::Timestamp;
use super::event::{ChildOutcome, ChildStarted};
use super::failure::Failure;
use super::ids::{Key, MessageId, OpKey, PatchId, RunId, SignalName, TaskName};
use super::payload::Payload;
use super::plan::Plan;
use super::retry::{Retry, Verdict};
use super::status::Status;

/// Something asked of a run.
#[derive(Clone, Debug)]
pub enum Command {
    /// A node that has the code begins it.
    Start {
        /// The code's shape.
        plan: Plan,
        /// When the node took the run from the queue; `None` = it was never there.
        assigned_at: Option<Timestamp>,
    },
    /// An attempt got further.
    Advance {
        /// The task.
        task: TaskName,
        /// Which attempt.
        attempt: u32,
        /// What happened, in order.
        reports: Vec<Report>,
    },
    /// Messages from outside.
    Deliver {
        /// In the order they were accepted.
        messages: Vec<Message>,
        /// Whether an attempt's code is in memory and must be told of a cancellation first.
        live: bool,
    },
    /// The code judged what a task's conditions asked of it.
    Judge {
        /// The task.
        task: TaskName,
        /// Its verdicts by term, in the order of the questions; or why there are none.
        verdicts: Result<Vec<(u16, bool)>, Failure>,
    },
    /// Time passed.
    Tick,
    /// The run killed its nodes, one after the other.
    Isolate {
        /// How many in a row, without getting any further in between.
        deaths: i16,
    },
    /// The code at hand does not fit the log.
    Block {
        /// What does not fit.
        report: String,
    },
}

/// What an attempt says of itself.
#[derive(Clone, Debug)]
pub enum Report {
    /// An at-most-once step wants to run.
    StepStarted {
        /// Which.
        op: OpKey,
        /// Hash of its input.
        input_hash: Option<String>,
    },
    /// A step has its outcome.
    StepCompleted {
        /// Which.
        op: OpKey,
        /// Hash of its input.
        input_hash: Option<String>,
        /// The outcome.
        output: Payload,
        /// How long it took.
        took: Duration,
    },
    /// A try at a step failed.
    StepFailed {
        /// Which.
        op: OpKey,
        /// Hash of its input.
        input_hash: Option<String>,
        /// Why.
        error: Failure,
        /// What the code's predicate says of it.
        verdict: Verdict,
        /// The step's policy.
        retry: Retry,
        /// How long it took.
        took: Duration,
    },
    /// The code sleeps.
    Sleep {
        /// Which sleep.
        op: OpKey,
        /// Until when.
        until: WaitUntil,
    },
    /// The code waits for a signal.
    AwaitSignal {
        /// Which wait.
        op: OpKey,
        /// For which signal.
        signal: SignalName,
        /// Of which key; `None` = for one that is sent to this run.
        key: Option<Key>,
        /// For how long; `None` = for ever.
        timeout: Option<Duration>,
    },
    /// The code starts a child run.
    StartChild {
        /// The fact to be.
        child: ChildStarted,
    },
    /// A race has its winner.
    RaceWon {
        /// Which race.
        op: OpKey,
        /// The winner's place.
        winner: u32,
        /// What the losers had built.
        lost: Vec<OpKey>,
        /// Futures that the code had spawned built something, too, for whichever racer.
        spawned: bool,
    },
    /// The code read the clock.
    TimeRead {
        /// Which reading.
        op: OpKey,
        /// What it saw.
        now: Timestamp,
    },
    /// The code asked for a patch. What was recorded of it before stays.
    PatchMarked {
        /// Which.
        patch: PatchId,
        /// Whether it applies.
        applies: bool,
    },
    /// The code dropped a wait.
    Abandon {
        /// Which.
        op: OpKey,
    },
    /// The code needs more time from now on.
    Extend {
        /// How much.
        by: Duration,
    },
    /// The code returned the task's output. Last report of an attempt.
    Succeeded {
        /// The output.
        output: Payload,
    },
    /// The code failed. Last report of an attempt.
    Failed {
        /// Why.
        error: Failure,
        /// What the code's predicate says of it.
        verdict: Verdict,
    },
}

/// When a sleep ends.
#[derive(Clone, Copy, Debug)]
pub enum WaitUntil {
    /// This long after it is recorded.
    After(Duration),
    /// At an instant.
    At(Timestamp),
}

/// A message that was accepted for a run and waits in its inbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its row.
    pub id: MessageId,
    /// When it came into the inbox.
    pub sent_at: Timestamp,
    /// What it says.
    pub body: MessageBody,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageBody {
    /// A signal.
    Signal {
        /// Its name.
        name: SignalName,
        /// The key that it was sent to; `None` = it was sent to this run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// What it carries.
        payload: Payload,
    },
    /// A wish to cancel.
    Cancel {
        /// Why.
        reason: Option<String>,
        /// Who.
        by: Option<String>,
        /// How long code may go on after it was told.
        grace_ms: u64,
    },
    /// A child run ended.
    ChildFinished {
        /// The child.
        run: RunId,
        /// How.
        outcome: ChildOutcome,
    },
}

/// What `decide` may not read by itself: the time, a drawn number, and the code's rules.
#[derive(Clone, Copy, Debug)]
pub struct Now<'rules> {
    /// The database's clock, or a little behind it; never ahead.
    pub at: Timestamp,
    /// A number drawn from 0 to 1, for jitter.
    pub chance: f64,
    /// What the code says of its tasks; none where the code is not at hand.
    pub rules: &'rules Rules,
}

/// What the code says of its tasks: policies, which never enter the log.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// One entry a task, in the plan's order.
    pub tasks: Vec<TaskRules>,
}

/// What the code says of one task.
#[derive(Clone, Debug, Default)]
pub struct TaskRules {
    /// When a failed attempt is tried again.
    pub retry: Retry,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
}

/// Why a command changes nothing. An answer, not an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The run has ended.
    #[error("the run ended as {status}")]
    Finished {
        /// How.
        status: Status,
    },
    /// The run has started before.
    #[error("the run is {status}, it cannot be started")]
    NotQueued {
        /// Where it stands.
        status: Status,
    },
    /// An attempt reports what its log excludes.
    #[error("task {task} reports {report} {op}, which the log excludes")]
    Contradicts {
        /// The task.
        task: TaskName,
        /// What it reports.
        report: &'static str,
        /// Of which operation.
        op: OpKey,
    },
    /// The attempt is not the current one: it timed out, or another node took over.
    #[error("attempt {attempt} of task {task} is not under way")]
    Stale {
        /// The task.
        task: TaskName,
        /// The attempt.
        attempt: u32,
    },
}
