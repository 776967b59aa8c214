//! Events about one attempt at one task; their [`Place`](super::Place) names both.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TaskEvent;
use crate::model::Timestamp;
use crate::model::failure::Failure;
use crate::model::ids::{Key, OpKey, PatchId, RunId, SignalName, Version, WorkflowName};
use crate::model::payload::Payload;
use crate::model::status::Status;

/// An attempt began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// When it runs out of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// The attempt asked for more time, and has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeoutExtended {
    /// The new deadline.
    pub deadline: Timestamp,
}

/// The attempt gave the task's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSucceeded {
    /// The output.
    pub output: Payload,
}

/// The attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// Why.
    pub error: Failure,
    /// When the next attempt begins; `None` = this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What the code allowed; `None` where it was not at hand, or an older release wrote the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
}

/// What the code's retry policy made of a failure. For people: the log's readers decide nothing by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// How many tries there may be in all, the first one included.
    pub max: u32,
    /// Whether the code said that this very error is not worth another try.
    pub stop: bool,
}

/// An at-most-once step is about to run; it will not run again, whatever happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepStarted {
    /// Which step.
    pub op: OpKey,
    /// Hash of what the code gave as the step's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_hash: Option<String>,
}

/// A step has its outcome and never runs again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompleted {
    /// Which step.
    pub op: OpKey,
    /// Hash of what the code gave as the step's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_hash: Option<String>,
    /// Its outcome.
    pub output: Payload,
    /// How long the last try took, in microseconds.
    pub us: u64,
}

/// A try at a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailed {
    /// Which step.
    pub op: OpKey,
    /// Hash of what the code gave as the step's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_hash: Option<String>,
    /// Why.
    pub error: Failure,
    /// When it is tried again; `None` = the code was given the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What the code allowed; `None` when an older release wrote the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    /// How long the try took, in microseconds.
    pub us: u64,
}

/// The code sleeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerStarted {
    /// Which sleep.
    pub op: OpKey,
    /// Until when.
    pub fire_at: Timestamp,
}

/// The sleep is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerFired {
    /// Which sleep.
    pub op: OpKey,
}

/// The code waits for a signal; it takes the oldest one of that name that nobody took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalAwaited {
    /// Which wait.
    pub op: OpKey,
    /// For which signal.
    pub signal: SignalName,
    /// Of which key; `None` = for one that is sent to this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Until when; `None` = for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// The signal did not come in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalTimedOut {
    /// Which wait.
    pub op: OpKey,
}

/// The code dropped a sleep or a wait before it was over, as the loser of a race is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitAbandoned {
    /// Which one.
    pub op: OpKey,
}

/// A child run was created, in this same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildStarted {
    /// Which operation waits for it.
    pub op: OpKey,
    /// The child.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// Hash of its input.
    pub input_hash: String,
}

/// A child run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildFinished {
    /// Which operation waits for it.
    pub op: OpKey,
    /// The child.
    pub run: RunId,
    /// How it ended.
    pub outcome: ChildOutcome,
}

/// How a child run ended, as its parent's log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildOutcome {
    /// The child's terminal status.
    pub status: Status,
    /// Its output, when it succeeded; an output of `null` is one.
    pub output: Option<Payload>,
    /// Its error, when it did not.
    pub error: Option<Failure>,
}

/// The outcome as JSON: what is not there is left out, so that an output of `null` differs from none.
#[derive(Serialize, Deserialize)]
struct OutcomeJson {
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    output: Option<Payload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Payload>, D::Error> {
    Payload::deserialize(deserializer).map(Some)
}

/// Snapshots hold it too, in a format without names, where nothing may be left out.
impl Serialize for ChildOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ChildOutcome { status, output, error } = self;
        if serializer.is_human_readable() {
            let json = OutcomeJson { status: *status, output: output.clone(), error: error.clone() };
            json.serialize(serializer)
        } else {
            (status, output, error).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ChildOutcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ChildOutcome, D::Error> {
        if deserializer.is_human_readable() {
            let OutcomeJson { status, output, error } = OutcomeJson::deserialize(deserializer)?;
            Ok(ChildOutcome { status, output, error })
        } else {
            let (status, output, error) = Deserialize::deserialize(deserializer)?;
            Ok(ChildOutcome { status, output, error })
        }
    }
}

/// A race has its winner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaceWon {
    /// Which race.
    pub op: OpKey,
    /// The winner's place among the racers, from 0.
    pub winner: u32,
    /// What the losers had built by then: code that is run again builds none of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<OpKey>,
    /// Whether futures that the code had spawned had built something, too: for which racer, if for one, is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spawned: bool,
}

/// The code read the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRead {
    /// Which reading.
    pub op: OpKey,
    /// What it saw.
    pub now: Timestamp,
}

/// The code asked on which side of a patch it is; it is told the same ever after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchMarked {
    /// Which patch.
    pub patch: PatchId,
    /// Whether it applies: the task had not gone past this place before.
    pub applies: bool,
}

impl TaskEvent {
    /// Returns the operation that the event is about; `None` when it is about the attempt as a whole, or a patch.
    pub fn op(&self) -> Option<&OpKey> {
        match self {
            TaskEvent::AttemptStarted(_)
            | TaskEvent::TimeoutExtended(_)
            | TaskEvent::AttemptSucceeded(_)
            | TaskEvent::AttemptFailed(_)
            | TaskEvent::PatchMarked(_)
            | TaskEvent::TaskReused(_)
            | TaskEvent::TaskResumed(_)
            | TaskEvent::ConditionsOpened(_)
            | TaskEvent::ConditionDecided(_)
            | TaskEvent::TaskSkipped(_) => None,
            TaskEvent::OpReused(event) => Some(&event.op),
            TaskEvent::StepStarted(event) => Some(&event.op),
            TaskEvent::StepCompleted(event) => Some(&event.op),
            TaskEvent::StepFailed(event) => Some(&event.op),
            TaskEvent::TimerStarted(event) => Some(&event.op),
            TaskEvent::TimerFired(event) => Some(&event.op),
            TaskEvent::SignalAwaited(event) => Some(&event.op),
            TaskEvent::SignalTimedOut(event) => Some(&event.op),
            TaskEvent::WaitAbandoned(event) => Some(&event.op),
            TaskEvent::ChildStarted(event) => Some(&event.op),
            TaskEvent::ChildFinished(event) => Some(&event.op),
            TaskEvent::RaceWon(event) => Some(&event.op),
            TaskEvent::TimeRead(event) => Some(&event.op),
        }
    }
}
