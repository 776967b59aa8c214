//! Why a run is where it is, what differs, and how it was.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Failure, Input, LogLine, Waiting};
use crate::model::Timestamp;

/// Why a run is where it is.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Why {
    pub(in crate::cli) run: String,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) status: String,
    pub(in crate::cli) headline: String,
    pub(in crate::cli) started_at: Option<Timestamp>,
    pub(in crate::cli) finished_at: Option<Timestamp>,
    pub(in crate::cli) site: Option<Site>,
    pub(in crate::cli) waits: Vec<Wait>,
    pub(in crate::cli) last_good: Option<LastGood>,
    #[serde(default)]
    pub(in crate::cli) lines: Vec<LogLine>,
    #[serde(default)]
    pub(in crate::cli) similar: Option<Similar>,
    pub(in crate::cli) actions: Vec<Action>,
}

/// Where the cause lies.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Site {
    pub(in crate::cli) run: String,
    pub(in crate::cli) task: String,
    pub(in crate::cli) attempt: u32,
    pub(in crate::cli) attempts_max: Option<u32>,
    pub(in crate::cli) step: Option<SiteStep>,
    pub(in crate::cli) error: Option<Failure>,
    #[serde(default)]
    pub(in crate::cli) input: Option<Box<RawValue>>,
    pub(in crate::cli) input_bytes: usize,
    pub(in crate::cli) inputs: Vec<Input>,
}

/// The step in which it lies.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct SiteStep {
    pub(in crate::cli) name: String,
}

/// What a run waits for, and since when.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Wait {
    pub(in crate::cli) waiting: Waiting,
    pub(in crate::cli) since: Option<Timestamp>,
}

/// The newest good run before a bad one.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct LastGood {
    pub(in crate::cli) run: String,
    pub(in crate::cli) changes: StartDiff,
}

/// Other runs that failed for the same cause.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Similar {
    pub(in crate::cli) q: String,
    pub(in crate::cli) day: u64,
    pub(in crate::cli) all: u64,
    pub(in crate::cli) capped: bool,
    pub(in crate::cli) newest: Vec<String>,
}

/// What a person can do about it.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Action {
    pub(in crate::cli) kind: String,
    pub(in crate::cli) run: Option<String>,
    pub(in crate::cli) reused: Option<usize>,
    pub(in crate::cli) rerun: Option<usize>,
    pub(in crate::cli) force: Option<bool>,
    pub(in crate::cli) signal: Option<String>,
    pub(in crate::cli) signal_key: Option<String>,
    pub(in crate::cli) workflow: Option<String>,
    pub(in crate::cli) version: Option<String>,
    pub(in crate::cli) step: Option<String>,
}

/// What two runs were started with otherwise.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct StartDiff {
    pub(in crate::cli) fields: Vec<FieldDiff>,
    pub(in crate::cli) metadata: Vec<FieldDiff>,
    pub(in crate::cli) input: Changes,
}

/// One fact that differs.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct FieldDiff {
    pub(in crate::cli) name: String,
    pub(in crate::cli) a: Option<String>,
    pub(in crate::cli) b: Option<String>,
}

/// What differs between two JSON values.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Changes {
    pub(in crate::cli) listed: Vec<Change>,
    pub(in crate::cli) total: usize,
    #[serde(default)]
    pub(in crate::cli) redacted: bool,
}

/// One part that differs.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Change {
    pub(in crate::cli) path: String,
    pub(in crate::cli) before: Option<String>,
    pub(in crate::cli) after: Option<String>,
}

/// A run after some event.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct StateAt {
    pub(in crate::cli) seq: u32,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) state: State,
    pub(in crate::cli) changes: Changes,
}

/// What a person asks of a state; it holds more.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct State {
    pub(in crate::cli) status: String,
    pub(in crate::cli) node: Option<u32>,
    pub(in crate::cli) deadline: Option<Timestamp>,
    #[serde(default)]
    pub(in crate::cli) tasks: Vec<StateTask>,
}

/// A task in a state.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct StateTask {
    pub(in crate::cli) name: String,
    pub(in crate::cli) status: String,
    #[serde(default)]
    pub(in crate::cli) attempts: Vec<IgnoredAny>,
    /// Its steps and waits by their places.
    #[serde(default)]
    pub(in crate::cli) ops: BTreeMap<String, IgnoredAny>,
    #[serde(default)]
    pub(in crate::cli) output: Option<Box<RawValue>>,
}

/// What differs between two runs.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Diff {
    pub(in crate::cli) a: DiffSide,
    pub(in crate::cli) b: DiffSide,
    pub(in crate::cli) start: StartDiff,
    pub(in crate::cli) output: Changes,
    pub(in crate::cli) tasks: Vec<TaskDiff>,
    pub(in crate::cli) course: Option<Divergence>,
    pub(in crate::cli) first: Option<Divergence>,
    #[serde(default)]
    pub(in crate::cli) redacted: bool,
}

/// One of the two.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct DiffSide {
    pub(in crate::cli) run: String,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) status: String,
    pub(in crate::cli) execution_ms: Option<u64>,
}

/// A task in both.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct TaskDiff {
    pub(in crate::cli) name: String,
    pub(in crate::cli) a: Option<TaskSide>,
    pub(in crate::cli) b: Option<TaskSide>,
}

/// A task in one of the two.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct TaskSide {
    pub(in crate::cli) status: String,
    pub(in crate::cli) execution_ms: Option<u64>,
    pub(in crate::cli) error: Option<Failure>,
}

/// Where two logs part.
#[derive(Debug, PartialEq, Deserialize)]
pub(in crate::cli) struct Divergence {
    pub(in crate::cli) a: Option<Passage>,
    pub(in crate::cli) b: Option<Passage>,
}

/// An event of one of them.
#[derive(Debug, PartialEq, Deserialize)]
pub(in crate::cli) struct Passage {
    pub(in crate::cli) seq: u32,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) op: Option<String>,
    pub(in crate::cli) text: Option<String>,
}
