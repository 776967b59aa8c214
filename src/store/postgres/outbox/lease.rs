//! Who exports, and that commits fill the outbox meanwhile.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::model::limits::OUTBOX_COUNTED_MAX;
use crate::store::outbox::{Backlog, ExportBegun, OUTBOX_OPEN_FOR, Tended};
use crate::store::postgres::errors::classify;
use crate::store::postgres::nodes::interval;
use crate::store::{Holder, StoreError};

/// What is left of the time for which the outbox is open when that is written anew: it is written six times an hour, for
/// every append reads it.
const OPENED_ANEW_AT: Duration = Duration::from_secs(50 * 60);

/// How long before its time the outbox counts as closed: longer than any append's statement, whose snapshot may be older than
/// the last word on it.
const MARGIN: Duration = Duration::from_secs(60);

pub(super) async fn begin(
    connection: &mut PgConnection,
    token: i64,
    by: &str,
    lease: Duration,
) -> Result<ExportBegun, StoreError> {
    let lease: PgInterval = interval(lease);
    let begun = sqlx::query_file_scalar!("src/store/postgres/sql/begin_export.sql", token, by, lease);
    if begun.fetch_optional(&mut *connection).await.map_err(classify)?.is_some() {
        return Ok(ExportBegun::Yours);
    }
    let found = sqlx::query_file!("src/store/postgres/sql/export_holder.sql");
    let found = found.fetch_one(connection).await.map_err(classify)?;
    let holder =
        Holder { by: found.held_by.unwrap_or_default(), until: found.held_until.unwrap_or(found.now) };
    Ok(ExportBegun::Held(holder))
}

pub(super) async fn hold(
    connection: &mut PgConnection,
    token: i64,
    lease: Duration,
) -> Result<bool, StoreError> {
    let lease: PgInterval = interval(lease);
    let held = sqlx::query_file!("src/store/postgres/sql/hold_export.sql", token, lease);
    Ok(held.execute(connection).await.map_err(classify)?.rows_affected() == 1)
}

pub(super) async fn end(connection: &mut PgConnection, token: i64) -> Result<(), StoreError> {
    let ended = sqlx::query_file!("src/store/postgres/sql/end_export.sql", token);
    ended.execute(connection).await.map_err(classify).map(drop)
}

pub(super) async fn tend(connection: &mut PgConnection, token: i64) -> Result<Tended, StoreError> {
    let tended = sqlx::query_file_scalar!(
        "src/store/postgres/sql/tend_export.sql",
        token,
        interval(OUTBOX_OPEN_FOR) as PgInterval,
        interval(OPENED_ANEW_AT) as PgInterval,
        interval(MARGIN) as PgInterval,
    );
    Ok(match tended.fetch_optional(connection).await.map_err(classify)? {
        None => Tended::Lost,
        Some(false) => Tended::Open,
        Some(true) => Tended::OpenAndSweeps,
    })
}

pub(super) async fn backlog(connection: &mut PgConnection) -> Result<Backlog, StoreError> {
    let found = sqlx::query_file!("src/store/postgres/sql/backlog.sql", i64::from(OUTBOX_COUNTED_MAX));
    let found = found.fetch_one(connection).await.map_err(classify)?;
    let count = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(Backlog {
        commits: count(found.commits),
        oldest: found.oldest,
        now: found.now,
        open_until: found.open_until,
        sweeps: found.sweeps,
        holder: found.held_by.zip(found.held_until).map(|(by, until)| Holder { by, until }),
        refused: count(found.refused),
    })
}
