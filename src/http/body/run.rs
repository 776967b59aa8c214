//! Everything about a run.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{FailureBody, Sight, TaskBrief, Time, millis};
use crate::inspect::RunView;
use crate::model::event::{Timeout, Trigger};
use crate::model::state::{Cancel, End};
use crate::model::{Payload, Waiting};
use crate::telemetry::ids;

/// Everything about a run. Instants are the database's; null = not reached.
#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub(in crate::http) struct RunBody {
    /// Its id, a UUID of version 7.
    id: String,
    /// Whether this request created it; only in answers to a start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) created: Option<bool>,
    /// Its workflow.
    workflow: String,
    /// The version it started with.
    version: String,
    /// Whose it is.
    namespace: String,
    /// The user's own id for it.
    key: Option<String>,
    /// `QUEUED`, `RUNNING`, `SUCCEEDED`, `FAILED`, `CANCELLED` or `TIMED_OUT`; more may come.
    status: &'static str,
    /// What it waits for; empty while its code is at work.
    waiting: Vec<WaitingBody>,
    /// What it was given; left out when it is larger than 65,536 bytes or the caller may not read payloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    input: Option<Payload>,
    /// How large that is.
    input_bytes: usize,
    /// What it gave; left out when there is none, or as the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    output: Option<Payload>,
    /// How large that is; null when there is none.
    output_bytes: Option<usize>,
    /// Why it failed.
    error: Option<FailureBody>,
    /// The task that failed first.
    failed_task: Option<String>,
    /// Which timeout ended it: `start` or `run`.
    timed_out: Option<&'static str>,
    /// Who asked for its end.
    cancelled: Option<CancelBody>,
    /// Its tags.
    metadata: BTreeMap<String, String>,
    /// Higher goes first.
    priority: i16,
    /// What started it.
    trigger: TriggerBody,
    /// The run, task and operation that started it.
    parent: Option<ParentBody>,
    /// Its trace, in any OpenTelemetry backend that it is exported to.
    trace_id: String,
    /// The runs that it started, oldest first; at most 1,000.
    children: Vec<ChildBody>,
    /// Repeated attempts at its tasks, in all.
    retries: usize,
    /// How often a node took it over or woke it.
    claims: u32,
    /// The node that owns it, or wrote last.
    node: Option<i32>,
    /// When it was created.
    created_at: Time,
    /// Before when it could not start.
    queued_until: Time,
    /// When a node took it.
    assigned_at: Option<Time>,
    /// When its code started.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
    /// When it ends as TIMED_OUT.
    deadline: Option<Time>,
    /// Until when it had to start.
    start_deadline: Option<Time>,
    /// How long it may take from its start.
    timeout_ms: Option<u64>,
    /// How long it waited for its start, from when it was allowed to.
    queue_latency_ms: Option<u64>,
    /// How long its code took, from start to end.
    execution_ms: Option<u64>,
    /// Whether it is in the archive: everything about it is still here.
    archived: bool,
    /// Whether it came from another database.
    imported: bool,
    /// The runs that replay it, oldest first; at most 1,000.
    replays: Vec<ReplayBody>,
    /// How many events its log has.
    events: u32,
    /// Its tasks, in the plan's order; empty before it started.
    tasks: Vec<TaskBrief>,
}

impl RunBody {
    pub(in crate::http) fn new(run: &RunView, sight: Sight) -> RunBody {
        let input = sight.show(&run.input);
        let output = run.output.as_ref().map(|output| sight.show(output));
        let output_bytes = output.as_ref().map(|output| output.bytes);
        RunBody {
            id: run.id.to_string(),
            created: None,
            workflow: run.workflow.to_string(),
            version: run.version.to_string(),
            namespace: run.namespace.to_string(),
            key: run.key.as_ref().map(ToString::to_string),
            status: run.status.as_str(),
            waiting: run.waiting.iter().map(WaitingBody::from).collect(),
            input: input.value,
            input_bytes: input.bytes,
            output: output.and_then(|output| output.value),
            output_bytes,
            error: run.error().map(FailureBody::from),
            failed_task: failed_task(run),
            timed_out: timed_out(run),
            cancelled: CancelBody::of(run),
            metadata: run.metadata.clone(),
            priority: run.priority,
            trigger: TriggerBody::new(&run.trigger, sight),
            parent: run.parent.as_ref().map(|parent| ParentBody {
                run: parent.run.to_string(),
                task: parent.task.to_string(),
                op: format!("{}#{}", parent.op.name, parent.op.occurrence),
                depth: parent.depth,
            }),
            trace_id: ids::run(run.id, run.trace.as_ref()).trace_id.to_string(),
            children: run.children.iter().map(ChildBody::from).collect(),
            retries: run.retries,
            claims: run.claims,
            node: run.node.map(|node| node.0),
            created_at: run.created_at.into(),
            queued_until: run.queued_until.into(),
            assigned_at: run.assigned_at.map(Time),
            started_at: run.started_at.map(Time),
            finished_at: run.finished_at.map(Time),
            deadline: run.deadline.map(Time),
            start_deadline: run.start_deadline.map(Time),
            timeout_ms: run.timeout.map(millis),
            queue_latency_ms: run.queue_latency().map(millis),
            execution_ms: run.execution_time().map(millis),
            archived: run.archived,
            imported: run.imported,
            replays: run.replays.iter().map(ReplayBody::from).collect(),
            events: run.events,
            tasks: run.tasks.iter().map(TaskBrief::from).collect(),
        }
    }
}

fn failed_task(run: &RunView) -> Option<String> {
    match &run.end {
        Some(End::Failed { task, .. }) => task.as_ref().map(ToString::to_string),
        Some(End::Cancelled { .. } | End::TimedOut { .. }) | None => None,
    }
}

fn timed_out(run: &RunView) -> Option<&'static str> {
    match &run.end {
        Some(End::TimedOut { timeout: Timeout::Start, .. }) => Some("start"),
        Some(End::TimedOut { timeout: Timeout::Run, .. }) => Some("run"),
        Some(End::Failed { .. } | End::Cancelled { .. }) | None => None,
    }
}

/// Who asked for a run's end.
#[derive(Serialize, ToSchema)]
#[schema(as = Cancel)]
struct CancelBody {
    /// Who.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
    /// When it was accepted; null when the run was not running.
    at: Option<Time>,
    /// When its code is aborted; null when the run was not running.
    abort_at: Option<Time>,
}

impl CancelBody {
    fn of(run: &RunView) -> Option<CancelBody> {
        let at = run.cancel.as_ref();
        let (by, reason) = match (at, &run.end) {
            (_, Some(End::Cancelled { by, reason })) | (Some(Cancel { by, reason, .. }), _) => (by, reason),
            (None, _) => return None,
        };
        Some(CancelBody {
            by: by.clone(),
            reason: reason.clone(),
            at: at.map(|cancel| cancel.at.into()),
            abort_at: at.map(|cancel| cancel.abort_at.into()),
        })
    }
}

/// One thing that a run waits for. The members besides `kind` and `text` depend on the kind.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = Waiting)]
pub(in crate::http) struct WaitingBody {
    /// `start`, `node`, `serving`, `slot`, `paused`, `limit`, `quiet`, `signal`, `timer`, `retry`, `child`,
    /// `condition`, `cancellation` or `blocked`; more may come.
    kind: &'static str,
    /// The same for people.
    text: String,
    /// Until when: the latest for `signal` and `cancellation`, the earliest for `limit` and `quiet`, exactly for the others.
    until: Option<Time>,
    /// The signal's, sleep's, task's or limit's name.
    name: Option<String>,
    /// The signal's key; absent = it is sent to the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The child run.
    run: Option<String>,
    /// How many nodes serve the workflow.
    nodes: Option<u32>,
    /// Who paused the workflow.
    by: Option<String>,
}

impl From<&Waiting> for WaitingBody {
    fn from(waiting: &Waiting) -> WaitingBody {
        let text = waiting.to_string();
        let of = |kind| WaitingBody { kind, text, ..WaitingBody::default() };
        match waiting {
            Waiting::Start { at } => WaitingBody { until: Some(Time(*at)), ..of("start") },
            Waiting::Node => of("node"),
            Waiting::Serving { .. } => of("serving"),
            Waiting::Slot { nodes } => WaitingBody { nodes: Some(*nodes), ..of("slot") },
            Waiting::Limit { name, until, .. } => {
                WaitingBody { name: Some(name.clone()), until: until.map(Time), ..of("limit") }
            }
            Waiting::Quiet { name, until, .. } => {
                WaitingBody { name: Some(name.clone()), until: Some(Time(*until)), ..of("quiet") }
            }
            Waiting::Paused { by, .. } => WaitingBody { by: by.clone(), ..of("paused") },
            Waiting::Signal { name, key, deadline } => WaitingBody {
                name: Some(name.to_string()),
                key: key.as_ref().map(ToString::to_string),
                until: deadline.map(Time),
                ..of("signal")
            },
            Waiting::Timer { op, until } => {
                WaitingBody { name: Some(op.name.to_string()), until: Some(Time(*until)), ..of("timer") }
            }
            Waiting::Retry { task, at } => {
                WaitingBody { name: Some(task.to_string()), until: Some(Time(*at)), ..of("retry") }
            }
            Waiting::Child { run } => WaitingBody { run: Some(run.to_string()), ..of("child") },
            Waiting::Condition { task, until, .. } => {
                WaitingBody { name: Some(task.to_string()), until: until.map(Time), ..of("condition") }
            }
            Waiting::Cancellation { abort_at } => {
                WaitingBody { until: Some(Time(*abort_at)), ..of("cancellation") }
            }
            Waiting::Blocked { .. } => of("blocked"),
        }
    }
}

/// What started a run. The members besides `kind` depend on the kind.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = Trigger)]
struct TriggerBody {
    /// `manual`, `api`, `cron`, `schedule`, `event`, `parent` or `replay`; more may come.
    kind: &'static str,
    /// Whose credential it was.
    by: Option<String>,
    /// The schedule's name.
    schedule: Option<String>,
    /// Which occurrence of the schedule.
    due: Option<Time>,
    /// The trigger event's id.
    event: Option<String>,
    /// The trigger event's key.
    key: Option<String>,
    /// The trigger event's payload; left out as a run's input is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    payload: Option<Payload>,
    /// The run that this one replays.
    of: Option<String>,
    /// Why it is replayed.
    reason: Option<String>,
    /// From where it runs anew: `failed`, `start` or `task`.
    from: Option<&'static str>,
    /// From which task.
    task: Option<String>,
}

impl TriggerBody {
    fn new(trigger: &Trigger, sight: Sight) -> TriggerBody {
        let of = TriggerBody { kind: trigger.kind(), ..TriggerBody::default() };
        match trigger {
            Trigger::Manual | Trigger::Parent => of,
            Trigger::Api { by } => TriggerBody { by: by.clone(), ..of },
            Trigger::Cron { schedule, due, by } => {
                let (schedule, due) = (Some(schedule.clone()), Some(Time(*due)));
                TriggerBody { schedule, due, by: by.clone(), ..of }
            }
            Trigger::Schedule { schedule, due, by } => {
                TriggerBody { schedule: Some(schedule.clone()), due: due.map(Time), by: by.clone(), ..of }
            }
            Trigger::Event { id, key, payload } => TriggerBody {
                event: Some(id.clone()),
                key: Some(key.clone()),
                payload: sight.show(payload).value,
                ..of
            },
            Trigger::Replay { of: original, by, reason, from, .. } => {
                let (from, task) = from.as_ref().map(super::from_where).unzip();
                TriggerBody {
                    of: Some(original.to_string()),
                    by: by.clone(),
                    reason: reason.clone(),
                    from,
                    task: task.flatten(),
                    ..of
                }
            }
        }
    }
}

/// Where a child run belongs.
#[derive(Serialize, ToSchema)]
#[schema(as = Parent)]
struct ParentBody {
    /// The parent run.
    run: String,
    /// The parent's task.
    task: String,
    /// The operation in that task that waits for the child: `name#occurrence`.
    op: String,
    /// How many runs stand above it, from 1.
    depth: u32,
}

/// A run that another one started.
#[derive(Serialize, ToSchema)]
#[schema(as = Child)]
struct ChildBody {
    /// Its id.
    id: String,
    /// Its workflow.
    workflow: String,
    /// Where it stands.
    status: &'static str,
}

impl From<&(crate::model::RunId, crate::model::WorkflowName, crate::model::Status)> for ChildBody {
    fn from(
        (run, workflow, status): &(crate::model::RunId, crate::model::WorkflowName, crate::model::Status),
    ) -> Self {
        ChildBody { id: run.to_string(), workflow: workflow.to_string(), status: status.as_str() }
    }
}

/// A run that replays this one.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayOf)]
struct ReplayBody {
    /// Its id.
    id: String,
    /// Where it stands.
    status: &'static str,
}

impl From<&(crate::model::RunId, crate::model::Status)> for ReplayBody {
    fn from((run, status): &(crate::model::RunId, crate::model::Status)) -> ReplayBody {
        ReplayBody { id: run.to_string(), status: status.as_str() }
    }
}
