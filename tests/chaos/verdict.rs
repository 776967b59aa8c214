//! What the database alone says: `runlog verify`, and what this test's own triggers saw.

use std::collections::BTreeMap;
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

/// What `runlog verify` leaves out, because leases are not part of a log: rules as queries for the runs that break them.
const RULES: &[(&str, &str)] = &[
    (
        "a node wrote after its lease",
        "select e.run_id::text from runlog.events e
         join (select node, max(lease_until) as until from runlog.leases group by node) l on l.node = e.node
         where e.time > l.until",
    ),
    (
        "a log's times run backwards",
        "select run_id::text from (
             select run_id, time, lag(time) over (partition by run_id order by seq) as before from runlog.events
         ) e where time < before",
    ),
];

/// Judges all logs, when everything is at rest.
pub async fn of_log(pool: &PgPool) -> anyhow::Result<Vec<Violation>> {
    let scope = Scope { grace: Duration::ZERO, ..Scope::default() };
    let report = verify(pool, &scope).await?;
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for violation in report.violations() {
        println!("verify: {}: {:?} {}", violation.invariant, violation.run, violation.detail);
        let runs = found.entry(violation.invariant).or_default();
        runs.extend(violation.run.map(|run| run.to_string()));
    }
    let named = |(what, runs): (&str, Vec<String>)| Violation { what: format!("verify: {what}"), runs };
    let mut violations: Vec<Violation> = found.into_iter().map(named).collect();
    for (what, query) in RULES {
        let runs: Vec<String> = sqlx::query_scalar(*query).fetch_all(pool).await?;
        if !runs.is_empty() {
            violations.push(Violation { what: (*what).to_owned(), runs });
        }
    }
    // See `ground.rs`.
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
