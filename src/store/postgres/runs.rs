//! Plain questions about runs, and the shapes of workflows.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::archived;
use super::errors::classify;
use super::flow;
use super::rows::{EventRecord, RunRecord, run_id, run_ids};
use crate::model::limits::SEARCH_ROWS_MAX;
use crate::model::{Key, Namespace, Recorded, RunId, Version, WorkflowName};
use crate::store::{RawEvent, Registered, RunRow, Shape, StoreError};

pub(super) async fn row(connection: &mut PgConnection, run: RunId) -> Result<Option<RunRow>, StoreError> {
    let ids = [run.uuid()];
    let row = sqlx::query_file_as!(RunRecord, "src/store/postgres/sql/rows.sql", ids.as_slice() as _);
    let row = row.fetch_optional(&mut *connection).await.map_err(classify)?;
    match row {
        Some(row) => RunRow::try_from(row).map(Some),
        None => archived::row(connection, run).await,
    }
}

pub(super) async fn children(
    connection: &mut PgConnection,
    run: RunId,
    limit: u32,
) -> Result<Vec<RunRow>, StoreError> {
    let rows =
        sqlx::query_file_as!(RunRecord, "src/store/postgres/sql/children.sql", run.uuid(), i64::from(limit));
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    rows.into_iter().map(RunRow::try_from).collect()
}

pub(super) async fn last_good(
    connection: &mut PgConnection,
    run: RunId,
    limit: u32,
) -> Result<Vec<RunId>, StoreError> {
    let good = sqlx::query_file_scalar!(
        "src/store/postgres/sql/last_good.sql",
        run.uuid(),
        i64::from(limit),
        i64::from(SEARCH_ROWS_MAX)
    );
    run_ids(good.fetch_all(connection).await.map_err(classify)?)
}

pub(super) async fn replays(
    connection: &mut PgConnection,
    run: RunId,
    limit: u32,
) -> Result<Vec<RunRow>, StoreError> {
    let rows =
        sqlx::query_file_as!(RunRecord, "src/store/postgres/sql/replays.sql", run.uuid(), i64::from(limit));
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    rows.into_iter().map(RunRow::try_from).collect()
}

pub(super) async fn find(
    connection: &mut PgConnection,
    namespace: &Namespace,
    workflow: &WorkflowName,
    key: &Key,
) -> Result<Option<RunId>, StoreError> {
    let (namespace, workflow, key) = (namespace.as_str(), workflow.as_str(), key.as_str());
    let found = sqlx::query_file_scalar!("src/store/postgres/sql/find.sql", namespace, workflow, key);
    let found = found.fetch_optional(connection).await.map_err(classify)?;
    found.map(|id| run_id("runlog.runs", "id", id)).transpose()
}

pub(super) async fn log(
    connection: &mut PgConnection,
    run: RunId,
    after: u32,
    limit: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let events = events(connection, run, after, limit).await?;
    if events.is_empty() {
        return archived::log(connection, run, after, limit).await;
    }
    events.into_iter().map(Recorded::try_from).collect()
}

pub(super) async fn raw_log(
    connection: &mut PgConnection,
    run: RunId,
    after: u32,
    limit: u32,
) -> Result<Vec<RawEvent>, StoreError> {
    let events = events(connection, run, after, limit).await?;
    if events.is_empty() {
        return archived::raw_log(connection, run, after, limit).await;
    }
    events.into_iter().map(RawEvent::try_from).collect()
}

async fn events(
    connection: &mut PgConnection,
    run: RunId,
    after: u32,
    limit: u32,
) -> Result<Vec<EventRecord>, StoreError> {
    let after = i32::try_from(after).unwrap_or(i32::MAX);
    let rows = sqlx::query_file_as!(
        EventRecord,
        "src/store/postgres/sql/log.sql",
        run.uuid(),
        after,
        i64::from(limit)
    );
    rows.fetch_all(connection).await.map_err(classify)
}

/// All of them are recorded, or none.
pub(super) async fn register(connection: &mut PgConnection, workflows: &[Shape]) -> Result<(), StoreError> {
    let names: Vec<&str> = workflows.iter().map(|shape| shape.workflow.as_str()).collect();
    let versions: Vec<&str> = workflows.iter().map(|shape| shape.version.as_str()).collect();
    let shapes: Vec<&str> = workflows.iter().map(|shape| shape.shape.as_str()).collect();
    let timeouts: Vec<Option<i64>> = workflows.iter().map(|shape| millis(shape.timeout)).collect();
    let start_timeouts: Vec<Option<i64>> =
        workflows.iter().map(|shape| millis(shape.start_timeout)).collect();
    let mut transaction = connection.begin().await.map_err(classify)?;
    let recorded = sqlx::query_file!(
        "src/store/postgres/sql/register.sql",
        names.as_slice() as _,
        versions.as_slice() as _,
        shapes.as_slice() as _,
        timeouts.as_slice() as _,
        start_timeouts.as_slice() as _
    );
    recorded.execute(&mut *transaction).await.map_err(classify)?;
    let refused = sqlx::query_file!(
        "src/store/postgres/sql/reshaped.sql",
        names.as_slice() as _,
        versions.as_slice() as _,
        shapes.as_slice() as _
    );
    match refused.fetch_optional(&mut *transaction).await.map_err(classify)? {
        None => {
            register_tasks(&mut transaction, workflows).await?;
            flow::register(&mut transaction, workflows).await?;
            transaction.commit().await.map_err(classify)
        }
        Some(other) => {
            transaction.rollback().await.map_err(classify)?;
            let (workflow, version) =
                (WorkflowName::recorded(&other.name), Version::recorded(&other.version));
            Err(StoreError::ShapeChanged { workflow, version })
        }
    }
}

pub(super) async fn registered(
    connection: &mut PgConnection,
    workflow: &WorkflowName,
) -> Result<Option<Registered>, StoreError> {
    let found = sqlx::query_file!("src/store/postgres/sql/registered.sql", workflow.as_str());
    let found = found.fetch_optional(connection).await.map_err(classify)?;
    let length =
        |millis: Option<i64>| millis.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
    let Some(found) = found else { return Ok(None) };
    let limit = match (found.limit_name, found.slots, found.policy, found.key_by) {
        (Some(name), Some(slots), Some(policy), Some(key_by)) => {
            let rate = (found.starts, found.window_ms);
            let debounce = (found.quiet_ms, found.max_wait_ms);
            Some(flow::limit(workflow.as_str(), name, slots, rate, debounce, &policy, &key_by)?)
        }
        _ => None,
    };
    Ok(Some(Registered {
        version: Version::recorded(&found.version),
        timeout: length(found.timeout_ms),
        start_timeout: length(found.start_timeout_ms),
        limit,
    }))
}

/// Rounds up: a run must not end before its time.
fn millis(length: Option<Duration>) -> Option<i64> {
    length.map(|length| i64::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX))
}

async fn register_tasks(connection: &mut PgConnection, workflows: &[Shape]) -> Result<(), StoreError> {
    let (mut tasks, mut names, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for shape in workflows {
        for task in &shape.tasks {
            tasks.push(task.as_str());
            names.push(shape.workflow.as_str());
            versions.push(shape.version.as_str());
        }
    }
    let recorded = sqlx::query_file!(
        "src/store/postgres/sql/register_tasks.sql",
        tasks.as_slice() as _,
        names.as_slice() as _,
        versions.as_slice() as _
    );
    recorded.execute(connection).await.map_err(classify).map(drop)
}
