//! Checks what must hold of everything that the engine keeps: plain SQL over its own tables, which reads and never
//! writes.
//!
//! An invariant is a file in `sql/` of its name. All give the same columns, so that one function runs them and `psql`
//! shows them alike; hence they are not checked when the crate is built: `tests/it/store/postgres/verify/` runs every
//! one and seeds what it is there to find.
//!
//! They hold in every committed snapshot, of a busy system, too, but for those that speak of the clock: what should
//! happen by now is given a grace ([`Scope::grace`]).

mod invariants;
mod report;

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::types::PgInterval;
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection, PgPool};

pub use self::invariants::{INVARIANTS, Invariant};
pub use self::report::{Checked, Report, Violation};

use super::dedicated::within;
use super::errors::classify;
use super::schema;
use crate::model::{RunId, Timestamp};
use crate::store::StoreError;

/// What is checked, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// How late what the clock asks for may be: a wake-up, a timer, a message, the rescue of a dead node's runs.
    /// Default: 30 s, several leases and polls. Zero is right for a system at rest.
    pub grace: Duration,
    /// Only runs created this long ago or less. Default: all.
    pub since: Option<Duration>,
    /// Only this run. Default: all.
    pub run: Option<RunId>,
    /// How many violations of one invariant are kept; the others are counted. Default: 20.
    pub violations_max: usize,
}

impl Default for Scope {
    fn default() -> Scope {
        Scope { grace: Duration::from_secs(30), since: None, run: None, violations_max: 20 }
    }
}

/// Checks every invariant on one snapshot of the pool's database; a replica will do. It reads the whole log several
/// times over, on a connection of its own, and holds its snapshot for as long.
///
/// # Errors
/// [`StoreError::Unavailable`]: nobody answers, or a replica cancelled the reading; try again.
/// [`StoreError::SchemaTooOld`]: there is no schema, or it is an older release's. [`StoreError::SchemaTooNew`]: use the
/// release that migrated it. [`StoreError::Refused`]: a statement could not be run, because of a missing privilege or
/// a payload that is no JSON.
pub async fn verify(pool: &PgPool, scope: &Scope) -> Result<Report, StoreError> {
    verify_each(pool, scope, |_| {}).await
}

/// As [`verify`], and tells each result as soon as it is known: an invariant takes a while on a long log.
///
/// # Errors
/// As [`verify`].
pub async fn verify_each(
    pool: &PgPool,
    scope: &Scope,
    mut told: impl FnMut(&Checked),
) -> Result<Report, StoreError> {
    let connection = async { PgConnection::connect_with(&pool.connect_options()).await.map_err(classify) };
    let mut connection = within(connection).await?;
    // The just-in-time compiler would take longer than most of the statements; where a pooler shares the server process, others
    // left statements there.
    let begin = "begin isolation level repeatable read, read only; deallocate all; set local jit = off";
    let mut transaction = connection.begin_with(begin).await.map_err(classify)?;
    within(schema::require(&mut transaction)).await?;
    let now = sqlx::query_scalar(include_str!("moment.sql")).persistent(false);
    let now: Timestamp = now.fetch_one(&mut *transaction).await.map_err(classify)?;
    let (first, last) = range(scope, now);
    let runs = sqlx::query_scalar(include_str!("runs.sql")).bind(first).bind(last).persistent(false);
    let runs: i64 = runs.fetch_one(&mut *transaction).await.map_err(classify)?;
    let mut report = Report { runs: u64::try_from(runs).unwrap_or_default(), checked: Vec::new() };
    for invariant in INVARIANTS {
        let checked =
            check(&mut transaction, invariant, scope, now).await.map_err(|error| named(error, invariant))?;
        told(&checked);
        report.checked.push(checked);
    }
    transaction.rollback().await.map_err(classify)?;
    connection.close().await.map_err(classify)?;
    Ok(report)
}

async fn check(
    connection: &mut PgConnection,
    invariant: &'static Invariant,
    scope: &Scope,
    now: Timestamp,
) -> Result<Checked, StoreError> {
    let (first, last) = range(scope, now);
    // Binds that a statement does not use are no error.
    let found = sqlx::query_as::<_, (Uuid, Vec<i32>, String)>(invariant.sql)
        .bind(first)
        .bind(last)
        .bind(now)
        .bind(interval(scope.grace))
        .persistent(false);
    let mut rows = found.fetch(connection);
    let mut checked = Checked { invariant, count: 0, violations: Vec::new() };
    while let Some((run, seqs, detail)) = rows.try_next().await.map_err(classify)? {
        checked.count += 1;
        if checked.violations.len() < scope.violations_max {
            checked.violations.push(Violation::new(invariant, run, seqs, detail));
        }
    }
    Ok(checked)
}

/// The ids of the runs in scope, from the first to the last: an id begins with its creation in milliseconds, so the
/// planner leaves out the log's other partitions.
fn range(scope: &Scope, now: Timestamp) -> (Uuid, Uuid) {
    if let Some(run) = scope.run {
        return (run.uuid(), run.uuid());
    }
    let since =
        scope.since.and_then(|since| now.checked_sub_signed(chrono::TimeDelta::from_std(since).ok()?));
    let millis = since.and_then(|since| u128::try_from(since.timestamp_millis()).ok()).unwrap_or_default();
    (Uuid::from_u128(millis << 80), Uuid::max())
}

fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

fn named(error: StoreError, invariant: &Invariant) -> StoreError {
    match error {
        StoreError::Refused { message } => {
            StoreError::Refused { message: format!("{} cannot be checked: {message}", invariant.name) }
        }
        other => other,
    }
}
