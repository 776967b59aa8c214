//! A check as a program reads it.

use std::io::{self, IsTerminal};

use serde::Serialize;
use sqlx::PgPool;

use super::NotDone;
use crate::cli::show::Screen;
use crate::model::RunId;
use crate::store::postgres::{Checked, INVARIANTS, Report, Scope, verify_each};

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    says: &'static str,
}

#[derive(Serialize)]
struct Whole<'report> {
    holds: bool,
    runs: u64,
    violations: u64,
    invariants: Vec<Outcome<'report>>,
}

#[derive(Serialize)]
struct Outcome<'report> {
    name: &'static str,
    holds: bool,
    violations: u64,
    /// The first of them.
    found: Vec<Found<'report>>,
}

#[derive(Serialize)]
struct Found<'report> {
    run: Option<RunId>,
    seqs: &'report [i32],
    detail: &'report str,
}

/// Writes what every invariant says.
pub(super) fn list(screen: &mut Screen) -> io::Result<()> {
    let listed: Vec<_> =
        INVARIANTS.iter().map(|invariant| Listed { name: invariant.name, says: invariant.says }).collect();
    screen.line(serde_json::to_string_pretty(&listed)?)
}

/// Checks, and writes all results as one object; says whether all invariants hold.
pub(super) async fn check(screen: &mut Screen, pool: &PgPool, scope: &Scope) -> Result<bool, NotDone> {
    // A person who waits for the object sees that it is under way.
    let watched = io::stderr().is_terminal();
    let each = |checked: &Checked| {
        if watched {
            eprintln!("checked {}", checked.invariant.name);
        }
    };
    let report = verify_each(pool, scope, each).await?;
    screen.line(serde_json::to_string_pretty(&whole(&report)).map_err(io::Error::from)?)?;
    Ok(report.holds())
}

fn whole(report: &Report) -> Whole<'_> {
    let invariants = report.checked.iter().map(|checked| Outcome {
        name: checked.invariant.name,
        holds: checked.holds(),
        violations: checked.count,
        found: checked.violations.iter().map(found).collect(),
    });
    Whole {
        holds: report.holds(),
        runs: report.runs,
        violations: report.count(),
        invariants: invariants.collect(),
    }
}

fn found(violation: &crate::store::postgres::Violation) -> Found<'_> {
    Found { run: violation.run, seqs: &violation.seqs, detail: &violation.detail }
}
