//! What the command reads of the REST interface's answers to show it. `-o json` does not pass through here.
//!
//! Only what is shown stands here; further members are ignored, for a server may be newer.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Timestamp;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) next: Option<String>,
}

/// A run, whole.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    #[serde(default)]
    pub(super) created: Option<bool>,
    pub(super) workflow: String,
    pub(super) version: String,
    pub(super) namespace: String,
    pub(super) key: Option<String>,
    pub(super) status: String,
    #[serde(default)]
    pub(super) archived: bool,
    pub(super) waiting: Vec<Waiting>,
    #[serde(default)]
    pub(super) input: Option<Box<RawValue>>,
    pub(super) input_bytes: usize,
    #[serde(default)]
    pub(super) output: Option<Box<RawValue>>,
    pub(super) output_bytes: Option<usize>,
    pub(super) error: Option<Failure>,
    pub(super) failed_task: Option<String>,
    pub(super) timed_out: Option<String>,
    pub(super) cancelled: Option<Cancel>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) trigger: Trigger,
    pub(super) parent: Option<Parent>,
    pub(super) children: Vec<Child>,
    pub(super) retries: usize,
    pub(super) node: Option<i32>,
    pub(super) created_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) queue_latency_ms: Option<u64>,
    pub(super) execution_ms: Option<u64>,
    pub(super) tasks: Vec<Task>,
    #[serde(default)]
    pub(super) replays: Vec<String>,
}

/// One thing that a run waits for.
#[derive(Debug, Deserialize)]
pub(super) struct Waiting {
    pub(super) text: String,
}

/// Why something failed.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) chain: Vec<String>,
    pub(super) location: Option<String>,
}

/// Who cancelled, and why.
#[derive(Debug, Deserialize)]
pub(super) struct Cancel {
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
}

/// What started a run.
#[derive(Debug, Deserialize)]
pub(super) struct Trigger {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) by: Option<String>,
    #[serde(default)]
    pub(super) of: Option<String>,
}

/// The run above.
#[derive(Debug, Deserialize)]
pub(super) struct Parent {
    pub(super) run: String,
    pub(super) task: String,
}

/// A run below.
#[derive(Debug, Deserialize)]
pub(super) struct Child {
    pub(super) id: String,
    pub(super) workflow: String,
    pub(super) status: String,
}

/// A task of a run.
#[derive(Debug, Deserialize)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) attempts: usize,
    pub(super) error: Option<Failure>,
    pub(super) execution_ms: Option<u64>,
}

/// A task, whole.
#[derive(Debug, Deserialize)]
pub(super) struct TaskWhole {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) error: Option<Failure>,
    pub(super) execution_ms: Option<u64>,
    pub(super) inputs: Vec<Input>,
    #[serde(default)]
    pub(super) output: Option<Box<RawValue>>,
    pub(super) output_bytes: Option<usize>,
    pub(super) attempt_list: Vec<Attempt>,
    pub(super) steps: Vec<Step>,
}

/// The output of a task before this one.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub(super) task: String,
    #[serde(default)]
    pub(super) output: Option<Box<RawValue>>,
    pub(super) output_bytes: usize,
}

/// One try at a task.
#[derive(Debug, Deserialize)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) node: Option<i32>,
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) error: Option<Failure>,
}

/// One step of a task.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) occurrence: u32,
    #[serde(default)]
    pub(super) output: Option<Box<RawValue>>,
    pub(super) output_bytes: Option<usize>,
    pub(super) error: Option<Failure>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) tries: u32,
}

/// One event of a log.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) seq: u32,
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) node: Option<i32>,
    pub(super) task: Option<String>,
    pub(super) attempt: Option<i32>,
    pub(super) op: Option<String>,
    pub(super) data: Box<RawValue>,
}

/// A workflow's version.
#[derive(Debug, Deserialize)]
pub(super) struct Workflow {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) nodes: u32,
    pub(super) registered_at: Timestamp,
    pub(super) timeout_ms: Option<u64>,
    pub(super) tasks: Vec<Planned>,
}

/// A task of a workflow.
#[derive(Debug, Deserialize)]
pub(super) struct Planned {
    pub(super) name: String,
}

/// A process that executes runs.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) pid: u32,
    pub(super) release: String,
    pub(super) alive: bool,
    pub(super) joined_at: Timestamp,
    pub(super) left_at: Option<Timestamp>,
    pub(super) slots: Option<u32>,
    pub(super) runs: u64,
    pub(super) served: Vec<Served>,
}

/// A workflow's version that a node serves.
#[derive(Debug, Deserialize)]
pub(super) struct Served {
    pub(super) workflow: String,
    pub(super) version: String,
}

/// What somebody did.
#[derive(Debug, Deserialize)]
pub(super) struct Deed {
    pub(super) at: Timestamp,
    pub(super) who: String,
    pub(super) action: String,
    pub(super) run: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) outcome: String,
}

/// A replay, or what one would do.
#[derive(Debug, Deserialize)]
pub(super) struct Replayed {
    pub(super) run: Option<Run>,
    pub(super) plan: ReplayPlan,
}

/// What a replay takes over, and what it does not.
#[derive(Debug, Deserialize)]
pub(super) struct ReplayPlan {
    pub(super) of: String,
    pub(super) version: String,
    pub(super) reused: Vec<String>,
    pub(super) resumed: Vec<Resumed>,
    pub(super) rerun: Vec<String>,
    pub(super) not_reused: Vec<NotReused>,
}

/// A task that goes on.
#[derive(Debug, Deserialize)]
pub(super) struct Resumed {
    pub(super) task: String,
    pub(super) ops: Vec<String>,
}

/// A task whose work is not taken over.
#[derive(Debug, Deserialize)]
pub(super) struct NotReused {
    pub(super) task: String,
    pub(super) reason: String,
}
