//! What can be wrong with a workflow, and what a context answers instead of a value.

use crate::model::ids::NameError;
use crate::model::{Failure, PayloadError, RunId, Status, TaskName, Version, WorkflowName};

/// Why a workflow cannot be served. Found when the runtime starts, before anything is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A name is empty, too long or holds a control character.
    #[error("workflow {workflow:?}: {source}")]
    Name {
        /// The workflow as it was called.
        workflow: String,
        /// What is wrong.
        source: NameError,
    },
    /// Two tasks have one name.
    #[error("workflow {workflow}: two tasks are called {task:?}: give each its own name")]
    DuplicateTask {
        /// The workflow.
        workflow: WorkflowName,
        /// The name.
        task: TaskName,
    },
    /// Tasks wait for each other.
    #[error("workflow {workflow}: the tasks {} wait for each other in a circle: remove one edge", names(.tasks))]
    Cycle {
        /// The workflow.
        workflow: WorkflowName,
        /// The circle, each waiting for the one before it.
        tasks: Vec<TaskName>,
    },
    /// A task of another DAG is named as a predecessor or as the output.
    #[error("workflow {workflow}: {place} names a task of another workflow: use this workflow's own handles")]
    ForeignTask {
        /// The workflow.
        workflow: WorkflowName,
        /// Where it is named.
        place: String,
    },
    /// There are too many tasks.
    #[error("workflow {workflow} has {tasks} tasks, the limit is {limit}: move some into child runs")]
    TooManyTasks {
        /// The workflow.
        workflow: WorkflowName,
        /// How many there are.
        tasks: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A second on-failure task.
    #[error("workflow {workflow} has two on-failure tasks: handle every failure in one")]
    SecondOnFailure {
        /// The workflow.
        workflow: WorkflowName,
    },
    /// The on-failure task is an output or has an edge.
    #[error(
        "workflow {workflow}: the on-failure task {task} can be neither the output nor an end of an edge"
    )]
    OnFailureEdge {
        /// The workflow.
        workflow: WorkflowName,
        /// The task.
        task: TaskName,
    },
    /// The on-failure task has conditions.
    #[error(
        "workflow {workflow}: the on-failure task {task} begins when a task failed: it has no conditions"
    )]
    OnFailureCondition {
        /// The workflow.
        workflow: WorkflowName,
        /// The task.
        task: TaskName,
    },
    /// The output's task may be skipped, and the workflow's type says that there always is an output.
    #[error(
        "workflow {workflow}: task {task} may be skipped: make it `{task}.optional()` where the output is named"
    )]
    SkippableOutput {
        /// The workflow.
        workflow: WorkflowName,
        /// The task.
        task: TaskName,
    },
    /// The conditions of a task speak of too many things.
    #[error(
        "workflow {workflow}: the conditions of task {task} have {terms} terms, the limit is {limit}: decide in a task"
    )]
    TooManyTerms {
        /// The workflow.
        workflow: WorkflowName,
        /// The task.
        task: TaskName,
        /// How many there are.
        terms: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A duration is zero or beyond the limit.
    #[error("workflow {workflow}: {what} is {value:?}: it must be more than zero and at most 100 years")]
    Duration {
        /// The workflow.
        workflow: WorkflowName,
        /// Which.
        what: String,
        /// Its value.
        value: std::time::Duration,
    },
    /// A limit of concurrency cannot be kept.
    #[error("workflow {workflow}: limit {limit:?}: {problem}")]
    Limit {
        /// The workflow.
        workflow: WorkflowName,
        /// The limit's name.
        limit: String,
        /// What is wrong with it, and what would do.
        problem: String,
    },
    /// A second limit of concurrency.
    #[error(
        "workflow {workflow}: limit {limit:?} is its second one: a workflow has one limit of concurrency"
    )]
    SecondLimit {
        /// The workflow.
        workflow: WorkflowName,
        /// The second one's name.
        limit: String,
    },
    /// Two workflows of one name and version.
    #[error("workflow {workflow} version {version} is given twice: give the second another version")]
    DuplicateWorkflow {
        /// The workflow.
        workflow: WorkflowName,
        /// The version.
        version: Version,
    },
}

fn names(tasks: &[TaskName]) -> String {
    tasks.iter().map(TaskName::as_str).collect::<Vec<_>>().join(" → ")
}

/// What a context answers instead of a value.
///
/// An application's own error type needs a `From<CxError>`; with `anyhow` or `Box<dyn Error>` it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CxError {
    /// A step failed and its retries are exhausted.
    #[error("step {step} failed: {failure}")]
    Failed {
        /// The step.
        step: String,
        /// Why, as recorded.
        failure: Failure,
    },
    /// A step panicked and its retries are exhausted.
    #[error("step {step} panicked: {}", .failure.message)]
    Panicked {
        /// The step.
        step: String,
        /// The panic's payload, as recorded.
        failure: Failure,
    },
    /// An at-most-once step was begun by a process that died; whether it took effect is unknown.
    #[error(
        "step {step} was begun and never finished; it runs at most once: check its effect by hand or by code"
    )]
    Interrupted {
        /// The step.
        step: String,
    },
    /// The run is being cancelled: return soon.
    #[error("the run was cancelled{}{}", by_whom(.by), for_what(.reason))]
    Cancelled {
        /// Why.
        reason: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// The attempt that the context belongs to is over: a spawned future outlived it.
    #[error("{op} belongs to an attempt that is over: await spawned futures before the task returns")]
    Over {
        /// The operation.
        op: String,
    },
    /// A child run ended without success.
    #[error("child run {run} ended as {status}{}", error.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Child {
        /// The child.
        run: RunId,
        /// How it ended: FAILED, CANCELLED or TIMED_OUT.
        status: Status,
        /// Its error, when it failed.
        error: Option<Failure>,
    },
    /// A value cannot be kept, or what is recorded is not of the type asked for.
    #[error("{what}: {source}")]
    Payload {
        /// Which value.
        what: String,
        /// What is wrong.
        source: PayloadError,
    },
    /// A name is empty, too long or holds a control character.
    #[error("{source}")]
    Name {
        /// What is wrong.
        source: NameError,
    },
    /// A limit of the product is reached.
    #[error("{what}: the limit is {limit}")]
    Limit {
        /// Of what there is too much.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// The workflow to start as a child cannot be served.
    #[error("{source}")]
    Build {
        /// What is wrong.
        source: BuildError,
    },
    /// A chunk could not be put into its stream: the database refuses it, or the runtime is shutting down.
    #[error("{what}: {message}")]
    Stream {
        /// Which stream.
        what: String,
        /// What was said against it.
        message: String,
    },
    /// A transaction could not be begun or committed; nothing of it is in the database.
    #[error("transaction {step}: {message}")]
    Transaction {
        /// The step.
        step: String,
        /// What the database said.
        message: String,
    },
}

pub(crate) fn by_whom(by: &Option<String>) -> String {
    by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default()
}

pub(crate) fn for_what(reason: &Option<String>) -> String {
    reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
}
