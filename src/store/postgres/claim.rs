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

/// Calls at gates that one statement answers, and statements that answer them before one claim.
const CALLS_PER_STATEMENT: i32 = 256;
const STATEMENTS_MAX: usize = 16;

pub(super) async fn claim(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    wanted: &Wanted,
) -> Result<Claimed, StoreError> {
    if wanted.limited {
        let_in(connection).await?;
    }
    let (mut claimed, called) = claim_once(connection, token, node, wanted).await?;
    if called && wanted.limit > claimed.runs.len() {
        // Of a workflow that lost its limit, or that another node limits.
        let_in(connection).await?;
        let rest = Wanted { limit: wanted.limit - claimed.runs.len(), ..wanted.clone() };
        let (more, _) = claim_once(connection, token, node, &rest).await?;
        claimed.runs.extend(more.runs);
        claimed.held_back.extend(more.held_back);
        claimed.mailed.extend(more.mailed);
        (claimed.next_due, claimed.paused) = (more.next_due, more.paused);
    }
    Ok(claimed)
}

/// Answers what calls at gates are due: each statement is one transaction.
async fn let_in(connection: &mut PgConnection) -> Result<(), StoreError> {
    for _ in 0..STATEMENTS_MAX {
        let answered = sqlx::query_file_scalar!("src/store/postgres/sql/let_in.sql", CALLS_PER_STATEMENT);
        if answered.fetch_one(&mut *connection).await.map_err(classify)? < CALLS_PER_STATEMENT {
            break;
        }
    }
    Ok(())
}

/// Claims what is due, and says whether calls at gates are.
async fn claim_once(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    wanted: &Wanted,
) -> Result<(Claimed, bool), StoreError> {
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
    let claimed = Claimed {
        runs: run_ids(claim.claimed)?,
        held_back: run_ids(claim.held_back)?,
        mailed: run_ids(claim.mailed)?,
        next_due: claim.next_due,
        paused: claim.paused.iter().map(|name| WorkflowName::recorded(name)).collect(),
    };
    Ok((claimed, claim.called))
}
