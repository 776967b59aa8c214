//! What an attempt's code is told of its run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Clock;
use crate::model::plan::Role;
use crate::model::state::TaskState;
use crate::model::{
    Failure, Key, Level, Namespace, OpKey, Payload, RunId, RunState, TaskName, TaskStatus, TraceContext,
    Version, WorkflowName,
};
use crate::telemetry::ids;
use crate::workflow::Inputs;

/// What the code of an attempt may ask about it.
#[derive(Clone)]
pub(crate) struct AttemptFacts {
    pub(crate) run: RunId,
    pub(crate) workflow: WorkflowName,
    pub(crate) version: Version,
    pub(crate) namespace: Namespace,
    pub(crate) key: Option<Key>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) task: TaskName,
    /// The run that began the task's work: another one in a replay that goes on with it.
    pub(crate) work: RunId,
    pub(crate) attempt: u32,
    /// How many runs stand above this one.
    pub(crate) depth: u32,
    pub(crate) outputs: BTreeMap<TaskName, Payload>,
    pub(crate) skipped: BTreeSet<TaskName>,
    pub(crate) errors: TaskErrors,
    pub(crate) clock: Arc<Clock>,
    /// The least level of a line that is kept.
    pub(crate) log_level: Level,
    /// The run's place in its trace.
    pub(crate) trace: TraceContext,
}

/// Which tasks failed, and why, by the tasks' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskErrors(pub(crate) BTreeMap<TaskName, Failure>);

impl TaskErrors {
    /// Returns why `task` failed, if it did.
    pub fn of(&self, task: &str) -> Option<&Failure> {
        self.iter().find(|(name, _)| **name == *task).map(|(_, failure)| failure)
    }

    /// Lists the failed tasks by name.
    pub fn iter(&self) -> impl Iterator<Item = (&TaskName, &Failure)> {
        self.0.iter()
    }

    /// Says whether no task failed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AttemptFacts {
    /// Collects what the attempt under way at `task` is told; `trace` is the place of its run.
    pub(crate) fn of(
        state: &RunState,
        task: &TaskState,
        trace: TraceContext,
        clock: Arc<Clock>,
        log_level: Level,
    ) -> AttemptFacts {
        let origin = &state.origin;
        let finished = |task: &TaskState| Some((task.name.clone(), task.output.clone()?));
        // On a wide DAG most tasks ask for nothing but their own edges; the maps are small and shared text.
        AttemptFacts {
            run: state.id,
            workflow: origin.workflow.clone(),
            version: origin.version.clone(),
            namespace: origin.namespace.clone(),
            key: origin.key.clone(),
            metadata: origin.metadata.clone(),
            task: task.name.clone(),
            work: task.work.unwrap_or(state.id),
            attempt: task.attempt(),
            depth: origin.parent.as_ref().map_or(0, |parent| parent.depth),
            outputs: state.tasks.iter().filter_map(finished).collect(),
            skipped: state
                .tasks
                .iter()
                .filter(|task| is_skipped(task))
                .map(|task| task.name.clone())
                .collect(),
            errors: errors(state),
            clock,
            log_level,
            trace,
        }
    }

    /// Returns the place of the attempt in the run's trace.
    pub(super) fn trace_of_attempt(&self) -> TraceContext {
        self.trace.under(ids::attempt(self.run, &self.task, self.attempt))
    }

    /// Returns the place of a step of the attempt.
    pub(super) fn trace_of_step(&self, op: &OpKey) -> TraceContext {
        self.trace.under(ids::step(self.run, &self.task, self.attempt, op))
    }

    /// Collects what the code of the task in place `at` is given.
    pub(crate) fn inputs(&self, state: &RunState, at: usize) -> Inputs {
        let after = state.plan.as_ref().and_then(|plan| plan.tasks.get(at)).map(|task| task.after.as_slice());
        let output = |place: &u16| state.tasks.get(usize::from(*place))?.output.clone();
        Inputs {
            input: state.origin.input.clone(),
            outputs: after.unwrap_or_default().iter().map(output).collect(),
            errors: self.errors.clone(),
        }
    }
}

fn is_skipped(task: &TaskState) -> bool {
    task.status == TaskStatus::Skipped
}

fn errors(state: &RunState) -> TaskErrors {
    use TaskStatus::{Failed, TimedOut};
    let failed = state
        .tasks
        .iter()
        .filter(|task| matches!(task.status, Failed | TimedOut) && task.role == Role::Task)
        .filter_map(|task| Some((task.name.clone(), task.last_error()?.clone())));
    TaskErrors(failed.collect())
}
