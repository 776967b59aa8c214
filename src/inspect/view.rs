//! A run as a person reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::wait::WaitView;
use crate::model::condition::Skipped;
use crate::model::event::{Allowed, ChildOutcome, Parent, Trigger};
use crate::model::plan::Role;
use crate::model::state::{Attempt, Cancel, Child, End, Op, OpState, StepTimes, TaskState};
use crate::model::waiting::waiting;
use crate::model::{
    Failure, Key, Namespace, NodeId, OpKey, Payload, RunId, RunState, Status, TaskName, TaskStatus,
    Timestamp, TraceContext, Version, Waiting, WorkflowName,
};
use crate::store::RunRow;

/// Everything about a run. Instants are the database's; `None` = not reached.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// The run.
    pub id: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// The version it started with.
    pub version: Version,
    /// Whose it is.
    pub namespace: Namespace,
    /// The user's own id for it.
    pub key: Option<Key>,
    /// Where it stands.
    pub status: Status,
    /// What it waits for; empty while its code is at work.
    pub waiting: Vec<Waiting>,
    /// What it was given.
    pub input: Payload,
    /// What it gave.
    pub output: Option<Payload>,
    /// How it ended, unless well.
    pub end: Option<End>,
    /// Its tags.
    pub metadata: BTreeMap<String, String>,
    /// Higher goes first.
    pub priority: i16,
    /// What started it.
    pub trigger: Trigger,
    /// The run that it replays.
    pub replay_of: Option<RunId>,
    /// The runs that replay it, oldest first; at most 1,000.
    pub replays: Vec<(RunId, Status)>,
    /// The run, task and operation that started it.
    pub parent: Option<Parent>,
    /// The span that it was started under; `None` = it has a trace of its own. Its ids: `telemetry::ids`.
    pub trace: Option<TraceContext>,
    /// The runs that it started, oldest first; at most 1,000.
    pub children: Vec<(RunId, WorkflowName, Status)>,
    /// Repeated attempts at its tasks, in all.
    pub retries: usize,
    /// How often a node took it over or woke it.
    pub claims: u32,
    /// The node that owns it, or wrote last.
    pub node: Option<NodeId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Before when it could not start: its start time, or its creation.
    pub queued_until: Timestamp,
    /// When a node took it.
    pub assigned_at: Option<Timestamp>,
    /// When its code started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it ends as TIMED_OUT: its start deadline while it is queued, then what its timeout makes of its start.
    pub deadline: Option<Timestamp>,
    /// How long it may take from its start.
    pub timeout: Option<Duration>,
    /// Until when it had to start.
    pub start_deadline: Option<Timestamp>,
    /// Who asked for its end, when its code was told.
    pub cancel: Option<Cancel>,
    /// Whether it is in the archive: everything about it is still here, its log in another form.
    pub archived: bool,
    /// Whether it came from another database, by an import.
    pub imported: bool,
    /// How many events its log has.
    pub events: u32,
    /// Its tasks, in the plan's order; empty before it started.
    pub tasks: Vec<TaskView>,
}

/// Everything about a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// Its name.
    pub name: TaskName,
    /// Where it stands.
    pub status: TaskStatus,
    /// When it runs.
    pub role: Role,
    /// The tasks it waits for.
    pub after: Vec<TaskName>,
    /// What it was given beside the run's input: the outputs of the tasks before it.
    pub inputs: Vec<(TaskName, Payload)>,
    /// What it gave.
    pub output: Option<Payload>,
    /// When and why a condition left it out.
    pub skipped: Option<Skipped>,
    /// What its last failed attempt said.
    pub error: Option<Failure>,
    /// When its next attempt begins, after a failed one.
    pub retry_at: Option<Timestamp>,
    /// When it became known: the run's start.
    pub created_at: Timestamp,
    /// When it could begin: the last of the tasks before it had ended, and its conditions were met.
    pub queued_until: Option<Timestamp>,
    /// When a node took its first attempt.
    pub assigned_at: Option<Timestamp>,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When its last attempt ended for good.
    pub finished_at: Option<Timestamp>,
    /// Its attempts, the first one first.
    pub attempts: Vec<AttemptView>,
    /// Its steps, by name.
    pub steps: Vec<StepView>,
    /// What its code waited for, and waits for, by name.
    pub waits: Vec<WaitView>,
    /// The child runs that it started, oldest first.
    pub children: Vec<ChildView>,
}

/// A child run of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildView {
    /// The child.
    pub run: RunId,
    /// The operation that waits for it.
    pub op: OpKey,
    /// How it ended, as the parent's log has it; `None` while it lives.
    pub outcome: Option<ChildOutcome>,
}

/// One try at a task.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptView {
    /// Its number, from 1.
    pub number: u32,
    /// The node that began it.
    pub node: Option<NodeId>,
    /// When it was created: the task was ready, or the attempt before it failed.
    pub created_at: Timestamp,
    /// When it was allowed to begin.
    pub queued_until: Timestamp,
    /// When a node took it.
    pub assigned_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it runs out of time.
    pub deadline: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// How many attempts the code allowed when it failed, and whether it called the error worth another one; `None` where the
    /// log does not say.
    pub allowed: Option<Allowed>,
}

/// One step of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    /// Its name and occurrence.
    pub op: OpKey,
    /// Hash of its input, where the code gave one.
    pub input_hash: Option<String>,
    /// Its outcome.
    pub output: Option<Payload>,
    /// What its last failed try said, unless it has an outcome.
    pub error: Option<Failure>,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// When its last try began.
    pub started_at: Option<Timestamp>,
    /// When its last try's outcome was committed.
    pub finished_at: Option<Timestamp>,
    /// The attempt at its task that ran it last.
    pub attempt: u32,
    /// Tries in that attempt.
    pub tries: u32,
    /// Whether a replay took it over: then all this is of the run that ran it.
    pub reused: bool,
    /// How many tries the code allowed when one failed, and whether it called the error worth another one; `None` where the
    /// log does not say.
    pub allowed: Option<Allowed>,
}

impl RunView {
    pub(super) fn new(state: &RunState, row: &RunRow, children: &[RunRow], replays: &[RunRow]) -> RunView {
        let tasks = (0..state.tasks.len()).filter_map(|at| TaskView::new(state, at)).collect();
        let origin = state.origin.clone();
        RunView {
            id: state.id,
            workflow: origin.workflow,
            version: origin.version,
            namespace: origin.namespace,
            key: origin.key,
            status: state.status,
            waiting: waiting(state),
            input: origin.input,
            output: state.output(),
            metadata: origin.metadata,
            priority: origin.priority,
            replay_of: origin.trigger.replay_of(),
            replays: replays.iter().map(|replay| (replay.run, replay.status)).collect(),
            trigger: origin.trigger,
            parent: origin.parent,
            trace: origin.trace.map(|trace| *trace),
            children: children
                .iter()
                .map(|child| (child.run, child.workflow.clone(), child.status))
                .collect(),
            retries: state.retries(),
            claims: state.claims,
            node: row.owner.or(state.node),
            created_at: origin.created_at,
            queued_until: origin.start_at.map_or(origin.created_at, |at| at.max(origin.created_at)),
            assigned_at: state.assigned_at,
            started_at: state.started_at,
            finished_at: state.finished_at,
            deadline: state.deadline.or(origin.start_deadline.filter(|_| state.started_at.is_none())),
            timeout: origin.timeout_ms.map(Duration::from_millis),
            start_deadline: origin.start_deadline,
            cancel: state.cancel.clone(),
            archived: row.archived_at.is_some(),
            imported: row.imported,
            events: state.seq,
            tasks,
            end: state.end.clone(),
        }
    }

    /// Returns how long the run waited for its start, from when it was allowed to.
    pub fn queue_latency(&self) -> Option<Duration> {
        (self.started_at? - self.queued_until).to_std().ok()
    }

    /// Returns how long its code took, from start to end.
    pub fn execution_time(&self) -> Option<Duration> {
        (self.finished_at? - self.started_at?).to_std().ok()
    }

    /// Returns why the run failed.
    pub fn error(&self) -> Option<&Failure> {
        match &self.end {
            Some(End::Failed { error, .. }) => Some(error),
            Some(End::Cancelled { .. } | End::TimedOut { .. }) | None => None,
        }
    }

    /// Returns the task called `name`.
    pub fn task(&self, name: &str) -> Option<&TaskView> {
        self.tasks.iter().find(|task| task.name == *name)
    }
}

impl TaskView {
    pub(super) fn new(state: &RunState, at: usize) -> Option<TaskView> {
        let task = state.tasks.get(at)?;
        let after: Vec<&TaskState> = state
            .plan
            .as_ref()?
            .tasks
            .get(at)?
            .after
            .iter()
            .filter_map(|place| state.tasks.get(usize::from(*place)))
            .collect();
        let input = |before: &&TaskState| Some((before.name.clone(), before.output.clone()?));
        let first = task.attempts.first();
        Some(TaskView {
            name: task.name.clone(),
            status: task.status,
            role: task.role,
            after: after.iter().map(|before| before.name.clone()).collect(),
            inputs: after.iter().filter_map(input).collect(),
            output: task.output.clone(),
            skipped: task.skipped.clone(),
            error: task.last_error().cloned(),
            retry_at: task.retry_at,
            created_at: task.created_at,
            queued_until: task.ready_at,
            assigned_at: first.map(|attempt| attempt.assigned_at),
            started_at: first.map(|attempt| attempt.started_at),
            finished_at: task.finished_at(),
            attempts: (1..).zip(&task.attempts).map(AttemptView::new).collect(),
            steps: task.ops.iter().filter_map(StepView::new).collect(),
            waits: task.ops.iter().filter_map(WaitView::new).collect(),
            children: state.children.iter().filter_map(|child| ChildView::of(&task.name, child)).collect(),
        })
    }

    /// Returns how long it waited from when it could begin.
    pub fn queue_latency(&self) -> Option<Duration> {
        (self.started_at? - self.queued_until?).to_std().ok()
    }

    /// Returns how long it took, from its first attempt's start to its end.
    pub fn execution_time(&self) -> Option<Duration> {
        (self.finished_at? - self.started_at?).to_std().ok()
    }
}

impl AttemptView {
    fn new((number, attempt): (u32, &Attempt)) -> AttemptView {
        AttemptView {
            number,
            node: attempt.node,
            created_at: attempt.created_at,
            queued_until: attempt.queued_until,
            assigned_at: attempt.assigned_at,
            started_at: attempt.started_at,
            finished_at: attempt.end.as_ref().map(|end| end.at),
            deadline: attempt.deadline,
            error: attempt.end.as_ref().and_then(|end| end.error.clone()),
            allowed: attempt.end.as_ref().and_then(|end| end.allowed),
        }
    }
}

impl ChildView {
    fn of(task: &TaskName, (run, child): (&RunId, &Child)) -> Option<ChildView> {
        let view = || ChildView { run: *run, op: child.op.clone(), outcome: child.outcome.clone() };
        (child.task == *task).then(view)
    }
}

impl StepView {
    fn new((op, recorded): (&OpKey, &Op)) -> Option<StepView> {
        let step = |input_hash: &Option<String>, times: Option<&StepTimes>| StepView {
            op: op.clone(),
            input_hash: input_hash.clone(),
            output: None,
            error: None,
            retry_at: None,
            started_at: times.map(|times| times.started_at),
            finished_at: times.map(|times| times.finished_at),
            attempt: recorded.attempt,
            tries: times.map_or(0, |times| times.tries),
            reused: recorded.reused,
            allowed: None,
        };
        match &recorded.state {
            OpState::StepStarted { input_hash, at } => {
                Some(StepView { started_at: Some(*at), ..step(input_hash, None) })
            }
            OpState::StepCompleted { input_hash, output, times } => {
                Some(StepView { output: Some(output.clone()), ..step(input_hash, Some(times)) })
            }
            OpState::StepFailed { input_hash, error, retry_at, allowed, times } => Some(StepView {
                error: Some(error.clone()),
                retry_at: *retry_at,
                allowed: *allowed,
                ..step(input_hash, Some(times))
            }),
            _ => None,
        }
    }
}
