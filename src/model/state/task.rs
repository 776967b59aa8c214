//! The fold of one task: its attempts and its durable operations.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::condition::{Gate, SkipReason, Skipped};
use crate::model::event::{Allowed, ChildOutcome};
use crate::model::failure::Failure;
use crate::model::ids::{Key, NodeId, OpKey, PatchId, RunId, SignalName, TaskName};
use crate::model::payload::Payload;
use crate::model::plan::Role;
use crate::model::status::TaskStatus;

/// One task of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskState {
    /// Its name.
    pub name: TaskName,
    /// When it runs.
    pub role: Role,
    /// Where it stands.
    pub status: TaskStatus,
    /// When it became known: the run's start.
    pub created_at: Timestamp,
    /// When it could begin: the last of the tasks before it had ended, and its conditions were met; `None` before.
    pub ready_at: Option<Timestamp>,
    /// Its attempts, the first one first.
    pub attempts: Vec<Attempt>,
    /// When the next attempt begins, after a failed one.
    pub retry_at: Option<Timestamp>,
    /// Its output.
    pub output: Option<Payload>,
    /// What is known of its conditions; `None` before they are looked at, and without any.
    pub gate: Option<Box<Gate>>,
    /// When and why it was left out.
    pub skipped: Option<Skipped>,
    /// The run whose work it goes on with, in a replay: the one that its random numbers and idempotency keys are of.
    pub work: Option<RunId>,
    /// Its durable operations.
    pub ops: BTreeMap<OpKey, Op>,
    /// What the open ones among them wait for on the clock.
    pub due: BTreeSet<(Timestamp, OpKey)>,
    /// Which patches its code asked for, and whether they apply.
    pub patches: BTreeMap<PatchId, bool>,
}

/// One try at a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The node that began it.
    pub node: Option<NodeId>,
    /// When it was created: the task's readiness, or the failure before it.
    pub created_at: Timestamp,
    /// When it was allowed to begin; later than its creation when a retry waits.
    pub queued_until: Timestamp,
    /// When it was given to a node; an attempt begins in the same commit.
    pub assigned_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When it runs out of time.
    pub deadline: Option<Timestamp>,
    /// How it ended; `None` while it runs.
    pub end: Option<AttemptEnd>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// When.
    pub at: Timestamp,
    /// Why it failed; `None` when it succeeded.
    pub error: Option<Failure>,
    /// How many attempts the code allowed when it failed.
    pub allowed: Option<Allowed>,
}

/// One durable operation of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// The attempt that wrote it last. What a replay took over counts as the first one's if the code must ask for it,
    /// else as an earlier one's.
    pub attempt: u32,
    /// Whether a replay took it over.
    pub reused: bool,
    /// What is recorded of it.
    pub state: OpState,
}

/// What a replay takes over of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TakenOver {
    /// Its output: its code does not run.
    Output(Payload),
    /// That it was left out.
    Skipped(SkipReason),
    /// Its operations: its code goes on with them.
    Work {
        /// The run that began the work.
        run: RunId,
        /// Which patches its code asked for, and whether they apply.
        patches: BTreeMap<PatchId, bool>,
        /// What is recorded of them.
        ops: BTreeMap<OpKey, Op>,
    },
}

/// What is recorded of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OpState {
    /// An at-most-once step that began and has no outcome.
    StepStarted {
        /// Hash of its input.
        input_hash: Option<String>,
        /// When it began.
        at: Timestamp,
    },
    /// A step with its outcome.
    StepCompleted {
        /// Hash of its input.
        input_hash: Option<String>,
        /// Its outcome.
        output: Payload,
        /// When, and how often.
        times: StepTimes,
    },
    /// A step whose last try failed.
    StepFailed {
        /// Hash of its input.
        input_hash: Option<String>,
        /// Why.
        error: Failure,
        /// When it is tried again; `None` = never in this attempt.
        retry_at: Option<Timestamp>,
        /// How many tries the code allowed.
        allowed: Option<Allowed>,
        /// When, and how often.
        times: StepTimes,
    },
    /// A sleep.
    Timer {
        /// Until when.
        fire_at: Timestamp,
        /// Whether it is over.
        fired: bool,
    },
    /// A wait for a signal.
    Signal {
        /// For which.
        signal: SignalName,
        /// Of which key; `None` = for one that is sent to this run.
        key: Option<Key>,
        /// Until when.
        deadline: Option<Timestamp>,
        /// What came; `Some(None)` = nothing, in time.
        outcome: Option<Option<Payload>>,
    },
    /// A child run.
    Child {
        /// The child.
        run: RunId,
        /// Hash of its input.
        input_hash: String,
        /// How it ended.
        outcome: Option<ChildOutcome>,
    },
    /// A race with its winner.
    Race {
        /// Its place among the racers.
        winner: u32,
        /// What the losers had built.
        lost: Vec<OpKey>,
        /// Whether spawned futures had built something, too.
        spawned: bool,
    },
    /// A reading of the clock.
    Time {
        /// What it saw.
        now: Timestamp,
    },
    /// A sleep or wait that the code dropped.
    Abandoned,
}

impl OpState {
    /// Says whether it is an open wait for a signal called `name`, of this key or, without one, of none.
    pub fn waits_for(&self, name: &SignalName, of: Option<&Key>) -> bool {
        let is_open = |signal: &SignalName, key: &Option<Key>| signal == name && key.as_ref() == of;
        matches!(self, OpState::Signal { signal, key, outcome: None, .. } if is_open(signal, key))
    }

    /// Returns what the losers of a recorded race had built.
    pub fn lost(&self) -> &[OpKey] {
        match self {
            OpState::Race { lost, .. } => lost,
            OpState::StepStarted { .. }
            | OpState::StepCompleted { .. }
            | OpState::StepFailed { .. }
            | OpState::Timer { .. }
            | OpState::Signal { .. }
            | OpState::Child { .. }
            | OpState::Time { .. }
            | OpState::Abandoned => &[],
        }
    }

    /// Returns what kind of operation it is, for people and for comparing with the code.
    pub fn kind(&self) -> &'static str {
        match self {
            OpState::StepStarted { .. } | OpState::StepCompleted { .. } | OpState::StepFailed { .. } => {
                "step"
            }
            OpState::Timer { .. } => "sleep",
            OpState::Signal { .. } => "signal",
            OpState::Child { .. } => "child",
            OpState::Race { .. } => "race",
            OpState::Time { .. } => "now",
            OpState::Abandoned => "abandoned wait",
        }
    }
}

/// When a step last ran, and how often it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTimes {
    /// When the last try began: its end less how long it took.
    pub started_at: Timestamp,
    /// When the last try's outcome was committed.
    pub finished_at: Timestamp,
    /// Tries in all.
    pub tries: u32,
}

impl TaskState {
    /// Returns the number of the attempt that runs, or ran last; 0 before the first.
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    /// Returns when its last attempt ended for good.
    pub fn finished_at(&self) -> Option<Timestamp> {
        match self.status {
            TaskStatus::Queued | TaskStatus::Running => None,
            TaskStatus::Skipped => self.skipped.as_ref().map(|skipped| skipped.at),
            _ => self.attempts.last()?.end.as_ref().map(|end| end.at),
        }
    }

    /// Returns what its last failed attempt said.
    pub fn last_error(&self) -> Option<&Failure> {
        self.attempts.iter().rev().find_map(|attempt| attempt.end.as_ref()?.error.as_ref())
    }

    /// Says whether an attempt at it runs or may still begin.
    pub fn is_open(&self) -> bool {
        matches!(self.status, TaskStatus::Queued | TaskStatus::Running)
    }

    /// Says whether it has its output.
    pub fn has_output(&self) -> bool {
        matches!(self.status, TaskStatus::Succeeded | TaskStatus::Reused)
    }

    /// Says whether the tasks after it may begin, as far as it is concerned: it has its output, or a condition left it out.
    pub fn lets_others_begin(&self) -> bool {
        self.has_output() || self.status == TaskStatus::Skipped
    }

    /// Returns what is known of its conditions while it waits for them.
    pub fn open_gate(&self) -> Option<&Gate> {
        self.gate.as_deref().filter(|_| self.status == TaskStatus::Queued && self.attempts.is_empty())
    }
}
