//! Two runs side by side.

mod course;
mod reuse;

use std::time::Duration;

pub use self::course::{Divergence, Passage};
use super::InspectError;
use super::history::History;
use super::json::Changes;
use super::view::{RunView, TaskView};
use crate::model::event::Trigger;
use crate::model::state::Origin;
use crate::model::{Failure, NodeId, RunId, Status, TaskName, TaskStatus, Timestamp, Version, WorkflowName};
use crate::store::Store;

/// What differs between two runs, `a` and `b`.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDiff {
    /// The first run.
    pub a: Side,
    /// The second run.
    pub b: Side,
    /// What they were started with.
    pub start: StartDiff,
    /// How their outputs differ.
    pub output: Changes,
    /// Their tasks, those of `a` in its plan's order, then what only `b` has.
    pub tasks: Vec<TaskDiff>,
    /// The first event at which they took another course: another operation, or another outcome of it.
    pub course: Option<Divergence>,
    /// The first event at which they differ at all, in what it carries, too.
    pub first: Option<Divergence>,
}

/// One of two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// Where it stands.
    pub status: Status,
    /// The node that owns it, or wrote last.
    pub node: Option<NodeId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its code started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long its code took.
    pub execution: Option<Duration>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// How many events its log has.
    pub events: u32,
}

/// What differs in what two runs were started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartDiff {
    /// Fields: `workflow`, `version`, `namespace`, `priority`, `timeout`, `trigger`.
    pub fields: Vec<FieldDiff>,
    /// Tags, by name.
    pub metadata: Vec<FieldDiff>,
    /// Their inputs.
    pub input: Changes,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDiff {
    /// Its name.
    pub name: String,
    /// Its value in the first run.
    pub a: Option<String>,
    /// Its value in the second run.
    pub b: Option<String>,
}

/// A task of two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDiff {
    /// Its name.
    pub name: TaskName,
    /// As the first run has it.
    pub a: Option<TaskSide>,
    /// As the second run has it.
    pub b: Option<TaskSide>,
    /// How its outputs differ.
    pub output: Changes,
}

/// A task of one of two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSide {
    /// Where it stands.
    pub status: TaskStatus,
    /// How long it took, from its first attempt's start to its end.
    pub execution: Option<Duration>,
    /// How many attempts it had.
    pub attempts: usize,
    /// What its last failed attempt said.
    pub error: Option<Failure>,
}

/// Compares two runs; `None` when there is no such run.
///
/// Logs are compared operation by operation, so that tasks and steps that ran beside each other may end in any order.
///
/// # Errors
/// [`InspectError`].
pub async fn diff(store: &dyn Store, a: RunId, b: RunId) -> Result<Option<RunDiff>, InspectError> {
    let Some(a) = History::read(store, a).await? else { return Ok(None) };
    let Some(b) = History::read(store, b).await? else { return Ok(None) };
    let start = StartDiff::between(&a.state.origin, &b.state.origin);
    let (first, course) = (course::first(&a.log, &b.log), course::first_course(&a.log, &b.log));
    let view = |history: &History| RunView::new(&history.state, &history.row, &[], &[]);
    let (a, b) = (view(&a), view(&b));
    let text = |view: &RunView| view.output.as_ref().map(|output| output.text().to_owned());
    Ok(Some(RunDiff {
        start,
        output: Changes::between(text(&a).as_deref(), text(&b).as_deref()),
        tasks: tasks(&a, &b),
        course,
        first,
        a: Side::of(&a),
        b: Side::of(&b),
    }))
}

fn tasks(a: &RunView, b: &RunView) -> Vec<TaskDiff> {
    let only_b = b.tasks.iter().filter(|task| a.task(task.name.as_str()).is_none());
    let compare = |name: &TaskName| {
        let (a, b) = (a.task(name.as_str()), b.task(name.as_str()));
        let text = |task: Option<&TaskView>| Some(task?.output.as_ref()?.text().to_owned());
        let output = Changes::between(text(a).as_deref(), text(b).as_deref());
        TaskDiff { name: name.clone(), a: a.map(TaskSide::of), b: b.map(TaskSide::of), output }
    };
    a.tasks.iter().chain(only_b).map(|task| compare(&task.name)).collect()
}

impl Side {
    fn of(view: &RunView) -> Side {
        Side {
            run: view.id,
            workflow: view.workflow.clone(),
            version: view.version.clone(),
            status: view.status,
            node: view.node,
            created_at: view.created_at,
            started_at: view.started_at,
            finished_at: view.finished_at,
            execution: view.execution_time(),
            error: view.error().cloned(),
            events: view.events,
        }
    }
}

impl TaskSide {
    fn of(task: &TaskView) -> TaskSide {
        TaskSide {
            status: task.status,
            execution: task.execution_time(),
            attempts: task.attempts.len(),
            error: task.error.clone(),
        }
    }
}

impl StartDiff {
    /// Compares what two runs were started with.
    pub(super) fn between(a: &Origin, b: &Origin) -> StartDiff {
        let fields = |origin: &Origin| {
            [
                ("workflow", Some(origin.workflow.to_string())),
                ("version", Some(origin.version.to_string())),
                ("namespace", Some(origin.namespace.to_string())),
                ("priority", Some(origin.priority.to_string())),
                ("timeout", origin.timeout_ms.map(|millis| super::span::span(Duration::from_millis(millis)))),
                ("trigger", Some(trigger(&origin.trigger))),
            ]
        };
        let differing = fields(a).into_iter().zip(fields(b)).filter(|((_, a), (_, b))| a != b);
        let fields = differing.map(|((name, a), (_, b))| FieldDiff { name: name.to_owned(), a, b });
        let only_b = b.metadata.keys().filter(|name| !a.metadata.contains_key(*name));
        let tags = a.metadata.keys().chain(only_b);
        let tags = tags.map(|name| {
            let of = |origin: &Origin| origin.metadata.get(name).cloned();
            FieldDiff { name: name.clone(), a: of(a), b: of(b) }
        });
        StartDiff {
            fields: fields.collect(),
            metadata: tags.filter(|tag| tag.a != tag.b).collect(),
            input: Changes::between(Some(a.input.text()), Some(b.input.text())),
        }
    }

    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.metadata.is_empty() && self.input.is_empty()
    }
}

/// Names a trigger without its ids, which differ in any two runs.
fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Cron { schedule, .. } | Trigger::Schedule { schedule, .. } => {
            format!("{} {schedule}", trigger.kind())
        }
        Trigger::Event { key, .. } => format!("event {key}"),
        Trigger::Api { .. } | Trigger::Manual | Trigger::Parent | Trigger::Replay { .. } => {
            trigger.kind().to_owned()
        }
    }
}
