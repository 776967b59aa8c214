//! Rows of runs as lists show them.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::errors::classify;
use super::rows::{corrupt, run_id, run_ids};
use crate::model::limits::COUNT_MAX;
use crate::model::{
    FailureSummary, Key, Namespace, NodeId, RunId, RunSummary, Status, TaskName, Timestamp, TriggerSummary,
    Version, WorkflowName,
};
use crate::store::{Alike, StoreError};

pub(super) async fn summaries(
    connection: &mut PgConnection,
    runs: &[RunId],
) -> Result<Vec<RunSummary>, StoreError> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    let rows =
        sqlx::query_file_as!(SummaryRecord, "src/store/postgres/sql/summaries.sql", ids.as_slice() as _);
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    rows.into_iter().map(RunSummary::try_from).collect()
}

pub(super) async fn alike(
    connection: &mut PgConnection,
    run: RunId,
    named: u32,
) -> Result<Option<Alike>, StoreError> {
    let row = sqlx::query_file!(
        "src/store/postgres/sql/alike.sql",
        run.uuid(),
        i64::from(COUNT_MAX),
        i32::try_from(named).unwrap_or(i32::MAX)
    );
    let Some(row) = row.fetch_optional(connection).await.map_err(classify)? else { return Ok(None) };
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let (all, day) = (count(row.all), count(row.day));
    Ok(Some(Alike { fingerprint: row.fingerprint, all, day, newest: run_ids(row.newest)? }))
}

/// A row of `runlog.runs` or `runlog.archived_runs`, as far as lists show it.
#[derive(sqlx::FromRow)]
pub(super) struct SummaryRecord {
    pub(super) id: Uuid,
    pub(super) namespace: String,
    pub(super) workflow: String,
    pub(super) version: String,
    pub(super) key: Option<String>,
    pub(super) status: String,
    pub(super) owner: Option<i32>,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) deadline_at: Option<Timestamp>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) parent: Option<Uuid>,
    pub(super) metadata: Option<String>,
    pub(super) trigger: Option<String>,
    pub(super) trigger_id: Option<String>,
    pub(super) trigger_key: Option<String>,
    pub(super) replay_of: Option<Uuid>,
    pub(super) node: Option<i32>,
    pub(super) failed_task: Option<String>,
    pub(super) error_kind: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) error_location: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) caused_by: Option<Uuid>,
    pub(super) archived: bool,
}

impl TryFrom<SummaryRecord> for RunSummary {
    type Error = StoreError;

    fn try_from(mut record: SummaryRecord) -> Result<RunSummary, StoreError> {
        let table = if record.archived { "runlog.archived_runs" } else { "runlog.runs" };
        let corrupt = |column, message| corrupt(table, column, &record.id, message);
        let run = run_id(table, "id", record.id)?;
        let status: Status =
            record.status.parse().map_err(|unknown| corrupt("status", format!("{unknown}")))?;
        let metadata: Option<BTreeMap<String, String>> = record
            .metadata
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| corrupt("metadata", error.to_string()))?;
        let linked = |column, id: Option<Uuid>| id.map(|id| run_id(table, column, id)).transpose();
        let parent = linked("parent", record.parent)?;
        let (replay_of, caused_by) =
            (linked("replay_of", record.replay_of)?, linked("caused_by", record.caused_by)?);
        let failure = record.failure(caused_by);
        let trigger = record.trigger.map(|kind| TriggerSummary {
            kind,
            id: record.trigger_id,
            key: record.trigger_key,
            replay_of,
        });
        Ok(RunSummary {
            run,
            namespace: Namespace::recorded(&record.namespace),
            workflow: WorkflowName::recorded(&record.workflow),
            version: Version::recorded(&record.version),
            key: record.key.as_deref().map(Key::recorded),
            status,
            parked: status == Status::Running && record.owner.is_none(),
            archived: record.archived,
            trigger,
            parent,
            node: record.owner.or(record.node).map(NodeId),
            wake_at: record.wake_at,
            deadline_at: record.deadline_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            metadata: metadata.unwrap_or_default(),
            failure,
        })
    }
}

impl SummaryRecord {
    /// Takes out why the run failed.
    fn failure(&mut self, caused_by: Option<RunId>) -> Option<FailureSummary> {
        Some(FailureSummary {
            kind: self.error_kind.take()?,
            task: self.failed_task.as_deref().map(TaskName::recorded),
            message: self.error_message.take().unwrap_or_default(),
            location: self.error_location.take(),
            fingerprint: self.fingerprint.take().unwrap_or_default(),
            caused_by,
        })
    }
}
