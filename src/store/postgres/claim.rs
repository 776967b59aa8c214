//! How runs come to a node.

use sqlx::PgConnection;

use super::errors::classify;
use super::nodes::{ServedColumns, interval};
use super::rows::run_ids;
use crate::model::limits::{CLAIM_ROWS_MAX, POISON_DEATHS, SUSPECT_WATCH};
use crate::model::{NodeId, RunId, WorkflowName};
use crate::store::{Claimed, StoreError, Wanted};

/// Runs with waiting messages that one claim reports: more are reported by the next one.
const MAILED_MAX: i64 = 512;

pub(super) async fn held(connection: &mut PgConnection, node: NodeId) -> Result<Vec<RunId>, StoreError> {
    let held = sqlx::query_file_scalar!("src/store/postgres/sql/held.sql", node.0);
    run_ids(held.fetch_all(connection).await.map_err(classify)?)
}

pub(super) async fn claim(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    wanted: &Wanted,
) -> Result<Claimed, StoreError> {
    let served = ServedColumns::of(&wanted.served);
    let runs: Vec<_> = wanted.runs.iter().map(|run| run.uuid()).collect();
    let limit = i64::try_from(wanted.limit.min(CLAIM_ROWS_MAX)).unwrap_or_default();
    let claim = sqlx::query_file!(
        "src/store/postgres/sql/claim.sql",
        node.0,
        served.workflows.as_slice() as _,
        served.versions.as_slice() as _,
        runs.as_slice() as _,
        limit,
        MAILED_MAX,
        token,
        served.slots.as_slice() as _,
        POISON_DEATHS,
        interval(SUSPECT_WATCH),
    );
    let claim = claim.fetch_one(connection).await.map_err(classify)?;
    if claim.alive == 0 {
        return Err(StoreError::Fenced);
    }
    Ok(Claimed {
        runs: run_ids(claim.claimed)?,
        held_back: run_ids(claim.held_back)?,
        mailed: run_ids(claim.mailed)?,
        next_due: claim.next_due,
        paused: claim.paused.iter().map(|name| WorkflowName::recorded(name)).collect(),
    })
}
