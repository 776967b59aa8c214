//! What differs between two runs.

use serde::Serialize;
use utoipa::ToSchema;

use super::{FailureBody, Sight, Time, millis};
use crate::inspect::{Changes, Divergence, FieldDiff, Passage, RunDiff, Side, StartDiff, TaskDiff, TaskSide};

/// What differs between two runs, `a` and `b`. Values are JSON texts as they stand in the log; they are left out where the
/// caller may not read payloads.
#[derive(Serialize, ToSchema)]
#[schema(as = RunDiff)]
pub(in crate::http) struct DiffBody {
    /// The first run.
    a: SideBody,
    /// The second run.
    b: SideBody,
    /// What they were started with.
    start: StartDiffBody,
    /// How their outputs differ.
    output: ChangesBody,
    /// Their tasks, those of `a` in its plan's order, then what only `b` has.
    tasks: Vec<TaskDiffBody>,
    /// The first event at which they took another course: another operation, or another outcome of it.
    course: Option<DivergenceBody>,
    /// The first event at which they differ at all.
    first: Option<DivergenceBody>,
    /// Whether one of them has values that are not shown, as `"‹redacted›"`: those are not compared, so that what looks alike may
    /// differ in them.
    redacted: bool,
}

impl DiffBody {
    pub(in crate::http) fn new(diff: &RunDiff, sight: Sight) -> DiffBody {
        let divergence = |divergence: &Divergence| DivergenceBody::new(divergence, sight);
        DiffBody {
            a: SideBody::from(&diff.a),
            b: SideBody::from(&diff.b),
            start: StartDiffBody::new(&diff.start, sight),
            output: ChangesBody::new(&diff.output, sight),
            tasks: diff.tasks.iter().map(|task| TaskDiffBody::new(task, sight)).collect(),
            course: diff.course.as_ref().map(divergence),
            first: diff.first.as_ref().map(divergence),
            redacted: diff.redacted,
        }
    }
}

/// One of two runs.
#[derive(Serialize, ToSchema)]
#[schema(as = Side)]
struct SideBody {
    /// The run.
    run: String,
    /// Its workflow.
    workflow: String,
    /// Its version.
    version: String,
    /// Where it stands.
    status: &'static str,
    /// The node that owns it, or wrote last.
    node: Option<i32>,
    /// When it was created.
    created_at: Time,
    /// When its code started.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
    /// How long its code took.
    execution_ms: Option<u64>,
    /// Why it failed.
    error: Option<FailureBody>,
    /// How many events its log has.
    events: u32,
}

impl From<&Side> for SideBody {
    fn from(side: &Side) -> SideBody {
        SideBody {
            run: side.run.to_string(),
            workflow: side.workflow.to_string(),
            version: side.version.to_string(),
            status: side.status.as_str(),
            node: side.node.map(|node| node.0),
            created_at: side.created_at.into(),
            started_at: side.started_at.map(Time),
            finished_at: side.finished_at.map(Time),
            execution_ms: side.execution.map(millis),
            error: side.error.as_ref().map(FailureBody::from),
            events: side.events,
        }
    }
}

/// What differs in what two runs were started with.
#[derive(Serialize, ToSchema)]
#[schema(as = StartDiff)]
pub(in crate::http) struct StartDiffBody {
    /// Fields: `workflow`, `version`, `namespace`, `priority`, `timeout`, `trigger`.
    fields: Vec<FieldDiffBody>,
    /// Tags, by name.
    metadata: Vec<FieldDiffBody>,
    /// Their inputs.
    input: ChangesBody,
}

impl StartDiffBody {
    pub(in crate::http) fn new(start: &StartDiff, sight: Sight) -> StartDiffBody {
        StartDiffBody {
            fields: start.fields.iter().map(FieldDiffBody::from).collect(),
            metadata: start.metadata.iter().map(FieldDiffBody::from).collect(),
            input: ChangesBody::new(&start.input, sight),
        }
    }
}

/// A field that differs.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldDiff)]
struct FieldDiffBody {
    /// Its name.
    name: String,
    /// Its value in the first run.
    a: Option<String>,
    /// Its value in the second run.
    b: Option<String>,
}

impl From<&FieldDiff> for FieldDiffBody {
    fn from(field: &FieldDiff) -> FieldDiffBody {
        FieldDiffBody { name: field.name.clone(), a: field.a.clone(), b: field.b.clone() }
    }
}

/// What differs between two JSON values.
#[derive(Serialize, ToSchema)]
#[schema(as = Changes)]
pub(in crate::http) struct ChangesBody {
    /// The first 1,000 differences.
    listed: Vec<ChangeBody>,
    /// How many there are in all.
    total: usize,
    /// Whether values stand in both that are not shown, as `"‹redacted›"`: those are not compared.
    redacted: bool,
}

/// One difference between two JSON values.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
struct ChangeBody {
    /// Where: a JSON pointer; empty for the values as a whole.
    path: String,
    /// The JSON text in the first value; null = it is not there, or not to be seen.
    before: Option<String>,
    /// The JSON text in the second value; null = it is not there, or not to be seen.
    after: Option<String>,
}

impl ChangesBody {
    pub(in crate::http) fn new(changes: &Changes, sight: Sight) -> ChangesBody {
        let listed = changes.listed.iter().map(|change| ChangeBody {
            path: change.path.clone(),
            before: change.before.clone().filter(|_| sight.payloads()),
            after: change.after.clone().filter(|_| sight.payloads()),
        });
        // Names of members are part of what users gave.
        let listed = if sight.payloads() { listed.collect() } else { Vec::new() };
        ChangesBody { listed, total: changes.total, redacted: changes.redacted }
    }
}

/// A task of two runs.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskDiff)]
struct TaskDiffBody {
    /// Its name.
    name: String,
    /// As the first run has it.
    a: Option<TaskSideBody>,
    /// As the second run has it.
    b: Option<TaskSideBody>,
    /// How its outputs differ.
    output: ChangesBody,
}

impl TaskDiffBody {
    fn new(task: &TaskDiff, sight: Sight) -> TaskDiffBody {
        TaskDiffBody {
            name: task.name.to_string(),
            a: task.a.as_ref().map(TaskSideBody::from),
            b: task.b.as_ref().map(TaskSideBody::from),
            output: ChangesBody::new(&task.output, sight),
        }
    }
}

/// A task of one of two runs.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskSide)]
struct TaskSideBody {
    /// Where it stands.
    status: &'static str,
    /// How long it took.
    execution_ms: Option<u64>,
    /// How many attempts it had.
    attempts: usize,
    /// What its last failed attempt said.
    error: Option<FailureBody>,
}

impl From<&TaskSide> for TaskSideBody {
    fn from(side: &TaskSide) -> TaskSideBody {
        TaskSideBody {
            status: side.status.as_str(),
            execution_ms: side.execution.map(millis),
            attempts: side.attempts,
            error: side.error.as_ref().map(FailureBody::from),
        }
    }
}

/// Where two logs part.
#[derive(Serialize, ToSchema)]
#[schema(as = Divergence)]
struct DivergenceBody {
    /// The first run's event; null = it has none there.
    a: Option<PassageBody>,
    /// The second run's event; null = it has none there.
    b: Option<PassageBody>,
}

impl DivergenceBody {
    fn new(divergence: &Divergence, sight: Sight) -> DivergenceBody {
        let passage = |passage: &Passage| PassageBody::new(passage, sight);
        DivergenceBody { a: divergence.a.as_ref().map(passage), b: divergence.b.as_ref().map(passage) }
    }
}

/// An event of one of two logs.
#[derive(Serialize, ToSchema)]
#[schema(as = Passage)]
struct PassageBody {
    /// Its place in its log.
    seq: u32,
    /// Its kind.
    kind: &'static str,
    /// The task it is about.
    task: Option<String>,
    /// The attempt it is about.
    attempt: Option<u32>,
    /// The operation it is about: `name#occurrence`.
    op: Option<String>,
    /// What was compared of it; null where the caller may not read payloads.
    text: Option<String>,
}

impl PassageBody {
    fn new(passage: &Passage, sight: Sight) -> PassageBody {
        PassageBody {
            seq: passage.seq,
            kind: passage.kind,
            task: passage.place.as_ref().map(|place| place.task.to_string()),
            attempt: passage.place.as_ref().map(|place| place.attempt),
            op: passage.op.as_ref().map(|op| format!("{}#{}", op.name, op.occurrence)),
            text: sight.payloads().then(|| passage.text.clone()),
        }
    }
}
