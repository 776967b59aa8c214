//! Events about the run as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ReplayFrom;
use crate::model::Timestamp;
use crate::model::failure::Failure;
use crate::model::ids::{Key, Namespace, OpKey, RunId, SignalName, TaskName, Version, WorkflowName};
use crate::model::limit::Limited;
use crate::model::payload::Payload;
use crate::model::plan::Plan;
use crate::model::trace::TraceContext;

/// The run exists: everything it was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunCreated {
    /// Which workflow.
    pub workflow: WorkflowName,
    /// Which version of its code; the run stays on it.
    pub version: Version,
    /// Whose it is.
    pub namespace: Namespace,
    /// The user's own id for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What it was given.
    pub input: Payload,
    /// Tags for finding it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Higher goes first; 0 unless told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i16,
    /// Not to be started before; `None` = at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// Ends as TIMED_OUT when it is not started by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_deadline: Option<Timestamp>,
    /// How long it may take from its start, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What started it.
    pub trigger: Trigger,
    /// The run that started it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The span that it was started under, in the caller's trace; `None` = it begins a trace of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<TraceContext>>,
    /// The limit of concurrency that it is under, with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Box<Limited>>,
}

fn is_zero(n: &i16) -> bool {
    *n == 0
}

/// What started a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// Code, by `start`.
    Manual,
    /// The REST interface, by whom.
    Api {
        /// The credential's name.
        by: Option<String>,
    },
    /// A cron schedule.
    Cron {
        /// The schedule's name.
        schedule: String,
        /// Which occurrence; when it was asked for, if somebody asked for one out of turn.
        due: Timestamp,
        /// Who asked for one out of turn; `None` = its time came.
        #[serde(default)]
        by: Option<String>,
    },
    /// A one-off schedule.
    Schedule {
        /// The schedule's name.
        schedule: String,
        /// Which occurrence: a schedule may be moved. `None` in logs of releases without schedules.
        #[serde(default)]
        due: Option<Timestamp>,
        /// Who asked for one out of turn; `None` = its time came.
        #[serde(default)]
        by: Option<String>,
    },
    /// A trigger event, kept as it came even when the input was mapped from it.
    Event {
        /// The event's id.
        id: String,
        /// The event's key.
        key: String,
        /// The event's payload.
        payload: Payload,
    },
    /// A parent run; see [`RunCreated::parent`].
    Parent,
    /// A replay.
    Replay {
        /// The original.
        of: RunId,
        /// Who asked for it.
        #[serde(default)]
        by: Option<String>,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
        /// From where it runs anew; `None` in logs of releases without replays.
        #[serde(default)]
        from: Option<ReplayFrom>,
        /// The span that the original was started under, if it was under one: where its trace is.
        #[serde(default)]
        trace: Option<Box<TraceContext>>,
    },
}

impl Trigger {
    /// Returns the run that a replay replays.
    pub fn replay_of(&self) -> Option<RunId> {
        match self {
            Trigger::Replay { of, .. } => Some(*of),
            _ => None,
        }
    }

    /// Returns the trigger's kind, as in the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Trigger::Manual => "manual",
            Trigger::Api { .. } => "api",
            Trigger::Cron { .. } => "cron",
            Trigger::Schedule { .. } => "schedule",
            Trigger::Event { .. } => "event",
            Trigger::Parent => "parent",
            Trigger::Replay { .. } => "replay",
        }
    }
}

/// Where a child run belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The parent run.
    pub run: RunId,
    /// The parent's task.
    pub task: TaskName,
    /// The operation in that task that waits for the child.
    pub op: OpKey,
    /// How many runs stand above it, from 1.
    pub depth: u32,
}

/// A node took the run over, or woke it from its parking; first event of that node's stretch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunClaimed {}

/// A node started the run's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The shape it started with.
    pub plan: Plan,
    /// When a node took it from the queue; `None` when that was this very commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Timestamp>,
}

/// Somebody asked for the run's end; its code was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When code that has not ended by itself is aborted.
    pub abort_at: Timestamp,
}

/// A signal arrived; the code may or may not have asked for it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalReceived {
    /// Its name.
    pub name: SignalName,
    /// The key that it was sent to; `None` = it was sent to this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What it carries.
    pub payload: Payload,
    /// When it came into the run's inbox: for one to the run that is when it was accepted. One to a key was accepted then or
    /// earlier, and kept since.
    pub sent_at: Timestamp,
}

/// The code at hand does not fit the log; the run waits for code that does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBlocked {
    /// What does not fit, for a person.
    pub report: String,
}

/// The run ended with the output of its plan's output task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSucceeded {}

/// The run ended with an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailed {
    /// The task that failed first; `None` when the run failed before any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskName>,
    /// Why.
    pub error: Failure,
}

/// The run ended because somebody asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCancelled {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The run ended because its time was up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTimedOut {
    /// Which of its two timeouts.
    pub timeout: Timeout,
    /// The deadline that passed.
    pub deadline: Timestamp,
}

/// One of a run's two timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeout {
    /// `start_timeout`, counted from creation.
    Start,
    /// `timeout`, counted from RunStarted.
    Run,
}
