//! Questions about nodes and workflows.

use std::time::Duration;

use sqlx::PgConnection;

use super::errors::classify;
use super::rows::corrupt;
use crate::model::{NodeId, Timestamp, Version, WorkflowName};
use crate::store::{KnownWorkflow, LiveRuns, NodeRow, Served, StoreError};

/// A row of `sql/nodes.sql`.
struct NodeRecord {
    id: i32,
    name: String,
    pid: i64,
    release: String,
    slots: Option<i32>,
    joined_at: Timestamp,
    left_at: Option<Timestamp>,
    lease_until: Option<Timestamp>,
    alive: bool,
    now: Timestamp,
    runs: i64,
}

pub(super) async fn nodes(connection: &mut PgConnection, limit: u32) -> Result<Vec<NodeRow>, StoreError> {
    let rows = sqlx::query_file_as!(NodeRecord, "src/store/postgres/sql/nodes.sql", i64::from(limit));
    let rows = rows.fetch_all(&mut *connection).await.map_err(classify)?;
    let ids: Vec<i32> = rows.iter().map(|row| row.id).collect();
    let served = sqlx::query_file!("src/store/postgres/sql/served.sql", ids.as_slice() as _);
    let served = served.fetch_all(connection).await.map_err(classify)?;
    let of_node = |node: i32| {
        let rows = served.iter().filter(move |row| row.node == node);
        let served = rows.map(|row| Served {
            workflow: WorkflowName::recorded(&row.workflow),
            version: Version::recorded(&row.version),
            slots: usize::try_from(row.slots).unwrap_or_default(),
        });
        served.collect()
    };
    let node = |row: &NodeRecord| NodeRow {
        node: NodeId(row.id),
        name: row.name.clone(),
        pid: u32::try_from(row.pid).unwrap_or_default(),
        release: row.release.clone(),
        joined_at: row.joined_at,
        left_at: row.left_at,
        lease_until: row.lease_until,
        alive: row.alive,
        slots: row.slots.and_then(|slots| u32::try_from(slots).ok()),
        runs: u64::try_from(row.runs).unwrap_or_default(),
        served: of_node(row.id),
        now: row.now,
    };
    Ok(rows.iter().map(node).collect())
}

pub(super) async fn workflows(
    connection: &mut PgConnection,
    name: Option<&WorkflowName>,
    limit: u32,
) -> Result<Vec<KnownWorkflow>, StoreError> {
    let name = name.map(WorkflowName::as_str);
    let rows = sqlx::query_file!("src/store/postgres/sql/workflows.sql", name, i64::from(limit));
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let known = rows.into_iter().map(|row| {
        let malformed = |error: serde_json::Error| {
            let id = format!("{} {}", row.name, row.version);
            corrupt("runlog.workflows", "shape", &id, error.to_string())
        };
        let millis =
            |millis: Option<i64>| millis.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        Ok(KnownWorkflow {
            workflow: WorkflowName::recorded(&row.name),
            version: Version::recorded(&row.version),
            plan: serde_json::from_str(&row.shape).map_err(malformed)?,
            registered_at: row.registered_at,
            timeout: millis(row.timeout_ms),
            start_timeout: millis(row.start_timeout_ms),
            nodes: u32::try_from(row.nodes).unwrap_or_default(),
        })
    });
    known.collect()
}

pub(super) async fn live_runs(connection: &mut PgConnection) -> Result<LiveRuns, StoreError> {
    let row = sqlx::query_file!("src/store/postgres/sql/live_runs.sql").fetch_one(connection);
    let row = row.await.map_err(classify)?;
    let count = |count| u64::try_from(count).unwrap_or_default();
    Ok(LiveRuns {
        held: count(row.held),
        queued: count(row.queued),
        scheduled: count(row.scheduled),
        parked: count(row.parked),
        lag: Duration::from_micros(count(row.lag_us)),
    })
}
