//! Where in a run a cause lies.

use super::super::history::History;
use crate::model::event::{Allowed, ReusedOp, RunEvent, TaskEvent};
use crate::model::plan::Role;
use crate::model::state::{OpState, RunState, TaskState};
use crate::model::{Event, Failure, NodeId, OpKey, Payload, RunId, Status, TaskName, TaskStatus, Timestamp};

/// A task of a run with what it was given and what it said.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// The attempt at it, from 1; 0 before the first.
    pub attempt: u32,
    /// How many attempts the code allows, where the log says so.
    pub attempts_max: Option<u32>,
    /// The step in it that failed, or is tried again.
    pub step: Option<StepSite>,
    /// Whether the code would have its error tried again, were there a try left; where the log says so.
    pub retryable: Option<bool>,
    /// The error at its root: the step's, or else the attempt's.
    pub error: Option<Failure>,
    /// What the code made of it: the attempt's error, when the step's is another one.
    pub attempt_error: Option<Failure>,
    /// The node that ran the attempt.
    pub node: Option<NodeId>,
    /// When the attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The run's input.
    pub input: Payload,
    /// The outputs of the tasks that it waited for.
    pub inputs: Vec<(TaskName, Payload)>,
}

/// A step of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSite {
    /// Which.
    pub op: OpKey,
    /// Tries at it in the attempt.
    pub tries: u32,
    /// How many the code allows, where the log says so.
    pub tries_max: Option<u32>,
    /// Hash of its input, where the code gave one.
    pub input_hash: Option<String>,
    /// When the last try began.
    pub started_at: Option<Timestamp>,
}

/// What in an attempt led to its failure.
#[derive(Clone)]
pub(super) enum Blame {
    /// A step of it.
    Step(OpKey),
    /// A child run of it.
    Child(RunId),
}

impl Site {
    /// Describes the newest attempt at a task.
    pub(super) fn of(state: &RunState, task: &TaskState, step: Option<&OpKey>) -> Site {
        let attempt = task.attempts.last();
        let end = attempt.and_then(|attempt| attempt.end.as_ref());
        let allowed = end.and_then(|end| end.allowed);
        let attempt_error = end.and_then(|end| end.error.clone()).or_else(|| task.last_error().cloned());
        let step = step.and_then(|op| StepSite::of(task, op));
        let (step, step_error, step_allowed) = match step {
            Some((step, error, allowed)) => (Some(step), Some(error), allowed),
            None => (None, None, None),
        };
        let known = [allowed, step_allowed].into_iter().flatten().map(|allowed| !allowed.stop);
        let error = step_error.or_else(|| attempt_error.clone());
        let attempt_error = attempt_error.filter(|said| error.as_ref() != Some(said));
        Site {
            run: state.id,
            task: task.name.clone(),
            attempt: task.attempt(),
            attempts_max: allowed.map(|allowed| allowed.max),
            step,
            retryable: known.reduce(|one, other| one && other),
            error,
            attempt_error,
            node: attempt.and_then(|attempt| attempt.node),
            started_at: attempt.map(|attempt| attempt.started_at),
            finished_at: end.map(|end| end.at),
            input: state.origin.input.clone(),
            inputs: inputs(state, &task.name),
        }
    }

    /// Describes what a live run is at, or was at when its time was up: a task whose code runs, or else one that is to be
    /// tried again.
    pub(super) fn at_work(state: &RunState) -> Option<Site> {
        let with = |status| state.tasks.iter().filter(move |task| task.status == status);
        let running = with(TaskStatus::Running).max_by_key(|task| trying(task).is_some());
        let retried = || with(TaskStatus::Queued).find(|task| task.retry_at.is_some());
        let task = running.or_else(retried).filter(|_| state.status == Status::Running)?;
        Some(Site::of(state, task, trying(task)))
    }
}

/// Returns the step of a task that is to be tried again.
fn trying(task: &TaskState) -> Option<&OpKey> {
    let retried = |state: &OpState| matches!(state, OpState::StepFailed { retry_at: Some(_), .. });
    task.ops.iter().find(|(_, op)| retried(&op.state) && op.attempt == task.attempt()).map(|(key, _)| key)
}

impl StepSite {
    fn of(task: &TaskState, op: &OpKey) -> Option<(StepSite, Failure, Option<Allowed>)> {
        let OpState::StepFailed { input_hash, error, allowed, times, .. } = &task.ops.get(op)?.state else {
            return None;
        };
        let step = StepSite {
            op: op.clone(),
            tries: times.tries,
            tries_max: allowed.map(|allowed| allowed.max),
            input_hash: input_hash.clone(),
            started_at: Some(times.started_at),
        };
        Some((step, error.clone(), *allowed))
    }
}

fn inputs(state: &RunState, name: &TaskName) -> Vec<(TaskName, Payload)> {
    let planned = state.plan.as_ref().and_then(|plan| plan.tasks.iter().find(|task| task.name == *name));
    let after = planned.map(|task| task.after.as_slice()).unwrap_or_default();
    let before = after.iter().filter_map(|place| state.tasks.get(usize::from(*place)));
    before.filter_map(|task| Some((task.name.clone(), task.output.clone()?))).collect()
}

/// Finds what led to the failure of the task's last attempt: what the error names, or else what the log has right before
/// the attempt's end. Nothing when the code failed by itself.
pub(super) fn blame(history: &History, task: &TaskState) -> Option<Blame> {
    let said = task.last_error()?;
    let names = |text: &str| said.message.contains(text) || said.chain.iter().any(|part| part.contains(text));
    let is_named = |suspect: &&Option<Blame>| match suspect {
        Some(Blame::Step(op)) => names(&op.to_string()),
        Some(Blame::Child(run)) => names(&run.to_string()),
        None => false,
    };
    let (own, taken_over) = (suspects(history, task, task.attempt()), suspects(history, task, 0));
    let named = own.iter().rev().chain(taken_over.iter().rev()).find(is_named);
    named.or_else(|| own.last().or_else(|| taken_over.last())).cloned().flatten()
}

/// Lists the operations of an attempt at the task in the order of their ends; `None` for one that went well. What a replay
/// took over is of attempt 0.
fn suspects(history: &History, task: &TaskState, attempt: u32) -> Vec<Option<Blame>> {
    let of_attempt = history.log.iter().filter_map(|recorded| match &recorded.event {
        Event::Task(place, event) if place.task == task.name && place.attempt == attempt => Some(event),
        Event::Task(..) | Event::Run(_) => None,
    });
    let child = |run: RunId, status: Status| (status != Status::Succeeded).then_some(Blame::Child(run));
    let suspect = |event: &TaskEvent| match event {
        TaskEvent::StepFailed(failed) if failed.retry_at.is_none() => Some(Blame::Step(failed.op.clone())),
        TaskEvent::ChildFinished(ended) => child(ended.run, ended.outcome.status),
        TaskEvent::OpReused(reused) => match &reused.recorded {
            ReusedOp::FailedStep { .. } => Some(Blame::Step(reused.op.clone())),
            ReusedOp::Child { run, outcome, .. } => child(*run, outcome.status),
            _ => None,
        },
        _ => None,
    };
    of_attempt.filter(|event| event.op().is_some()).map(suspect).collect()
}

/// Returns the task that failed first.
pub(super) fn failed_task<'a>(state: &'a RunState, name: Option<&TaskName>) -> Option<&'a TaskState> {
    let named = name.and_then(|name| state.task(name)).map(|(_, task)| task);
    named.filter(|task| task.role == Role::Task || task.last_error().is_some())
}

/// Returns when the run's code was found not to fit.
pub(super) fn blocked_at(history: &History) -> Option<Timestamp> {
    let mut blocked = history.log.iter().rev();
    let is_blocked = |event: &Event| matches!(event, Event::Run(RunEvent::Blocked(_)));
    blocked.find(|recorded| is_blocked(&recorded.event)).map(|recorded| recorded.at)
}
