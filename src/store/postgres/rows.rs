//! From rows to the domain's types. A bad value is named with its table, column and row, never mapped.

use std::num::TryFromIntError;

use sqlx::types::Uuid;

use crate::model::event::{CodecError, Place};
use crate::model::{
    Event, Key, Message, MessageId, Namespace, NodeId, Recorded, RunId, TaskName, Timestamp, Version,
    WorkflowName,
};
use crate::store::{RawEvent, RunRow, StoreError};

/// A row of `runlog.runs`.
pub(super) struct RunRecord {
    pub(super) id: Uuid,
    pub(super) namespace: String,
    pub(super) workflow: String,
    pub(super) version: String,
    pub(super) key: Option<String>,
    pub(super) status: String,
    pub(super) priority: i16,
    pub(super) owner: Option<i32>,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) deadline_at: Option<Timestamp>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) parent: Option<Uuid>,
    pub(super) mail: i32,
    pub(super) claimed_at: Option<Timestamp>,
    pub(super) claims: i32,
    pub(super) deaths: i16,
    pub(super) archived_at: Option<Timestamp>,
    pub(super) imported: bool,
}

impl TryFrom<RunRecord> for RunRow {
    type Error = StoreError;

    fn try_from(record: RunRecord) -> Result<RunRow, StoreError> {
        let corrupt = |column, message| corrupt("runlog.runs", column, &record.id, message);
        let parent = record.parent.map(|parent| run_id("runlog.runs", "parent", parent)).transpose()?;
        Ok(RunRow {
            run: run_id("runlog.runs", "id", record.id)?,
            namespace: Namespace::recorded(&record.namespace),
            workflow: WorkflowName::recorded(&record.workflow),
            version: Version::recorded(&record.version),
            key: record.key.as_deref().map(Key::recorded),
            status: record.status.parse().map_err(|unknown| corrupt("status", format!("{unknown}")))?,
            priority: record.priority,
            owner: record.owner.map(NodeId),
            wake_at: record.wake_at,
            deadline_at: record.deadline_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            parent,
            mail_seen: record.mail,
            claimed_at: record.claimed_at,
            claims: record.claims,
            deaths: record.deaths,
            archived_at: record.archived_at,
            imported: record.imported,
        })
    }
}

/// A row of `runlog.events`.
pub(super) struct EventRecord {
    pub(super) run_id: Uuid,
    pub(super) seq: i32,
    pub(super) kind: String,
    pub(super) schema_version: i16,
    pub(super) time: Timestamp,
    pub(super) node: Option<i32>,
    pub(super) task: Option<String>,
    pub(super) attempt: Option<i32>,
    pub(super) payload: String,
}

impl TryFrom<EventRecord> for Recorded {
    type Error = StoreError;

    fn try_from(record: EventRecord) -> Result<Recorded, StoreError> {
        let row = format!("({}, {})", record.run_id, record.seq);
        let corrupt = |column, message: String| corrupt("runlog.events", column, &row, message);
        let place = match (&record.task, record.attempt) {
            (Some(task), Some(attempt)) => {
                let attempt =
                    u32::try_from(attempt).map_err(|error| corrupt("attempt", error.to_string()))?;
                Some(Place { task: TaskName::recorded(task), attempt })
            }
            (None, _) | (_, None) => None,
        };
        let event = Event::decode(&record.kind, record.schema_version, place, &record.payload);
        Ok(Recorded {
            seq: u32::try_from(record.seq).map_err(|error| corrupt("seq", error.to_string()))?,
            at: record.time,
            node: record.node.map(NodeId),
            event: event.map_err(|error| corrupt(column_of(&error), error.to_string()))?,
        })
    }
}

impl TryFrom<EventRecord> for RawEvent {
    type Error = StoreError;

    fn try_from(record: EventRecord) -> Result<RawEvent, StoreError> {
        let row = format!("({}, {})", record.run_id, record.seq);
        let corrupt =
            |column, error: TryFromIntError| corrupt("runlog.events", column, &row, error.to_string());
        let attempt = record.attempt.map(u32::try_from).transpose();
        Ok(RawEvent {
            seq: u32::try_from(record.seq).map_err(|error| corrupt("seq", error))?,
            kind: record.kind,
            schema_version: record.schema_version,
            time: record.time,
            node: record.node.map(NodeId),
            task: record.task,
            attempt: attempt.map_err(|error| corrupt("attempt", error))?,
            payload: record.payload,
        })
    }
}

fn column_of(error: &CodecError) -> &'static str {
    match error {
        CodecError::UnknownKind { .. } => "kind",
        CodecError::UnknownVersion { .. } => "schema_version",
        CodecError::NoPlace { .. } => "task",
        _ => "payload",
    }
}

/// A row of `runlog.inbox`.
pub(super) struct MessageRecord {
    pub(super) run_id: Uuid,
    pub(super) id: i64,
    pub(super) body: String,
    pub(super) sent_at: Timestamp,
}

impl TryFrom<MessageRecord> for Message {
    type Error = StoreError;

    fn try_from(record: MessageRecord) -> Result<Message, StoreError> {
        let body = serde_json::from_str(&record.body);
        let body = body.map_err(|error| corrupt("runlog.inbox", "body", &record.id, error.to_string()))?;
        Ok(Message { id: MessageId(record.id), sent_at: record.sent_at, body })
    }
}

/// Takes an id that the database returned.
pub(super) fn run_id(table: &'static str, column: &'static str, id: Uuid) -> Result<RunId, StoreError> {
    RunId::from_uuid(id).ok_or_else(|| corrupt(table, column, &id, "it is no UUIDv7".to_owned()))
}

/// Takes ids of `runlog.runs`.
pub(super) fn run_ids(ids: Vec<Uuid>) -> Result<Vec<RunId>, StoreError> {
    ids.into_iter().map(|id| run_id("runlog.runs", "id", id)).collect()
}

/// A stored value that cannot be read.
pub(super) fn corrupt(
    table: &'static str,
    column: &'static str,
    row: &impl ToString,
    message: String,
) -> StoreError {
    StoreError::Corrupt { table, column, row: row.to_string(), message }
}
