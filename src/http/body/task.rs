//! Tasks, attempts and steps.

use serde::Serialize;
use utoipa::ToSchema;

use super::{FailureBody, Sight, Time, millis};
use crate::inspect::{AttemptView, StepView, TaskView};
use crate::model::{Payload, TaskName};

/// Steps that an answer about a task lists; the log has them all.
const STEPS_SHOWN_MAX: usize = 1_000;

/// A task as part of its run.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskBrief)]
pub(in crate::http) struct TaskBrief {
    /// Its name.
    name: String,
    /// `QUEUED`, `RUNNING`, `SUCCEEDED`, `FAILED`, `CANCELLED`, `TIMED_OUT`, `SKIPPED` or `REUSED`; more may come.
    status: &'static str,
    /// The tasks it waits for.
    after: Vec<String>,
    /// How many attempts it had.
    attempts: usize,
    /// Why a condition left it out, in words; null unless one did.
    skipped: Option<String>,
    /// What its last failed attempt said.
    error: Option<FailureBody>,
    /// When it became known: the run's start.
    created_at: Time,
    /// When it could begin.
    queued_until: Option<Time>,
    /// When a node took its first attempt.
    assigned_at: Option<Time>,
    /// When its first attempt began.
    started_at: Option<Time>,
    /// When its last attempt ended for good.
    finished_at: Option<Time>,
    /// How long it waited from when it could begin.
    queue_latency_ms: Option<u64>,
    /// How long it took, from its first attempt's start to its end.
    execution_ms: Option<u64>,
    /// How large its output is; null when there is none.
    output_bytes: Option<usize>,
}

impl From<&TaskView> for TaskBrief {
    fn from(task: &TaskView) -> TaskBrief {
        TaskBrief {
            name: task.name.to_string(),
            status: task.status.as_str(),
            after: task.after.iter().map(ToString::to_string).collect(),
            attempts: task.attempts.len(),
            skipped: task.skipped.as_ref().map(|skipped| skipped.because.to_string()),
            error: task.error.as_ref().map(FailureBody::from),
            created_at: task.created_at.into(),
            queued_until: task.queued_until.map(Time),
            assigned_at: task.assigned_at.map(Time),
            started_at: task.started_at.map(Time),
            finished_at: task.finished_at.map(Time),
            queue_latency_ms: task.queue_latency().map(millis),
            execution_ms: task.execution_time().map(millis),
            output_bytes: task.output.as_ref().map(|output| output.text().len()),
        }
    }
}

/// Everything about a task.
#[derive(Serialize, ToSchema)]
#[schema(as = Task)]
pub(in crate::http) struct TaskBody {
    /// What a run lists of it.
    #[serde(flatten)]
    brief: TaskBrief,
    /// What it was given beside the run's input: the outputs of the tasks before it.
    inputs: Vec<InputBody>,
    /// What it gave; left out when there is none, when it is larger than 65,536 bytes, or when the caller may not read
    /// payloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    output: Option<Payload>,
    /// Its attempts, the first one first.
    attempt_list: Vec<AttemptBody>,
    /// Its steps by name, at most 1,000.
    steps: Vec<StepBody>,
    /// How many steps it has.
    steps_total: usize,
}

impl TaskBody {
    pub(in crate::http) fn new(task: &TaskView, sight: Sight) -> TaskBody {
        let inputs = task.inputs.iter().map(|(before, output)| InputBody::new(before, output, sight));
        TaskBody {
            brief: TaskBrief::from(task),
            inputs: inputs.collect(),
            output: task.output.as_ref().and_then(|output| sight.show(output).value),
            attempt_list: task.attempts.iter().map(AttemptBody::from).collect(),
            steps: task.steps.iter().take(STEPS_SHOWN_MAX).map(|step| StepBody::new(step, sight)).collect(),
            steps_total: task.steps.len(),
        }
    }
}

/// The output of a task that this one waited for.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskInput)]
pub(in crate::http) struct InputBody {
    /// Which task.
    task: String,
    /// Its output; left out as the task's own is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    output: Option<Payload>,
    /// How large that is.
    output_bytes: usize,
}

impl InputBody {
    pub(in crate::http) fn new(task: &TaskName, output: &Payload, sight: Sight) -> InputBody {
        let shown = sight.show(output);
        InputBody { task: task.to_string(), output: shown.value, output_bytes: shown.bytes }
    }
}

/// One try at a task.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(in crate::http) struct AttemptBody {
    /// Its number, from 1.
    number: u32,
    /// The node that began it.
    node: Option<i32>,
    /// When it was created: the task was ready, or the attempt before it failed.
    created_at: Time,
    /// When it was allowed to begin.
    queued_until: Time,
    /// When a node took it.
    assigned_at: Time,
    /// When it began.
    started_at: Time,
    /// When it ended.
    finished_at: Option<Time>,
    /// When it runs out of time.
    deadline: Option<Time>,
    /// Why it failed.
    error: Option<FailureBody>,
}

impl From<&AttemptView> for AttemptBody {
    fn from(attempt: &AttemptView) -> AttemptBody {
        AttemptBody {
            number: attempt.number,
            node: attempt.node.map(|node| node.0),
            created_at: attempt.created_at.into(),
            queued_until: attempt.queued_until.into(),
            assigned_at: attempt.assigned_at.into(),
            started_at: attempt.started_at.into(),
            finished_at: attempt.finished_at.map(Time),
            deadline: attempt.deadline.map(Time),
            error: attempt.error.as_ref().map(FailureBody::from),
        }
    }
}

/// One step of a task.
#[derive(Serialize, ToSchema)]
#[schema(as = Step)]
struct StepBody {
    /// Its name.
    name: String,
    /// How many steps of this name came before it.
    occurrence: u32,
    /// Hash of its input, where the code gave one.
    input_hash: Option<String>,
    /// Its outcome; left out as a task's output is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    output: Option<Payload>,
    /// How large that is; null when there is none.
    output_bytes: Option<usize>,
    /// What its last failed try said, unless it has an outcome.
    error: Option<FailureBody>,
    /// When it is tried again.
    retry_at: Option<Time>,
    /// When its last try began.
    started_at: Option<Time>,
    /// When its last try's outcome was committed.
    finished_at: Option<Time>,
    /// Tries in the attempt that ran it last.
    tries: u32,
}

impl StepBody {
    fn new(step: &StepView, sight: Sight) -> StepBody {
        let output = step.output.as_ref().map(|output| sight.show(output));
        let output_bytes = output.as_ref().map(|output| output.bytes);
        StepBody {
            name: step.op.name.to_string(),
            occurrence: step.op.occurrence,
            input_hash: step.input_hash.clone(),
            output: output.and_then(|output| output.value),
            output_bytes,
            error: step.error.as_ref().map(FailureBody::from),
            retry_at: step.retry_at.map(Time),
            started_at: step.started_at.map(Time),
            finished_at: step.finished_at.map(Time),
            tries: step.tries,
        }
    }
}
