//! What the database alone says: the rules that every log must keep.

use sqlx::PgPool;

/// Something that must never be.
#[derive(Clone, Debug)]
pub struct Violation {
    pub what: String,
    /// The runs, as text.
    pub runs: Vec<String>,
}

/// Rules as queries for the runs that break them.
const RULES: &[(&str, &str)] = &[
    (
        "a log has a hole",
        "select run_id::text from runlog.events group by run_id having min(seq) <> 1 or max(seq) <> count(*)",
    ),
    (
        "a run has no log",
        "select r.id::text from runlog.runs r where not exists (select from runlog.events e where e.run_id = r.id)",
    ),
    (
        "a log has no run",
        "select e.run_id::text from runlog.events e
         where e.seq = 1 and not exists (select from runlog.runs r where r.id = e.run_id)",
    ),
    (
        "a log does not end once, at its end, as its row says",
        "select r.id::text from runlog.runs r
         join lateral (
             select array_agg(e.seq) as seqs, min(upper(substr(e.kind, 5))) as status,
                    (select max(seq) from runlog.events where run_id = r.id) as last
             from runlog.events e
             where e.run_id = r.id and e.kind in ('run_succeeded', 'run_failed', 'run_cancelled', 'run_timed_out')
         ) ends on true
         where case when r.status in ('QUEUED', 'RUNNING') then ends.seqs is not null
                    else ends.seqs is distinct from array[ends.last] or ends.status <> r.status::text end",
    ),
    (
        "a step has two outcomes",
        "select run_id::text from runlog.events where kind = 'step_completed'
         group by run_id, task, payload::json ->> 'op' having count(*) > 1",
    ),
    (
        "a task has two outputs",
        "select run_id::text from runlog.events where kind = 'attempt_succeeded'
         group by run_id, task having count(*) > 1",
    ),
    (
        "a node writes into a stretch that it did not open",
        "select run_id::text from (
             select run_id, seq, kind, node, lag(node) over (partition by run_id order by seq) as before
             from runlog.events
         ) e
         where seq > 1 and node is distinct from before and kind <> 'run_claimed' and (before is not null or seq > 2)",
    ),
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
    (
        "an ended run has mail",
        "select r.id::text from runlog.runs r join runlog.inbox i on i.run_id = r.id
         where r.status not in ('QUEUED', 'RUNNING')",
    ),
    (
        "a node that left or died owns a run",
        "select r.id::text from runlog.runs r where r.owner is not null
         and not exists (select from runlog.leases l where l.node = r.owner and not l.dead)",
    ),
];

/// Judges all logs.
pub async fn of_log(pool: &PgPool) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
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
