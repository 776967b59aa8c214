//! kill -9 in the middle of a thousand runs, a restart, and what it costs.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use runlog::{Cx, Runtime, Workflow};
use sqlx::PgPool;
use tokio::time::Instant;

use super::server::Bench;

const RUNS: usize = 1_000;
const STEPS: usize = 5;
const LEASE: Duration = Duration::from_secs(1);
const WORKFLOW: &str = "survivor";
/// Where a child finds its orders: the database, the oracle, and which of the two it is.
const ORDERS: [&str; 3] = ["RUNLOG_BENCH_URL", "RUNLOG_BENCH_ORACLE", "RUNLOG_BENCH_LIFE"];
const FIRST: &str = "first";
const SECOND: &str = "second";
/// A step of the life that is killed takes a while, so that all runs are under way at the kill.
const FIRST_STEP: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of it.
pub struct Killed {
    pub in_flight: i64,
    /// From the end of the lease to the end of the last run, on the database's clock.
    pub beyond_lease_s: f64,
    pub since_kill_s: f64,
    pub steps: usize,
    pub twice: usize,
}

/// What a child is to do.
pub struct Orders {
    url: String,
    oracle: PathBuf,
    life: String,
}

impl Orders {
    /// Reads them from the environment; `None` in a process that is no child.
    pub fn read() -> Option<Orders> {
        let [url, oracle, life] = ORDERS.map(|name| std::env::var(name).ok());
        Some(Orders { url: url?, oracle: oracle?.into(), life: life? })
    }
}

/// Lives until it is killed: serves the workflow, and in its first life starts the runs.
pub async fn serve(orders: Orders) -> anyhow::Result<()> {
    let oracle = Arc::new(OpenOptions::new().create(true).append(true).open(&orders.oracle)?);
    let slow = orders.life == FIRST;
    let workflow =
        Workflow::function(WORKFLOW, move |cx, input| survive(cx, input, Arc::clone(&oracle), slow));
    let pool = PgPool::connect(&orders.url).await?;
    let runtime = Runtime::builder(pool)
        .workflow(workflow.clone())
        .node_name(&orders.life)
        .lease(LEASE)
        .start()
        .await?;
    if slow {
        let runs = (0..RUNS).map(|run| runtime.run(&workflow, run as u64)).collect();
        runtime.start_many(runs).await?;
    }
    std::future::pending().await
}

async fn survive(cx: Cx, input: u64, oracle: Arc<File>, slow: bool) -> anyhow::Result<u64> {
    for step in 0..STEPS {
        let write = || async {
            if slow {
                tokio::time::sleep(FIRST_STEP).await;
            }
            // One write of a whole line: appends of two processes do not mix.
            (&*oracle).write_all(format!("{} {step}\n", cx.run_id()).as_bytes())
        };
        cx.step("write", write).await?;
    }
    Ok(input)
}

pub async fn measure(bench: &Bench) -> anyhow::Result<Killed> {
    let oracle = std::env::temp_dir().join(format!("runlog-bench-{}", std::process::id()));
    let _none_yet = std::fs::remove_file(&oracle);
    let mut first = child(bench, &oracle, FIRST)?;
    wait(|| async { Ok(lines(&oracle)?.len() >= RUNS * STEPS / 2) }).await?;
    first.kill()?;
    let killed = Instant::now();
    first.wait()?;
    let in_flight = live(bench).await?;
    let mut second = child(bench, &oracle, SECOND)?;
    wait(|| async { Ok(live(bench).await? == 0) }).await?;
    let since_kill_s = killed.elapsed().as_secs_f64();
    second.kill()?;
    second.wait()?;
    let beyond = "select extract(epoch from
            (select max(finished_at) from runlog.runs where workflow = $1)
            - (select max(lease_until) from runlog.leases where node =
                (select max(id) from runlog.nodes where name = $2)))::float8";
    let beyond_lease_s = sqlx::query_scalar(beyond).bind(WORKFLOW).bind(FIRST).fetch_one(&bench.pool).await?;
    let lines = lines(&oracle)?;
    std::fs::remove_file(&oracle)?;
    let steps = lines.iter().collect::<BTreeSet<_>>().len();
    ensure!(steps == RUNS * STEPS, "{steps} of {} steps ran", RUNS * STEPS);
    Ok(Killed { in_flight, beyond_lease_s, since_kill_s, steps, twice: lines.len() - steps })
}

fn child(bench: &Bench, oracle: &Path, life: &str) -> anyhow::Result<Child> {
    let [url, path, which] = ORDERS;
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.env(url, bench.url()).env(path, oracle).env(which, life).spawn()?)
}

fn lines(oracle: &Path) -> anyhow::Result<Vec<String>> {
    let text = if oracle.exists() { std::fs::read_to_string(oracle)? } else { String::new() };
    Ok(text.lines().map(str::to_owned).collect())
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
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
