//! What `verify` finds: nothing in what the engine wrote, and each corruption by the one invariant that is about it.

mod workload;
mod healthy;
pub(crate) mod sound;
mod corruption;

use std::time::Duration;

use runlog::store::postgres::{Invariant, Report, Scope, verify};
use sqlx::PgPool;

use crate::support::{Ground, Postgres};

/// Everything is checked as it stands now.
pub(crate) fn at_once() -> Scope {
    Scope { grace: Duration::ZERO, ..Scope::default() }
}

/// What was found, a line each.
pub(crate) fn told(report: &Report) -> Vec<String> {
    let line = |found: &runlog::store::postgres::Violation| {
        let run = found.run.map(|run| run.to_string()).unwrap_or_default();
        format!("{} {run} {:?} {}", found.invariant, found.seqs, found.detail)
    };
    report.violations().map(line).collect()
}

async fn assert_holds(pool: &PgPool, scope: &Scope) -> Report {
    let report = verify(pool, scope).await.expect("a check");
    assert!(report.holds(), "{}", told(&report).join("\n"));
    report
}
