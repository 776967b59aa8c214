//! What limits of concurrency cost: the same work under one key, under many, and without a limit, all of it by way of the
//! queue.

use std::time::Duration;

use anyhow::Context;
use runlog::{Concurrency, Cx, Runtime, Workflow};
use tokio::time::Instant;

use super::server::Bench;

/// Whose work: that of so many keys, under a rate too or not, or of a workflow without a limit.
pub type Keys = Option<(u64, bool)>;

/// How the work of so many keys went.
pub struct Limited {
    pub keys: Keys,
    /// Runs that were there at once, and how fast they were claimed and run.
    pub drained_per_s: f64,
    /// From the creation of a run to its start with nothing else at work: the median, and of 99 in a hundred.
    pub start_ms: [f64; 2],
}

const ALL: [Keys; 5] = [None, Some((1, false)), Some((100, false)), Some((100, true)), Some((10_000, false))];

/// A rate that never holds a run: no key has so many.
const STARTS: u32 = runlog::model::limits::RATE_STARTS_MAX;

/// Runs of all keys together that may run at once, about: as many as a node has use for.
const SLOTS: u64 = 256;

const PATIENCE: Duration = Duration::from_secs(120);

/// Measures all of them once, with so many runs there at once and so many one after the other.
pub async fn measure(bench: &Bench, runs: u64, alone: u64) -> anyhow::Result<Vec<Limited>> {
    let builder = Runtime::builder(bench.pool.clone()).node_name("limits");
    let serve = |builder: runlog::RuntimeBuilder, keys| builder.workflow(workflow(keys));
    let runtime = ALL.into_iter().fold(builder, serve).start().await?;
    let mut measured = Vec::new();
    for keys in ALL {
        let drained_per_s = drained(bench, &runtime, keys, runs).await?;
        let start_ms = started(bench, &runtime, keys, alone).await?;
        measured.push(Limited { keys, drained_per_s, start_ms });
    }
    runtime.shutdown(Duration::from_secs(1)).await?;
    Ok(measured)
}

fn name(keys: Keys) -> String {
    let limited = |(keys, rated)| format!("{}-{keys}", if rated { "rated" } else { "limited" });
    keys.map_or("unlimited".to_owned(), limited)
}

fn workflow(keys: Keys) -> Workflow<u64, u64> {
    let code =
        |cx: Cx, input: u64| async move { cx.step("add", || async move { anyhow::Ok(input + 1) }).await };
    let workflow = Workflow::function(&name(keys), code);
    keys.into_iter().fold(workflow, |workflow, (keys, rated)| {
        let slots = u32::try_from((SLOTS / keys).max(1)).unwrap_or(u32::MAX);
        let limit = Concurrency::limit("key", slots).by(move |input: u64| (input % keys).to_string());
        workflow.concurrency(if rated { limit.starts(STARTS, Duration::from_secs(60)) } else { limit })
    })
}

/// Starts many runs at once and waits until all have ended.
async fn drained(bench: &Bench, runtime: &Runtime, keys: Keys, runs: u64) -> anyhow::Result<f64> {
    let workflow = workflow(keys);
    let started = runtime.start_many((0..runs).map(|input| runtime.run(&workflow, input)).collect()).await?;
    let created: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&bench.pool).await?;
    // By small indexes: of what stands at a gate, of what was let in, of what is due, and of what is owned.
    let busy = "select exists (select from runlog.runs where gate_at is not null)
        or exists (
            select from runlog.runs where gate is not null and gate_at is null and status in ('QUEUED', 'RUNNING')
        )
        or exists (select from runlog.runs where workflow = $1 and version = '1' and wake_at is not null)
        or exists (select from runlog.runs where owner is not null)";
    let begun = Instant::now();
    while sqlx::query_scalar::<_, bool>(busy).bind(name(keys)).fetch_one(&bench.pool).await? {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "{} is not done after {PATIENCE:?}", name(keys));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ended = "select extract(epoch from max(finished_at) - $2)::float8, count(*)
        from runlog.runs
        where id = any($1) and status = 'SUCCEEDED'";
    let ids: Vec<uuid::Uuid> = started.iter().map(|started| started.run.id().uuid()).collect();
    let ended = sqlx::query_as(ended).bind(ids).bind(created);
    let (took, ended): (f64, i64) = ended.fetch_one(&bench.pool).await?;
    anyhow::ensure!(ended == runs as i64, "{ended} of {runs} runs of {} ended", name(keys));
    Ok(runs as f64 / took)
}

/// Starts runs one after the other, each when the one before it has ended.
async fn started(bench: &Bench, runtime: &Runtime, keys: Keys, runs: u64) -> anyhow::Result<[f64; 2]> {
    let workflow = workflow(keys);
    let mut ids = Vec::new();
    for input in 0..runs {
        let started = runtime.start_many(vec![runtime.run(&workflow, input)]).await?;
        let run = &started.first().context("nothing was started")?.run;
        run.output().await?;
        ids.push(run.id().uuid());
    }
    let waited = "select percentile_disc(array[0.5, 0.99]) within group (
            order by extract(epoch from s.time - c.time)::float8 * 1000
        )
        from runlog.events c
        join runlog.events s on s.run_id = c.run_id and s.kind = 'run_started'
        where c.run_id = any($1) and c.kind = 'run_created'";
    let waited: Vec<f64> = sqlx::query_scalar(waited).bind(ids).fetch_one(&bench.pool).await?;
    waited.try_into().map_err(|waited| anyhow::anyhow!("{waited:?}"))
}
