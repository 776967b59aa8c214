//! Runs that may have events which left no row in the outbox.

use sqlx::PgConnection;
use sqlx::types::Uuid;

use crate::model::{RunId, Timestamp};
use crate::store::StoreError;
use crate::store::outbox::Sweep;
use crate::store::postgres::errors::classify;
use crate::store::postgres::rows::{run_id, run_ids};

/// Runs that one question looks at: a few milliseconds of work.
const RUNS_LOOKED_AT: i64 = 500;

/// What the exporter's row says of the sweep.
struct Due {
    sweep_since: Option<Timestamp>,
    sweep_after: Option<Uuid>,
    unasked: bool,
    waits: bool,
}

pub(super) async fn next(connection: &mut PgConnection, token: i64) -> Result<Sweep, StoreError> {
    let mut due = read(connection, token).await?;
    if due.as_ref().is_some_and(|due| due.sweep_since.is_some() && due.unasked) {
        let asked = sqlx::query_file!("src/store/postgres/sql/sweep_waits.sql", token);
        asked.execute(&mut *connection).await.map_err(classify)?;
        due = read(connection, token).await?;
    }
    let Some(due) = due else { return Ok(Sweep::Nothing) };
    let Some(since) = due.sweep_since else { return Ok(Sweep::Nothing) };
    if due.unasked || due.waits {
        return Ok(Sweep::Waits);
    }
    let after = due.sweep_after.unwrap_or(Uuid::nil());
    let found = sqlx::query_file!("src/store/postgres/sql/sweep_runs.sql", after, since, RUNS_LOOKED_AT);
    let found = found.fetch_one(connection).await.map_err(classify)?;
    let last = found.last.filter(|_| found.looked == RUNS_LOOKED_AT);
    let next = last.map(|last| run_id("runlog.runs", "id", last)).transpose()?;
    Ok(Sweep::Runs { runs: run_ids(found.runs)?, next })
}

async fn read(connection: &mut PgConnection, token: i64) -> Result<Option<Due>, StoreError> {
    let due = sqlx::query_file_as!(Due, "src/store/postgres/sql/sweep.sql", token);
    due.fetch_optional(connection).await.map_err(classify)
}

pub(super) async fn done(
    connection: &mut PgConnection,
    token: i64,
    next: Option<RunId>,
) -> Result<(), StoreError> {
    let done = sqlx::query_file!("src/store/postgres/sql/swept.sql", token, next.map(RunId::uuid));
    done.execute(connection).await.map_err(classify).map(drop)
}
