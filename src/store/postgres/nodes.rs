//! Nodes and their leases: who may write, and who is dead.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{Connection, PgConnection};

use super::errors::classify;
use super::route::Route;
use crate::model::{NodeId, Timestamp, Version, WorkflowName};
use crate::store::{FenceCause, Heartbeat, Joined, NodeInfo, Rescue, Served, Serving, StoreError};

/// Months for which the log has partitions ahead: a node joins more often than that.
const MONTHS_AHEAD: i32 = 2;

/// Runs one rescue releases: a statement of some ten milliseconds.
const RESCUED_MAX: i64 = 1_000;

pub(super) async fn join(
    connection: &mut PgConnection,
    route: Route,
    token: i64,
    node: &NodeInfo,
    lanes: u16,
    lease: Duration,
) -> Result<Joined, StoreError> {
    make_partitions(connection, route).await?;
    let served = ServedColumns::of(&node.served);
    let joined = sqlx::query_file!(
        "src/store/postgres/sql/join.sql",
        node.name,
        i64::from(node.pid),
        node.release,
        i32::from(lanes),
        interval(lease),
        token,
        slots(node.slots),
        served.workflows.as_slice() as _,
        served.versions.as_slice() as _,
        served.slots.as_slice() as _,
        node.resumes.map(|node| node.0),
    );
    let joined = joined.fetch_one(connection).await.map_err(classify)?;
    Ok(Joined { node: NodeId(joined.id), now: joined.joined_at })
}

/// A refusal costs nothing now: events without a partition of their own go to the default one.
pub(super) async fn make_partitions(connection: &mut PgConnection, route: Route) -> Result<(), StoreError> {
    let made = sqlx::query_file!("src/store/postgres/sql/ensure_partitions.sql", MONTHS_AHEAD);
    match made.execute(&mut *connection).await.map_err(classify) {
        Err(StoreError::Refused { message }) => {
            tracing::warn!(%message, "cannot make partitions of runlog.events: run the migrations' role's upkeep");
            route.start_over(connection).await
        }
        other => other.map(drop),
    }
}

pub(super) async fn heartbeat(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    lease: Duration,
) -> Result<Heartbeat, StoreError> {
    let renewed =
        sqlx::query_file_scalar!("src/store/postgres/sql/heartbeat.sql", node.0, interval(lease), token);
    if let Some(now) = renewed.fetch_optional(&mut *connection).await.map_err(classify)? {
        return Ok(Heartbeat::Alive { now });
    }
    let lost = sqlx::query_file_scalar!("src/store/postgres/sql/fence_cause.sql", node.0, token);
    let lost = lost.fetch_one(connection).await.map_err(classify)?;
    Ok(Heartbeat::Fenced { cause: if lost { FenceCause::HistoryLost } else { FenceCause::LeaseOver } })
}

pub(super) async fn leave(connection: &mut PgConnection, token: i64, node: NodeId) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(classify)?;
    let left = sqlx::query_file!("src/store/postgres/sql/leave.sql", node.0, token);
    left.execute(&mut *transaction).await.map_err(classify)?;
    let released = sqlx::query_file!("src/store/postgres/sql/release_all.sql", node.0, token);
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

pub(super) async fn serving(
    connection: &mut PgConnection,
    workflow: &WorkflowName,
    version: &Version,
) -> Result<Serving, StoreError> {
    let (workflow, version) = (workflow.as_str(), version.as_str());
    let serving = sqlx::query_file!("src/store/postgres/sql/serving.sql", workflow, version);
    let serving = serving.fetch_one(connection).await.map_err(classify)?;
    let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(Serving { nodes: count(serving.nodes), full: count(serving.full), now: serving.now })
}

pub(super) async fn now(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
    sqlx::query_file_scalar!("src/store/postgres/sql/now.sql").fetch_one(connection).await.map_err(classify)
}

/// What a node serves, as columns.
pub(super) struct ServedColumns<'a> {
    pub(super) workflows: Vec<&'a str>,
    pub(super) versions: Vec<&'a str>,
    pub(super) slots: Vec<i32>,
}

impl<'a> ServedColumns<'a> {
    pub(super) fn of(served: &'a [Served]) -> ServedColumns<'a> {
        ServedColumns {
            workflows: served.iter().map(|served| served.workflow.as_str()).collect(),
            versions: served.iter().map(|served| served.version.as_str()).collect(),
            slots: served.iter().map(|served| slots(served.slots)).collect(),
        }
    }
}

fn slots(slots: usize) -> i32 {
    i32::try_from(slots).unwrap_or(i32::MAX)
}

/// To the microsecond, Postgres' own unit.
pub(super) fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
