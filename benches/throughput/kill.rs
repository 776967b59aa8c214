//! kill -9 in the middle of a thousand runs and of ten thousand, a restart, and what it costs.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use runlog::{Cx, Runtime, Workflow};
use sqlx::PgPool;
use tokio::time::Instant;

use super::orders::{self, Life, Orders};
use super::server::Bench;

const STEPS: usize = 5;
const LEASE: Duration = Duration::from_secs(1);
const WORKFLOW: &str = "survivor";
/// A step of the life that is killed takes so long for each run there is, so that all runs are under way at the kill: 20 ms
/// for a thousand.
const FIRST_STEP_PER_RUN: Duration = Duration::from_micros(20);
/// A line of the oracle: a run's id, a space, a step's digit and a line feed.
const LINE_BYTES: usize = 39;
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of it.
pub struct Killed {
    pub runs: usize,
    pub in_flight: i64,
    /// From the end of the lease to the end of the last run, on the database's clock.
    pub beyond_lease_s: f64,
    pub since_kill_s: f64,
    pub steps: usize,
    pub twice: usize,
}

/// Lives until it is killed: serves the workflow, and in its first life starts the runs.
pub async fn serve(orders: Orders) -> anyhow::Result<()> {
    let oracle = Arc::new(OpenOptions::new().create(true).append(true).open(&orders.oracle)?);
    let pause = (orders.life == Life::First).then(|| FIRST_STEP_PER_RUN * orders.runs as u32);
    let workflow =
        Workflow::function(WORKFLOW, move |cx, input| survive(cx, input, Arc::clone(&oracle), pause));
    let pool = PgPool::connect(&orders.url).await?;
    let runtime = Runtime::builder(pool)
        .workflow(workflow.clone())
        .node_name(orders.life.name())
        .lease(LEASE)
        .start()
        .await?;
    if pause.is_some() {
        let runs = (0..orders.runs).map(|run| runtime.run(&workflow, run as u64)).collect();
        runtime.start_many(runs).await?;
    }
    std::future::pending().await
}

async fn survive(cx: Cx, input: u64, oracle: Arc<File>, pause: Option<Duration>) -> anyhow::Result<u64> {
    for step in 0..STEPS {
        let write = || async {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            // One write of a whole line: appends of two processes do not mix.
            (&*oracle).write_all(format!("{} {step}\n", cx.run_id()).as_bytes())
        };
        cx.step("write", write).await?;
    }
    Ok(input)
}

/// Kills a node in the middle of so many runs.
pub async fn measure(bench: &Bench, runs: usize) -> anyhow::Result<Killed> {
    let oracle = std::env::temp_dir().join(format!("runlog-bench-{}", std::process::id()));
    let _none_yet = std::fs::remove_file(&oracle);
    let mut first = orders::spawn(bench, Life::First, &oracle, runs)?;
    wait(|| async { Ok(noted(&oracle) >= runs * STEPS / 2) }).await?;
    first.kill()?;
    let killed = Instant::now();
    first.wait()?;
    let in_flight = live(bench).await?;
    let mut second = orders::spawn(bench, Life::Second, &oracle, runs)?;
    wait(|| async { Ok(live(bench).await? == 0) }).await?;
    let since_kill_s = killed.elapsed().as_secs_f64();
    second.kill()?;
    second.wait()?;
    let beyond = "select extract(epoch from
            (select max(finished_at) from runlog.runs where workflow = $1)
            - (select max(lease_until) from runlog.leases where node =
                (select max(id) from runlog.nodes where name = $2)))::float8";
    let beyond_lease_s = sqlx::query_scalar(beyond);
    let beyond_lease_s =
        beyond_lease_s.bind(WORKFLOW).bind(Life::First.name()).fetch_one(&bench.pool).await?;
    let text = std::fs::read_to_string(&oracle)?;
    std::fs::remove_file(&oracle)?;
    let ran = text.lines().count();
    let steps = text.lines().collect::<BTreeSet<_>>().len();
    ensure!(steps == runs * STEPS, "{steps} of {} steps ran", runs * STEPS);
    Ok(Killed { runs, in_flight, beyond_lease_s, since_kill_s, steps, twice: ran - steps })
}

/// How many steps ran so far.
fn noted(oracle: &Path) -> usize {
    let bytes = std::fs::metadata(oracle).map(|file| file.len()).unwrap_or_default();
    bytes as usize / LINE_BYTES
}

/// Asks the indexes of what is queued and of what is owned.
async fn live(bench: &Bench) -> anyhow::Result<i64> {
    let live = "select (select count(*) from runlog.runs where workflow = $1 and version = '1' and wake_at is not null)
                     + (select count(*) from runlog.runs where workflow = $1 and owner is not null)";
    Ok(sqlx::query_scalar(live).bind(WORKFLOW).fetch_one(&bench.pool).await?)
}

async fn wait<F: Future<Output = anyhow::Result<bool>>>(is_done: impl Fn() -> F) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_done().await? {
        ensure!(begun.elapsed() < PATIENCE, "nothing came of it in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
