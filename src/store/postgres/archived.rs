//! Runs in the archive: as questions about single runs find them, and as an import puts them there.

use sqlx::PgConnection;

use super::errors::classify;
use super::rows::{RunRecord, corrupt};
use crate::model::{FailureSummary, Recorded, RunId, RunState, Status, TriggerSummary};
use crate::store::{RawEvent, RunRow, StoreError};

/// Bytes of payloads in one part of an archived log: what is unpacked and read at once. Nearly every log has one part.
pub(super) const PART_BYTES: i32 = 1 << 20;

/// Parts that one question reads.
const PARTS_MAX: i64 = 4;

pub(super) async fn row(connection: &mut PgConnection, run: RunId) -> Result<Option<RunRow>, StoreError> {
    let row = sqlx::query_file_as!(RunRecord, "src/store/postgres/sql/archived_row.sql", run.uuid());
    let row = row.fetch_optional(connection).await.map_err(classify)?;
    row.map(RunRow::try_from).transpose()
}

/// Says how an archived run ended; `None` when there is none of that id.
pub(super) async fn status(connection: &mut PgConnection, run: RunId) -> Result<Option<Status>, StoreError> {
    Ok(row(connection, run).await?.map(|row| row.status))
}

/// Reads at most `limit` lines of an archived log, those after seq `after`.
pub(super) async fn raw_log(
    connection: &mut PgConnection,
    run: RunId,
    after: u32,
    limit: u32,
) -> Result<Vec<RawEvent>, StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut lines: Vec<RawEvent> = Vec::new();
    let mut last = after;
    loop {
        let after = i32::try_from(last).unwrap_or(i32::MAX);
        let parts =
            sqlx::query_file_scalar!("src/store/postgres/sql/archived_log.sql", run.uuid(), after, PARTS_MAX);
        let parts = parts.fetch_all(&mut *connection).await.map_err(classify)?;
        let before = lines.len();
        for line in parts.iter().flat_map(|part| part.lines()) {
            let line: RawEvent = serde_json::from_str(line).map_err(|error| unreadable(run, error))?;
            if line.seq > last && lines.len() < limit {
                last = line.seq;
                lines.push(line);
            }
        }
        if lines.len() == before || lines.len() >= limit {
            return Ok(lines);
        }
    }
}

/// As [`raw_log`], read.
pub(super) async fn log(
    connection: &mut PgConnection,
    run: RunId,
    after: u32,
    limit: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let lines = raw_log(connection, run, after, limit).await?;
    lines.iter().map(|line| line.decode().map_err(|error| unreadable(run, error))).collect()
}

fn unreadable(run: RunId, error: impl ToString) -> StoreError {
    corrupt("runlog.archived_runs", "log", &run, error.to_string())
}

/// Puts a run that ended elsewhere into the archive; says whether its id was free.
pub(super) async fn import(
    connection: &mut PgConnection,
    state: &RunState,
    log: &[RawEvent],
) -> Result<bool, StoreError> {
    let parts = Parts::of(log)?;
    let count = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    let metadata = (!state.origin.metadata.is_empty()).then(|| serde_json::to_string(&state.origin.metadata));
    let metadata =
        metadata.transpose().map_err(|error| StoreError::Refused { message: error.to_string() })?;
    let trigger = TriggerSummary::from(&state.origin.trigger);
    let last = log.last().map(RawEvent::decode).transpose().map_err(|error| unreadable(state.id, error))?;
    let failure = last.and_then(|last| FailureSummary::of(state, &[last.event]));
    let imported = sqlx::query_file_scalar!(
        "src/store/postgres/sql/import.sql",
        state.id.uuid(),
        state.origin.namespace.as_str(),
        state.origin.workflow.as_str(),
        state.origin.version.as_str(),
        state.origin.key.as_ref().map(|key| key.as_str()),
        state.status.as_str(),
        state.origin.priority,
        state.origin.created_at,
        state.started_at,
        state.finished_at,
        count(state.claims.into()),
        state.origin.parent.as_ref().map(|parent| parent.run.uuid()),
        metadata,
        count(log.len() as u64),
        parts.first_seqs.as_slice() as _,
        parts.last_seqs.as_slice() as _,
        parts.logs.as_slice() as _,
        trigger.kind,
        trigger.id,
        trigger.key,
        trigger.replay_of.map(RunId::uuid),
        state.node.map(|node| node.0),
        failure.as_ref().and_then(|failure| failure.task.as_ref()).map(|task| task.as_str()),
        failure.as_ref().map(|failure| failure.kind.as_str()),
        failure.as_ref().map(|failure| failure.message.as_str()),
        failure.as_ref().and_then(|failure| failure.location.as_deref()),
        failure.as_ref().map(|failure| failure.fingerprint.as_str()),
        failure.as_ref().and_then(|failure| failure.caused_by).map(RunId::uuid),
    );
    imported.fetch_one(connection).await.map_err(classify)
}

/// A log, cut into parts as the archive keeps them.
#[derive(Default)]
struct Parts {
    first_seqs: Vec<i32>,
    last_seqs: Vec<i32>,
    logs: Vec<String>,
}

impl Parts {
    fn of(log: &[RawEvent]) -> Result<Parts, StoreError> {
        let part_bytes = usize::try_from(PART_BYTES).unwrap_or(usize::MAX);
        let mut parts = Parts::default();
        let mut bytes = part_bytes;
        for line in log {
            let seq = i32::try_from(line.seq)
                .map_err(|_| StoreError::Refused { message: format!("seq {} is too large", line.seq) })?;
            let json = serde_json::to_string(line)
                .map_err(|error| StoreError::Bug { message: format!("a line as JSON: {error}") })?;
            if bytes >= part_bytes {
                bytes = 0;
                parts.first_seqs.push(seq);
                parts.last_seqs.push(seq);
                parts.logs.push(json);
            } else if let (Some(last_seq), Some(part)) = (parts.last_seqs.last_mut(), parts.logs.last_mut()) {
                *last_seq = seq;
                part.push('\n');
                part.push_str(&json);
            }
            bytes += line.payload.len();
        }
        Ok(parts)
    }
}
