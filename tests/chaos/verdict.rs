//! What the database alone says: `runlog verify`, and what the triggers of this test saw.

use std::time::Duration;

use runlog::store::postgres::{Scope, verify};
use sqlx::PgPool;

/// Something that must never be.
#[derive(Clone, Debug)]
pub struct Violation {
    pub what: String,
    /// The runs, as text.
    pub runs: Vec<String>,
}

/// What the invariants of the product do not ask.
const RULES: &[(&str, &str)] = &[(
    "a node wrote after its lease",
    "select e.run_id::text from runlog.events e
     join (select node, max(lease_until) as until from runlog.leases group by node) l on l.node = e.node
     where e.time > l.until",
)];

/// Judges all logs.
pub async fn of_log(pool: &PgPool) -> anyhow::Result<Vec<Violation>> {
    // Everything is at rest: nothing may be late.
    let scope = Scope { grace: Duration::ZERO, ..Scope::default() };
    let mut violations = Vec::new();
    for violation in verify(pool, &scope).await?.violations() {
        let runs = violation.run.iter().map(ToString::to_string).collect();
        let what = format!("{}: {} (seqs {:?})", violation.invariant, violation.detail, violation.seqs);
        violations.push(Violation { what, runs });
    }
    for (what, query) in RULES {
        let runs: Vec<String> = sqlx::query_scalar(*query).fetch_all(pool).await?;
        if !runs.is_empty() {
            violations.push(Violation { what: (*what).to_owned(), runs });
        }
    }
    // What the triggers of this test saw; see `ground.rs`.
    let trespasses = "select what, array_agg(distinct run::text) from chaos.trespass group by what";
    let trespasses: Vec<(String, Vec<String>)> = sqlx::query_as(trespasses).fetch_all(pool).await?;
    violations.extend(trespasses.into_iter().map(|(what, runs)| Violation { what, runs }));
    Ok(violations)
}

/// Logs that are printed for one violation.
const LOGS_MAX: usize = 2;

/// Prints the logs of runs that something is wrong with.
pub async fn print_logs(pool: &PgPool, violations: &[Violation]) -> anyhow::Result<()> {
    for Violation { what, runs } in violations {
        println!("\nVIOLATION: {what} ({} runs)", runs.len());
        for run in runs.iter().take(LOGS_MAX) {
            let row = "select concat_ws(' ', id, workflow, version, key, status, 'owner', owner, 'wake_at', wake_at,
                           'claims', claims, 'mail', mail) from runlog.runs where id::text = $1";
            let row: Option<String> = sqlx::query_scalar(row).bind(run).fetch_optional(pool).await?;
            println!("  {}", row.unwrap_or_else(|| format!("{run}: no row")));
            let log = "select concat_ws(' ', lpad(seq::text, 4), to_char(time, 'HH24:MI:SS.US'), 'node', node, kind, task,
                           attempt, left(payload, 160)) from runlog.events where run_id::text = $1 order by seq";
            let log: Vec<String> = sqlx::query_scalar(log).bind(run).fetch_all(pool).await?;
            log.iter().for_each(|line| println!("  {line}"));
        }
    }
    Ok(())
}
