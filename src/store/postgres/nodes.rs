//! Nodes and their leases: who may write, and who is dead.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{Connection, PgConnection};

use super::errors::classify;
use crate::model::NodeId;
use crate::store::{Heartbeat, Joined, NodeInfo, Rescue, StoreError};

/// Months for which the log has partitions ahead: a node joins more often than that.
const MONTHS_AHEAD: i32 = 2;

/// Runs one rescue releases: a statement of some ten milliseconds.
const RESCUED_MAX: i64 = 1_000;

pub(super) async fn join(
    connection: &mut PgConnection,
    node: &NodeInfo,
    lanes: u16,
    lease: Duration,
) -> Result<Joined, StoreError> {
    make_partitions(connection).await?;
    let (pid, lanes, lease) = (i64::from(node.pid), i32::from(lanes), interval(lease));
    let joined =
        sqlx::query_file!("src/store/postgres/sql/join.sql", node.name, pid, node.release, lanes, lease);
    let joined = joined.fetch_one(connection).await.map_err(classify)?;
    Ok(Joined { node: NodeId(joined.id), now: joined.joined_at })
}

/// A refusal costs nothing now: events without a partition of their own go to the default one.
async fn make_partitions(connection: &mut PgConnection) -> Result<(), StoreError> {
    let made = sqlx::query_file!("src/store/postgres/sql/ensure_partitions.sql", MONTHS_AHEAD);
    match made.execute(connection).await.map_err(classify) {
        Err(StoreError::Refused { message }) => {
            tracing::warn!(%message, "cannot make partitions of runlog.events: run the migrations' role's upkeep");
            Ok(())
        }
        other => other.map(drop),
    }
}

pub(super) async fn heartbeat(
    connection: &mut PgConnection,
    node: NodeId,
    lease: Duration,
) -> Result<Heartbeat, StoreError> {
    let renewed = sqlx::query_file_scalar!("src/store/postgres/sql/heartbeat.sql", node.0, interval(lease));
    let now = renewed.fetch_optional(connection).await.map_err(classify)?;
    Ok(now.map_or(Heartbeat::Fenced, |now| Heartbeat::Alive { now }))
}

pub(super) async fn leave(connection: &mut PgConnection, node: NodeId) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(classify)?;
    let left = sqlx::query_file!("src/store/postgres/sql/leave.sql", node.0);
    left.execute(&mut *transaction).await.map_err(classify)?;
    let released = sqlx::query_file!("src/store/postgres/sql/release_all.sql", node.0);
    released.execute(&mut *transaction).await.map_err(classify)?;
    transaction.commit().await.map_err(classify)
}

pub(super) async fn rescue(connection: &mut PgConnection) -> Result<Rescue, StoreError> {
    let died = sqlx::query_file_scalar!("src/store/postgres/sql/rescue_nodes.sql");
    let mut died = died.fetch_all(&mut *connection).await.map_err(classify)?;
    died.sort_unstable();
    died.dedup();
    let runs = sqlx::query_file!("src/store/postgres/sql/rescue_runs.sql", RESCUED_MAX);
    let runs = runs.fetch_one(connection).await.map_err(classify)?;
    Ok(Rescue {
        died: died.into_iter().map(NodeId).collect(),
        released: u64::try_from(runs.released).unwrap_or_default(),
        next_expiry: runs.next_expiry,
    })
}

/// To the microsecond, Postgres' own unit.
fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
