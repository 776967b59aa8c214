//! A run, its tasks and its log.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Timestamp;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Page<T> {
    pub(in crate::cli) data: Vec<T>,
    #[serde(default)]
    pub(in crate::cli) next: Option<String>,
}

/// A run, whole.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Run {
    pub(in crate::cli) id: String,
    #[serde(default)]
    pub(in crate::cli) created: Option<bool>,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) key: Option<String>,
    pub(in crate::cli) status: String,
    #[serde(default)]
    pub(in crate::cli) archived: bool,
    pub(in crate::cli) waiting: Vec<Waiting>,
    #[serde(default)]
    pub(in crate::cli) input: Option<Box<RawValue>>,
    pub(in crate::cli) input_bytes: usize,
    #[serde(default)]
    pub(in crate::cli) output: Option<Box<RawValue>>,
    pub(in crate::cli) output_bytes: Option<usize>,
    pub(in crate::cli) error: Option<Failure>,
    pub(in crate::cli) failed_task: Option<String>,
    pub(in crate::cli) timed_out: Option<String>,
    pub(in crate::cli) cancelled: Option<Cancel>,
    pub(in crate::cli) metadata: BTreeMap<String, String>,
    pub(in crate::cli) trigger: Trigger,
    pub(in crate::cli) parent: Option<Parent>,
    pub(in crate::cli) children: Vec<Child>,
    pub(in crate::cli) retries: usize,
    pub(in crate::cli) node: Option<i32>,
    pub(in crate::cli) created_at: Timestamp,
    pub(in crate::cli) finished_at: Option<Timestamp>,
    pub(in crate::cli) deadline: Option<Timestamp>,
    pub(in crate::cli) queue_latency_ms: Option<u64>,
    pub(in crate::cli) execution_ms: Option<u64>,
    pub(in crate::cli) tasks: Vec<Task>,
    #[serde(default)]
    pub(in crate::cli) replays: Vec<ReplayOf>,
}

/// A run that replays another one.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ReplayOf {
    pub(in crate::cli) id: String,
    pub(in crate::cli) status: String,
}

/// One thing that a run waits for.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Waiting {
    pub(in crate::cli) text: String,
}

/// Why something failed.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Failure {
    pub(in crate::cli) kind: String,
    pub(in crate::cli) message: String,
    #[serde(default)]
    pub(in crate::cli) chain: Vec<String>,
    pub(in crate::cli) location: Option<String>,
}

/// Who cancelled, and why.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Cancel {
    pub(in crate::cli) by: Option<String>,
    pub(in crate::cli) reason: Option<String>,
}

/// What started a run.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Trigger {
    pub(in crate::cli) kind: String,
    #[serde(default)]
    pub(in crate::cli) by: Option<String>,
    #[serde(default)]
    pub(in crate::cli) of: Option<String>,
    #[serde(default)]
    pub(in crate::cli) schedule: Option<String>,
    #[serde(default)]
    pub(in crate::cli) due: Option<String>,
    #[serde(default)]
    pub(in crate::cli) event: Option<String>,
    #[serde(default)]
    pub(in crate::cli) key: Option<String>,
}

/// The run above.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Parent {
    pub(in crate::cli) run: String,
    pub(in crate::cli) task: String,
}

/// A run below.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Child {
    pub(in crate::cli) id: String,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) status: String,
}

/// A task of a run.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Task {
    pub(in crate::cli) name: String,
    pub(in crate::cli) status: String,
    pub(in crate::cli) attempts: usize,
    #[serde(default)]
    pub(in crate::cli) skipped: Option<String>,
    pub(in crate::cli) error: Option<Failure>,
    pub(in crate::cli) execution_ms: Option<u64>,
}

/// A task, whole.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct TaskWhole {
    pub(in crate::cli) name: String,
    pub(in crate::cli) status: String,
    #[serde(default)]
    pub(in crate::cli) skipped: Option<String>,
    pub(in crate::cli) error: Option<Failure>,
    pub(in crate::cli) execution_ms: Option<u64>,
    pub(in crate::cli) inputs: Vec<Input>,
    #[serde(default)]
    pub(in crate::cli) output: Option<Box<RawValue>>,
    pub(in crate::cli) output_bytes: Option<usize>,
    pub(in crate::cli) attempt_list: Vec<Attempt>,
    pub(in crate::cli) steps: Vec<Step>,
}

/// The output of a task before this one.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Input {
    pub(in crate::cli) task: String,
    #[serde(default)]
    pub(in crate::cli) output: Option<Box<RawValue>>,
    pub(in crate::cli) output_bytes: usize,
}

/// One try at a task.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Attempt {
    pub(in crate::cli) number: u32,
    pub(in crate::cli) node: Option<i32>,
    pub(in crate::cli) started_at: Timestamp,
    pub(in crate::cli) finished_at: Option<Timestamp>,
    pub(in crate::cli) error: Option<Failure>,
}

/// One step of a task.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Step {
    pub(in crate::cli) name: String,
    pub(in crate::cli) occurrence: u32,
    #[serde(default)]
    pub(in crate::cli) output: Option<Box<RawValue>>,
    pub(in crate::cli) output_bytes: Option<usize>,
    pub(in crate::cli) error: Option<Failure>,
    pub(in crate::cli) started_at: Option<Timestamp>,
    pub(in crate::cli) finished_at: Option<Timestamp>,
    pub(in crate::cli) tries: u32,
}

/// One event of a log.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Event {
    pub(in crate::cli) seq: u32,
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) node: Option<i32>,
    pub(in crate::cli) task: Option<String>,
    pub(in crate::cli) attempt: Option<i32>,
    pub(in crate::cli) op: Option<String>,
    pub(in crate::cli) data: Box<RawValue>,
}
