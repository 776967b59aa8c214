//! Runs that may have events which left no row in the outbox.

use sqlx::PgConnection;
use sqlx::types::Uuid;

use crate::model::RunId;
use crate::store::StoreError;
use crate::store::outbox::Sweep;
use crate::store::postgres::errors::classify;
use crate::store::postgres::rows::{run_id, run_ids};

/// Runs that one question looks at: a few milliseconds of work.
const RUNS_LOOKED_AT: i64 = 500;

pub(super) async fn next(connection: &mut PgConnection, token: i64) -> Result<Sweep, StoreError> {
    let sweep = sqlx::query_file!("src/store/postgres/sql/sweep.sql", token);
    let sweep = sweep.fetch_optional(&mut *connection).await.map_err(classify)?;
    let Some((sweep, since)) = sweep.and_then(|sweep| sweep.sweep_since.map(|since| (sweep, since))) else {
        return Ok(Sweep::Nothing);
    };
    if sweep.unasked {
        let asked = sqlx::query_file!("src/store/postgres/sql/sweep_waits.sql", token);
        asked.execute(connection).await.map_err(classify)?;
        return Ok(Sweep::Waits);
    }
    if sweep.waits {
        return Ok(Sweep::Waits);
    }
    let after = sweep.sweep_after.unwrap_or(Uuid::nil());
    let found = sqlx::query_file!("src/store/postgres/sql/sweep_runs.sql", after, since, RUNS_LOOKED_AT);
    let found = found.fetch_one(connection).await.map_err(classify)?;
    let last = found.last.filter(|_| found.looked == RUNS_LOOKED_AT);
    let next = last.map(|last| run_id("runlog.runs", "id", last)).transpose()?;
    Ok(Sweep::Runs { runs: run_ids(found.runs)?, next })
}

pub(super) async fn done(
    connection: &mut PgConnection,
    token: i64,
    next: Option<RunId>,
) -> Result<(), StoreError> {
    let done = sqlx::query_file!("src/store/postgres/sql/swept.sql", token, next.map(RunId::uuid));
    done.execute(connection).await.map_err(classify).map(drop)
}
