//! What lists show.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Time, millis};
use crate::inspect::{Page as Found, TaskRow, Window};
use crate::model::RunSummary;
use crate::store::{FailureGroup, RunCount};

/// A page of a list, the newest first. Rows that come meanwhile never move its pages.
#[derive(Serialize, ToSchema)]
#[schema(as = Listed)]
pub(in crate::http) struct ListBody<T> {
    /// The rows.
    data: Vec<T>,
    /// What the next page is asked for with; null = this is the last one.
    next: Option<String>,
    /// When what was searched was created.
    window: WindowBody,
    /// Set when the page is short because enough was looked at: up to when. The next page goes on from there; a closer
    /// filter finds more at once.
    searched_to: Option<Time>,
    /// How many there are; only with `count=capped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) count: Option<u64>,
    /// Whether there are more than were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) count_capped: Option<bool>,
}

impl<T> ListBody<T> {
    pub(in crate::http) fn new<R>(page: &Found<R>) -> ListBody<T>
    where
        T: for<'a> From<&'a R>,
    {
        ListBody {
            data: page.data.iter().map(T::from).collect(),
            next: page.next.clone(),
            window: WindowBody::from(page.window),
            searched_to: page.searched_to.map(Time),
            count: None,
            count_capped: None,
        }
    }
}

/// When what was searched was created.
#[derive(Serialize, ToSchema)]
#[schema(as = Window)]
pub(in crate::http) struct WindowBody {
    /// From then on; null = since ever.
    since: Option<Time>,
    /// Before; null = until now.
    until: Option<Time>,
}

impl From<Window> for WindowBody {
    fn from(window: Window) -> WindowBody {
        WindowBody { since: window.since.map(Time), until: window.until.map(Time) }
    }
}

/// One listed run: no payload. Instants are the database's; null = not reached, or not known.
#[derive(Serialize, ToSchema)]
#[schema(as = RunBrief)]
pub(in crate::http) struct RunBrief {
    /// Its id.
    id: String,
    /// Its workflow.
    workflow: String,
    /// The version it started with.
    version: String,
    /// Whose it is.
    namespace: String,
    /// The user's own id for it.
    key: Option<String>,
    /// Where it stands.
    status: &'static str,
    /// Whether it waits, written down, and no node holds it.
    parked: bool,
    /// Whether it is in the archive: everything about it is still here.
    archived: bool,
    /// What started it.
    trigger: Option<TriggerBrief>,
    /// The run that started it.
    parent: Option<String>,
    /// The node that holds it, or ended it.
    node: Option<i32>,
    /// When it is due, while nobody holds it.
    wake_at: Option<Time>,
    /// When it ends as TIMED_OUT.
    deadline: Option<Time>,
    /// When it was created.
    created_at: Time,
    /// When its code started.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
    /// How long its code took.
    execution_ms: Option<u64>,
    /// Its tags.
    metadata: BTreeMap<String, String>,
    /// Why it failed or timed out.
    failure: Option<FailureBrief>,
}

/// What started a listed run.
#[derive(Serialize, ToSchema)]
#[schema(as = TriggerBrief)]
struct TriggerBrief {
    /// `manual`, `api`, `cron`, `schedule`, `event`, `parent` or `replay`; more may come.
    kind: String,
    /// The trigger event's id.
    event: Option<String>,
    /// The trigger event's key, or the schedule's name.
    key: Option<String>,
    /// The run that it replays.
    of: Option<String>,
}

/// Why a listed run failed.
#[derive(Serialize, ToSchema)]
#[schema(as = FailureBrief)]
struct FailureBrief {
    /// The task that failed first.
    task: Option<String>,
    /// The kind of its error, or of the timeout.
    kind: String,
    /// What it said, cut after 1,024 bytes.
    message: String,
    /// Where.
    location: Option<String>,
    /// Equal for equal failures: `fp:…` finds them.
    fingerprint: String,
    /// The run below it that failed first.
    caused_by: Option<String>,
}

impl From<&RunSummary> for RunBrief {
    fn from(run: &RunSummary) -> RunBrief {
        let trigger = run.trigger.as_ref().map(|trigger| TriggerBrief {
            kind: trigger.kind.clone(),
            event: trigger.id.clone(),
            key: trigger.key.clone(),
            of: trigger.replay_of.map(|of| of.to_string()),
        });
        let failure = run.failure.as_ref().map(|failure| FailureBrief {
            task: failure.task.as_ref().map(ToString::to_string),
            kind: failure.kind.clone(),
            message: failure.message.clone(),
            location: failure.location.clone(),
            fingerprint: failure.fingerprint.clone(),
            caused_by: failure.caused_by.map(|run| run.to_string()),
        });
        RunBrief {
            id: run.run.to_string(),
            workflow: run.workflow.to_string(),
            version: run.version.to_string(),
            namespace: run.namespace.to_string(),
            key: run.key.as_ref().map(ToString::to_string),
            status: run.status.as_str(),
            parked: run.parked,
            archived: run.archived,
            trigger,
            parent: run.parent.map(|parent| parent.to_string()),
            node: run.node.map(|node| node.0),
            wake_at: run.wake_at.map(Time),
            deadline: run.deadline_at.map(Time),
            created_at: run.created_at().into(),
            started_at: run.started_at.map(Time),
            finished_at: run.finished_at.map(Time),
            execution_ms: run.execution_time().map(millis),
            metadata: run.metadata.clone(),
            failure,
        }
    }
}

/// One listed task: no payload.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskRow)]
pub(in crate::http) struct TaskRowBody {
    /// Its run.
    run: String,
    /// The run's workflow.
    workflow: String,
    /// The run's version.
    version: String,
    /// Where the run stands.
    run_status: &'static str,
    /// The task.
    name: String,
    /// Where it stands.
    status: &'static str,
    /// How many attempts were made.
    attempts: u32,
    /// When it could begin.
    queued_until: Option<Time>,
    /// When its first attempt began.
    started_at: Option<Time>,
    /// When its last attempt ended for good.
    finished_at: Option<Time>,
    /// The kind of its last attempt's failure.
    error_kind: Option<String>,
    /// What that said.
    error_message: Option<String>,
}

impl From<&TaskRow> for TaskRowBody {
    fn from(task: &TaskRow) -> TaskRowBody {
        TaskRowBody {
            run: task.run.to_string(),
            workflow: task.workflow.to_string(),
            version: task.version.to_string(),
            run_status: task.run_status.as_str(),
            name: task.name.to_string(),
            status: task.status.as_str(),
            attempts: task.attempts,
            queued_until: task.queued_until.map(Time),
            started_at: task.started_at.map(Time),
            finished_at: task.finished_at.map(Time),
            error_kind: task.error_kind.clone(),
            error_message: task.error_message.clone(),
        }
    }
}

/// Runs that failed for the same cause.
#[derive(Serialize, ToSchema)]
#[schema(as = FailureGroup)]
pub(in crate::http) struct GroupBody {
    /// What they share: `fp:…` finds them.
    fingerprint: String,
    /// How many.
    count: u64,
    /// Their workflow.
    workflow: String,
    /// The task that failed first.
    task: Option<String>,
    /// The kind of the failure.
    kind: String,
    /// What the newest one said, cut.
    message: String,
    /// Where it happened.
    location: Option<String>,
    /// When the first of them ended.
    first: Time,
    /// When the last of them ended.
    last: Time,
    /// The newest of them.
    newest: String,
}

impl From<&FailureGroup> for GroupBody {
    fn from(group: &FailureGroup) -> GroupBody {
        GroupBody {
            fingerprint: group.fingerprint.clone(),
            count: group.count,
            workflow: group.workflow.to_string(),
            task: group.task.as_ref().map(ToString::to_string),
            kind: group.kind.clone(),
            message: group.message.clone(),
            location: group.location.clone(),
            first: group.first.into(),
            last: group.last.into(),
            newest: group.newest.to_string(),
        }
    }
}

/// How many runs there are.
#[derive(Serialize, ToSchema)]
#[schema(as = Stats)]
pub(in crate::http) struct StatsBody {
    /// By status; a status without a run has no member.
    by_status: BTreeMap<String, u64>,
    /// In all.
    total: u64,
    /// Whether there are more: the newest 10,000 were counted.
    capped: bool,
}

impl From<&RunCount> for StatsBody {
    fn from(count: &RunCount) -> StatsBody {
        let by_status = count.by_status.iter().map(|(status, runs)| (status.as_str().to_owned(), *runs));
        StatsBody { by_status: by_status.collect(), total: count.total(), capped: count.capped }
    }
}
