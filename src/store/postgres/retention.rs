//! Policies, and the pass: at most one at a time, whoever makes it.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection, PgTransaction};

use super::archived::PART_BYTES;
use super::errors::classify;
use super::nodes::{self, interval};
use super::route::Route;
use super::rows::run_ids;
use super::signals;
use crate::model::{Namespace, RunId, WorkflowName};
use crate::store::retention::taken_over;
use crate::store::{
    Holder, PassBegun, PassFailure, Policy, PolicyScope, Pruned, Retention, Step, StoreError, Tally,
};

/// How long a pass stays with a process that says nothing: many times the length of a step.
const HELD_FOR: Duration = Duration::from_secs(60);

/// Runs that one step looks at, and events that it moves unless a single run has more: some ten milliseconds of work.
const RUNS_LOOKED_AT: i64 = 500;
const EVENTS_MOVED_MAX: i64 = 5_000;

/// Events of runs outside of the archive that may be moved when their month is dropped: nothing is appended meanwhile, for
/// about as long as 5,000 inserts take.
const STRAGGLER_EVENTS_MAX: i32 = 5_000;

/// How long appends may have to stand in line behind the dropping of a month that waits for its turn.
const DROP_PATIENCE: Duration = Duration::from_millis(200);

/// How long a step waits for any lock, and works on a statement, before it gives up.
const LOCK_TIMEOUT: &str = "1s";
const STATEMENT_TIMEOUT: &str = "60s";

pub(super) async fn read(connection: &mut PgConnection) -> Result<Retention, StoreError> {
    let policies = sqlx::query_file!("src/store/postgres/sql/policies.sql");
    let policies = policies.fetch_all(&mut *connection).await.map_err(classify)?;
    let millis = |ms: Option<i64>| ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default()));
    let policies = policies.into_iter().map(|row| Policy {
        scope: PolicyScope {
            namespace: (!row.namespace.is_empty()).then(|| Namespace::recorded(&row.namespace)),
            workflow: (!row.workflow.is_empty()).then(|| WorkflowName::recorded(&row.workflow)),
        },
        archive_after: millis(row.archive_ms),
        delete_after: millis(row.delete_ms),
    });
    let pass =
        sqlx::query_file!("src/store/postgres/sql/pass.sql").fetch_one(connection).await.map_err(classify)?;
    let holder = pass.held_by.zip(pass.held_until).map(|(by, until)| Holder { by, until });
    let failure = pass.failed_at.zip(pass.error).map(|(at, error)| PassFailure {
        failures: u32::try_from(pass.failures).unwrap_or_default(),
        at,
        error,
    });
    let count = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(Retention {
        policies: policies.collect(),
        holder: holder.filter(|holder| holder.until > pass.now),
        begun_at: pass.begun_at,
        ended_at: pass.ended_at,
        next_at: pass.next_at,
        failure,
        last: Tally { archived: count(pass.archived), deleted: count(pass.deleted), months: pass.months },
        archived_ever: count(pass.archived_ever),
        deleted_ever: count(pass.deleted_ever),
    })
}

/// Names a scope as the table does: an empty text is all of them.
fn names(scope: &PolicyScope) -> (&str, &str) {
    let namespace = scope.namespace.as_ref().map_or("", |namespace| namespace.as_str());
    (namespace, scope.workflow.as_ref().map_or("", |workflow| workflow.as_str()))
}

pub(super) async fn set_policy(connection: &mut PgConnection, policy: &Policy) -> Result<(), StoreError> {
    let (namespace, workflow) = names(&policy.scope);
    let after = |after: Option<Duration>| after.map(interval);
    let set = sqlx::query_file!(
        "src/store/postgres/sql/set_policy.sql",
        namespace,
        workflow,
        after(policy.archive_after),
        after(policy.delete_after)
    );
    set.execute(connection).await.map_err(classify).map(drop)
}

pub(super) async fn unset_policy(
    connection: &mut PgConnection,
    scope: &PolicyScope,
) -> Result<bool, StoreError> {
    let (namespace, workflow) = names(scope);
    let unset = sqlx::query_file!("src/store/postgres/sql/unset_policy.sql", namespace, workflow);
    Ok(unset.execute(connection).await.map_err(classify)?.rows_affected() > 0)
}

pub(super) async fn begin_pass(
    connection: &mut PgConnection,
    token: i64,
    by: &str,
    now: bool,
) -> Result<PassBegun, StoreError> {
    let held_for: PgInterval = interval(HELD_FOR);
    let begun = sqlx::query_file_scalar!("src/store/postgres/sql/begin_pass.sql", token, by, held_for, now);
    if let Some(failures) = begun.fetch_optional(&mut *connection).await.map_err(classify)? {
        return Ok(PassBegun::Yours { failures: u32::try_from(failures).unwrap_or_default() });
    }
    let found = read(connection).await?;
    Ok(found.holder.map_or(PassBegun::NotDue { next_at: found.next_at }, PassBegun::Held))
}

pub(super) async fn end_pass(
    connection: &mut PgConnection,
    token: i64,
    error: Option<&str>,
    next: Duration,
) -> Result<(), StoreError> {
    let ended = sqlx::query_file!("src/store/postgres/sql/end_pass.sql", token, error, interval(next));
    ended.execute(connection).await.map_err(classify).map(drop)
}

/// Does a step of the process's pass in a transaction of its own, which ends with the proof that the pass is still its.
pub(super) async fn prune(
    connection: &mut PgConnection,
    route: Route,
    token: i64,
    step: &Step,
) -> Result<Pruned, StoreError> {
    if *step == Step::Prepare {
        nodes::make_partitions(connection, route).await?;
        return Ok(Pruned { next: Some(Step::Signals), ..Pruned::default() });
    }
    if *step == Step::Signals {
        let more = signals::expire(connection).await?;
        let next = if more { Step::Signals } else { Step::Archive { after: None } };
        return Ok(Pruned { next: Some(next), ..Pruned::default() });
    }
    let mut transaction = connection.begin().await.map_err(classify)?;
    let permit =
        sqlx::query_file!("src/store/postgres/sql/permit_retention.sql", LOCK_TIMEOUT, STATEMENT_TIMEOUT);
    permit.fetch_one(&mut *transaction).await.map_err(classify)?;
    let pruned = match *step {
        Step::Archive { after } => archive(&mut transaction, after).await?,
        Step::Delete { after } => delete(&mut transaction, after).await?,
        Step::Drop => drop_month(&mut transaction).await?,
        Step::Prepare | Step::Signals => Pruned::default(),
    };
    let Tally { archived, deleted, months } = &pruned.tally;
    let held = sqlx::query_file!(
        "src/store/postgres/sql/hold_pass.sql",
        token,
        interval(HELD_FOR) as PgInterval,
        i64::try_from(*archived).unwrap_or_default(),
        i64::try_from(*deleted).unwrap_or_default(),
        months.as_slice() as _
    );
    if held.execute(&mut *transaction).await.map_err(classify)?.rows_affected() != 1 {
        transaction.rollback().await.map_err(classify)?;
        return Err(taken_over());
    }
    transaction.commit().await.map_err(classify)?;
    Ok(pruned)
}

async fn archive(transaction: &mut PgTransaction<'_>, after: Option<RunId>) -> Result<Pruned, StoreError> {
    let done = Pruned { next: Some(Step::Delete { after: None }), ..Pruned::default() };
    let until = sqlx::query_file_scalar!("src/store/postgres/sql/archive_until.sql");
    let Some(until) = until.fetch_one(&mut **transaction).await.map_err(classify)? else { return Ok(done) };
    let moved = sqlx::query_file!(
        "src/store/postgres/sql/archive.sql",
        first(after),
        until,
        RUNS_LOOKED_AT,
        EVENTS_MOVED_MAX,
        PART_BYTES
    );
    let moved = moved.fetch_one(&mut **transaction).await.map_err(classify)?;
    if !moved.archived.is_empty() {
        let archived = moved.archived.as_slice();
        let dropped = sqlx::query_file!("src/store/postgres/sql/drop_archived_events.sql", archived as _);
        dropped.execute(&mut **transaction).await.map_err(classify)?;
        let written = sqlx::query_file!("src/store/postgres/sql/drop_writings.sql", archived as _);
        written.execute(&mut **transaction).await.map_err(classify)?;
    }
    let next = one(moved.next)?.map(|after| Step::Archive { after: Some(after) });
    let tally = Tally { archived: moved.archived.len() as u64, ..Tally::default() };
    Ok(Pruned { tally, next: next.or(done.next) })
}

async fn delete(transaction: &mut PgTransaction<'_>, after: Option<RunId>) -> Result<Pruned, StoreError> {
    let until = sqlx::query_file_scalar!("src/store/postgres/sql/delete_until.sql");
    let Some(until) = until.fetch_one(&mut **transaction).await.map_err(classify)? else {
        return Ok(Pruned { next: Some(Step::Drop), ..Pruned::default() });
    };
    let gone =
        sqlx::query_file!("src/store/postgres/sql/delete_archived.sql", first(after), until, RUNS_LOOKED_AT);
    let gone = gone.fetch_one(&mut **transaction).await.map_err(classify)?;
    if !gone.deleted.is_empty() {
        let events =
            sqlx::query_file!("src/store/postgres/sql/delete_events.sql", gone.deleted.as_slice() as _);
        events.execute(&mut **transaction).await.map_err(classify)?;
    }
    let next = one(gone.next)?.map(|after| Step::Delete { after: Some(after) });
    let tally = Tally { deleted: gone.deleted.len() as u64, ..Tally::default() };
    Ok(Pruned { tally, next: Some(next.unwrap_or(Step::Drop)) })
}

async fn drop_month(transaction: &mut PgTransaction<'_>) -> Result<Pruned, StoreError> {
    let month = sqlx::query_file_scalar!(
        "src/store/postgres/sql/retire_month.sql",
        STRAGGLER_EVENTS_MAX,
        interval(DROP_PATIENCE) as PgInterval
    );
    let month = month.fetch_optional(&mut **transaction).await.map_err(classify)?.flatten();
    let next = month.is_some().then_some(Step::Drop);
    let tally = Tally { months: month.into_iter().collect(), ..Tally::default() };
    Ok(Pruned { tally, next })
}

/// Where a look begins.
fn first(after: Option<RunId>) -> Uuid {
    after.map_or(Uuid::nil(), RunId::uuid)
}

fn one(id: Option<Uuid>) -> Result<Option<RunId>, StoreError> {
    Ok(run_ids(id.into_iter().collect())?.pop())
}
