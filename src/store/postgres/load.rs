//! Runs with their logs, as their new owner reads them.

use std::collections::HashMap;

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::errors::classify;
use super::mail;
use super::rows::{EventRecord, RunRecord};
use crate::model::snapshot::{self, FORMAT};
use crate::model::{Message, Recorded, RunId, RunState};
use crate::store::{Loaded, RunRow, StoreError};

/// Reads the rows before the inboxes, so that no count of messages includes one that the inbox lacks.
pub(super) async fn load(connection: &mut PgConnection, runs: &[RunId]) -> Result<Vec<Loaded>, StoreError> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    let rows = sqlx::query_file_as!(RunRecord, "src/store/postgres/sql/rows.sql", ids.as_slice() as _);
    let rows = rows.fetch_all(&mut *connection).await.map_err(classify)?;
    let mut snapshots = snapshots(connection, &ids).await?;
    let mut logs = logs(connection, &ids, &snapshots).await?;
    let mut inboxes = mail::messages(connection, &ids).await?;
    let loaded = rows.into_iter().filter_map(|record| {
        let id = record.id;
        let unreadable =
            |error| tracing::error!(run = %id, %error, "the run is quarantined: its row cannot be read");
        let row = RunRow::try_from(record).map_err(unreadable).ok()?;
        let snapshot = snapshots.remove(&id);
        let log = logs.remove(&id).unwrap_or_else(|| Ok(Vec::new()));
        let inbox: Result<Vec<Message>, StoreError> = inboxes.remove(&id).unwrap_or_else(|| Ok(Vec::new()));
        // A message nobody can read stops this run, like an event nobody can read; not the others.
        let (log, inbox) = match inbox {
            Ok(inbox) => (log, inbox),
            Err(unreadable) => (log.and(Err(unreadable.to_string())), Vec::new()),
        };
        Some(Loaded { row, snapshot, log, inbox })
    });
    Ok(loaded.collect())
}

/// Reads the snapshots of runs; those that cannot be read are left out.
async fn snapshots(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, RunState>, StoreError> {
    let rows = sqlx::query_file!("src/store/postgres/sql/snapshots.sql", ids as _);
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let states = rows.into_iter().filter_map(|row| {
        let run = RunId::from_uuid(row.run_id)?;
        let state = snapshot::read(run, u32::try_from(row.seq).ok()?, row.format, &row.bytes)?;
        Some((row.run_id, state))
    });
    Ok(states.collect())
}

type Logs = HashMap<Uuid, Result<Vec<Recorded>, String>>;

/// Reads the logs of runs, each after its snapshot.
async fn logs(
    connection: &mut PgConnection,
    ids: &[Uuid],
    snapshots: &HashMap<Uuid, RunState>,
) -> Result<Logs, StoreError> {
    let after = |id: &Uuid| snapshots.get(id).map_or(0, |state| i32::try_from(state.seq).unwrap_or(i32::MAX));
    let after: Vec<i32> = ids.iter().map(after).collect();
    let rows =
        sqlx::query_file_as!(EventRecord, "src/store/postgres/sql/logs.sql", ids as _, after.as_slice() as _);
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let mut logs = Logs::with_capacity(ids.len());
    for record in rows {
        let log = logs.entry(record.run_id).or_insert_with(|| Ok(Vec::new()));
        let Ok(events) = log else { continue };
        match Recorded::try_from(record) {
            Ok(event) => events.push(event),
            Err(unreadable) => *log = Err(unreadable.to_string()),
        }
    }
    Ok(logs)
}

pub(super) async fn keep_snapshot(connection: &mut PgConnection, state: &RunState) -> Result<(), StoreError> {
    // A state that cannot be written down costs its next owner a longer fold, nothing else.
    let Some(bytes) = snapshot::write(state) else { return Ok(()) };
    let seq = i32::try_from(state.seq).map_err(|error| StoreError::Refused { message: error.to_string() })?;
    let kept =
        sqlx::query_file!("src/store/postgres/sql/keep_snapshot.sql", state.id.uuid(), seq, FORMAT, bytes);
    kept.execute(connection).await.map_err(classify).map(drop)
}
