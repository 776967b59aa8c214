//! The fold of a run's log.

mod task;

pub use self::task::{Attempt, AttemptEnd, Op, OpState, StepTimes, TakenOver, TaskState};

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::condition::Term;
use super::event::{ChildOutcome, Parent, Timeout, Trigger};
use super::failure::Failure;
use super::ids::{Key, Namespace, NodeId, OpKey, RunId, SignalName, TaskName, Version, WorkflowName};
use super::limit::Limited;
use super::payload::Payload;
use super::plan::Plan;
use super::status::{Status, TaskStatus};
use super::trace::TraceContext;

/// Everything that is known of a run after its first `seq` events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The run.
    pub id: RunId,
    /// How many events are folded in.
    pub seq: u32,
    /// Where it stands.
    pub status: Status,
    /// What it was started with.
    pub origin: Origin,
    /// The shape it started with; `None` before.
    pub plan: Option<Plan>,
    /// Its tasks, in the plan's order; empty before it started.
    pub tasks: Vec<TaskState>,
    /// What a replay took over, by task, until it starts; then it is in its tasks.
    pub taken_over: BTreeMap<TaskName, TakenOver>,
    /// When a node took it from the queue.
    pub assigned_at: Option<Timestamp>,
    /// When its code started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it ends as TIMED_OUT.
    pub deadline: Option<Timestamp>,
    /// The last event's instant; the next one is not earlier.
    pub last_at: Timestamp,
    /// The node that wrote last.
    pub node: Option<NodeId>,
    /// How often a node took it over or woke it.
    pub claims: u32,
    /// Who asked for its end, when that was asked while it ran.
    pub cancel: Option<Cancel>,
    /// Why it waits for other code, if it does.
    pub blocked: Option<String>,
    /// Signals nobody took yet, oldest first.
    pub signals: VecDeque<Signal>,
    /// Its child runs, in the order they were started.
    pub children: BTreeMap<RunId, Child>,
    /// How it ended, unless it succeeded or has not.
    pub end: Option<End>,
}

/// What a run was started with; see [`RunCreated`](super::event::RunCreated) for the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are RunCreated's, documented there")]
pub struct Origin {
    pub workflow: WorkflowName,
    pub version: Version,
    pub namespace: Namespace,
    pub key: Option<Key>,
    pub input: Payload,
    pub metadata: BTreeMap<String, String>,
    pub priority: i16,
    pub created_at: Timestamp,
    pub start_at: Option<Timestamp>,
    pub start_deadline: Option<Timestamp>,
    pub timeout_ms: Option<u64>,
    pub trigger: Trigger,
    pub parent: Option<Parent>,
    pub trace: Option<Box<TraceContext>>,
    pub limit: Option<Box<Limited>>,
}

/// A wish to cancel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub by: Option<String>,
    /// When it was accepted.
    pub at: Timestamp,
    /// When code that is still running is aborted.
    pub abort_at: Timestamp,
}

/// A signal that waits for the code to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Its name.
    pub name: SignalName,
    /// The key that it was sent to; `None` = it was sent to this run.
    pub key: Option<Key>,
    /// What it carries.
    pub payload: Payload,
}

/// A child run as its parent knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The task that started it.
    pub task: TaskName,
    /// The operation in it.
    pub op: OpKey,
    /// How it ended; `None` while it lives.
    pub outcome: Option<ChildOutcome>,
}

/// How a run ended other than well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With an error.
    Failed {
        /// The task that failed first.
        task: Option<TaskName>,
        /// Why.
        error: Failure,
    },
    /// By a person's or a parent's wish.
    Cancelled {
        /// Why.
        reason: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// By a timeout.
    TimedOut {
        /// Which one.
        timeout: Timeout,
        /// The deadline that passed.
        deadline: Timestamp,
    },
}

impl RunState {
    /// Returns the task called `name` with its place in the plan.
    pub fn task(&self, name: &TaskName) -> Option<(usize, &TaskState)> {
        self.tasks.iter().enumerate().find(|(_, task)| task.name == *name)
    }

    /// Returns the run's output once it succeeded: its output task's, or `null` when that was skipped.
    pub fn output(&self) -> Option<Payload> {
        let output = usize::from(self.plan.as_ref()?.output);
        let task = self.tasks.get(output).filter(|_| self.status == Status::Succeeded)?;
        if task.status == TaskStatus::Skipped { Some(Payload::null()) } else { task.output.clone() }
    }

    /// Returns what the code is to judge for the conditions of the task in place `at`: the term, and the value.
    pub fn questions(&self, at: usize) -> Vec<(u16, &Payload)> {
        let Some(planned) = self.plan.as_ref().and_then(|plan| plan.tasks.get(at)) else { return Vec::new() };
        let gate = self.tasks.get(at).and_then(TaskState::open_gate);
        let Some((conditions, gate)) = planned.conditions.as_ref().zip(gate) else { return Vec::new() };
        let mut questions = Vec::new();
        let terms = (0..).zip(conditions.terms.iter().zip(&gate.terms));
        for (at, (term, known)) in terms.filter(|(_, (_, known))| known.met.is_none()) {
            match term {
                Term::Output { task } => {
                    let output = self.tasks.get(usize::from(*task)).and_then(|task| task.output.as_ref());
                    questions.extend(output.map(|output| (at, output)));
                }
                Term::Signal { .. } => questions.extend(known.unjudged.iter().map(|signal| (at, signal))),
                Term::Elapsed { .. } => {}
            }
        }
        questions
    }

    /// Says whether the code owes the conditions of the task in place `at` an answer.
    pub fn asks(&self, at: usize) -> bool {
        self.tasks.get(at).is_some_and(|task| task.open_gate().is_some())
            && self.goes_on()
            && !self.questions(at).is_empty()
    }

    /// Says whether tasks begin and conditions are looked at: the run goes on, and no task failed for good.
    pub fn goes_on(&self) -> bool {
        self.status == Status::Running && self.cancel.is_none() && self.first_failure().is_none()
    }

    /// Returns the instant before which it may not start: its `start_at`, or its creation.
    pub fn queued_until(&self) -> Timestamp {
        self.origin.start_at.map_or(self.origin.created_at, |at| at.max(self.origin.created_at))
    }

    /// Returns the first task that failed for good, with its last error.
    pub fn first_failure(&self) -> Option<(&TaskState, &Failure)> {
        let failed = self.tasks.iter().filter(|task| {
            matches!(task.status, TaskStatus::Failed | TaskStatus::TimedOut)
                && task.role == super::plan::Role::Task
        });
        let first = failed.min_by_key(|task| task.finished_at())?;
        Some((first, first.last_error()?))
    }

    /// Says whether a replay takes over the output of the task called `name`, which it has not started yet.
    pub fn takes_over_output(&self, name: &TaskName) -> bool {
        matches!(self.taken_over.get(name), Some(TakenOver::Output(_)))
    }

    /// Says whether a running run has every output that there will be: a replay can, of a plan that lost the task which failed.
    pub fn is_complete(&self) -> bool {
        let mut tasks = self.tasks.iter().filter(|task| task.role == super::plan::Role::Task);
        self.status == Status::Running && tasks.all(TaskState::lets_others_begin)
    }

    /// Says whether an attempt of any task is under way.
    pub fn has_running_attempt(&self) -> bool {
        self.tasks.iter().any(|task| task.status == TaskStatus::Running)
    }

    /// Returns how often an attempt at a task was repeated.
    pub fn retries(&self) -> usize {
        self.tasks.iter().map(|task| task.attempts.len().saturating_sub(1)).sum()
    }
}
