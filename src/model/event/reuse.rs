//! What a replay takes over from the run that it replays: events right after its creation, of attempt 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Allowed, ChildOutcome};
use crate::model::Timestamp;
use crate::model::failure::Failure;
use crate::model::ids::{Key, OpKey, PatchId, RunId, SignalName, TaskName};
use crate::model::payload::Payload;
use crate::model::state::{OpState, StepTimes};

/// From where a replay runs anew.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayFrom {
    /// From what did not succeed: what did is taken over.
    #[default]
    Failed,
    /// From the beginning: nothing is taken over.
    Start,
    /// From a task: it and the tasks after it begin anew, the others are as with [`Failed`](ReplayFrom::Failed).
    Task(TaskName),
}

/// The task's output is taken over; its code does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReused {
    /// The output.
    pub output: Payload,
}

/// The task goes on with what it had done: its operations are taken over, one event each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResumed {
    /// The run that began the work. The task keeps that run's random numbers and idempotency keys, for they may have
    /// gone into what is taken over, and into calls whose answers were lost.
    pub work: RunId,
    /// Which patches its code asked for, and whether they apply.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub patches: BTreeMap<PatchId, bool>,
}

/// What is recorded of an operation is taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpReused {
    /// Which operation.
    pub op: OpKey,
    /// Whether the code may do without it: it was recorded after something that is not taken over, and the code may go
    /// another way from there. Any other one is missed, as after a crash.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What is recorded of it.
    pub recorded: ReusedOp,
}

/// What can be taken over of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReusedOp {
    /// A step's outcome.
    Step {
        /// Hash of its input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_hash: Option<String>,
        /// The outcome.
        output: Payload,
        /// When it ran, and how often it was tried.
        times: StepTimes,
    },
    /// A step's failure that the code was given.
    FailedStep {
        /// Hash of its input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_hash: Option<String>,
        /// Why it failed.
        error: Failure,
        /// How many tries the code allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowed: Option<Allowed>,
        /// When it ran, and how often it was tried.
        times: StepTimes,
    },
    /// An at-most-once step that was begun and has no outcome: it does not run again.
    BegunStep {
        /// Hash of its input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_hash: Option<String>,
        /// When it was begun.
        at: Timestamp,
    },
    /// A sleep that is over.
    Sleep {
        /// When it ended.
        fire_at: Timestamp,
    },
    /// A signal that a wait got.
    Signal {
        /// Its name.
        signal: SignalName,
        /// Its key, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// What it carried.
        payload: Payload,
    },
    /// A wait for a signal that did not come in time.
    MissedSignal {
        /// Its name.
        signal: SignalName,
        /// Its key, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
    },
    /// A child run's end.
    Child {
        /// The child, which remains the original's.
        run: RunId,
        /// Hash of its input.
        input_hash: String,
        /// How it ended.
        outcome: ChildOutcome,
    },
    /// A child run that did not succeed and is replayed, too: the code waits for its replay.
    ReplayedChild {
        /// The child's replay, created with this run.
        run: RunId,
        /// The child that it replays.
        of: RunId,
        /// Hash of its input.
        input_hash: String,
    },
    /// A race's winner.
    Race {
        /// Its place among the racers.
        winner: u32,
        /// What the losers had built.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lost: Vec<OpKey>,
        /// Whether spawned futures had built something, too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        spawned: bool,
    },
    /// A reading of the clock.
    Now {
        /// What it saw.
        now: Timestamp,
    },
    /// A sleep or wait that the code dropped.
    Abandoned,
}

impl From<ReusedOp> for OpState {
    fn from(reused: ReusedOp) -> OpState {
        match reused {
            ReusedOp::Step { input_hash, output, times } => {
                OpState::StepCompleted { input_hash, output, times }
            }
            ReusedOp::FailedStep { input_hash, error, allowed, times } => {
                OpState::StepFailed { input_hash, error, retry_at: None, allowed, times }
            }
            ReusedOp::BegunStep { input_hash, at } => OpState::StepStarted { input_hash, at },
            ReusedOp::Sleep { fire_at } => OpState::Timer { fire_at, fired: true },
            ReusedOp::Signal { signal, key, payload } => {
                OpState::Signal { signal, key, deadline: None, outcome: Some(Some(payload)) }
            }
            ReusedOp::MissedSignal { signal, key } => {
                OpState::Signal { signal, key, deadline: None, outcome: Some(None) }
            }
            ReusedOp::Child { run, input_hash, outcome } => {
                OpState::Child { run, input_hash, outcome: Some(outcome) }
            }
            ReusedOp::ReplayedChild { run, input_hash, .. } => {
                OpState::Child { run, input_hash, outcome: None }
            }
            ReusedOp::Race { winner, lost, spawned } => OpState::Race { winner, lost, spawned },
            ReusedOp::Now { now } => OpState::Time { now },
            ReusedOp::Abandoned => OpState::Abandoned,
        }
    }
}

impl ReusedOp {
    /// Returns what can be taken over of an operation; `None` while it is open or may be tried again.
    pub fn of(state: &OpState) -> Option<ReusedOp> {
        Some(match state.clone() {
            OpState::StepCompleted { input_hash, output, times } => {
                ReusedOp::Step { input_hash, output, times }
            }
            OpState::StepFailed { input_hash, error, retry_at: None, allowed, times } => {
                ReusedOp::FailedStep { input_hash, error, allowed, times }
            }
            OpState::StepStarted { input_hash, at } => ReusedOp::BegunStep { input_hash, at },
            OpState::Timer { fire_at, fired: true } => ReusedOp::Sleep { fire_at },
            OpState::Signal { signal, key, outcome: Some(Some(payload)), .. } => {
                ReusedOp::Signal { signal, key, payload }
            }
            OpState::Signal { signal, key, outcome: Some(None), .. } => {
                ReusedOp::MissedSignal { signal, key }
            }
            OpState::Child { run, input_hash, outcome: Some(outcome) } => {
                ReusedOp::Child { run, input_hash, outcome }
            }
            OpState::Race { winner, lost, spawned } => ReusedOp::Race { winner, lost, spawned },
            OpState::Time { now } => ReusedOp::Now { now },
            OpState::Abandoned => ReusedOp::Abandoned,
            OpState::StepFailed { retry_at: Some(_), .. }
            | OpState::Timer { fired: false, .. }
            | OpState::Signal { outcome: None, .. }
            | OpState::Child { outcome: None, .. } => return None,
        })
    }
}
