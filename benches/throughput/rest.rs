//! What runs cost that do nothing: memory of a live one, memory and disk of a parked one, and a node that is idle.

use std::fmt;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, ensure};
use runlog::{Cx, Runtime, Workflow};
use sqlx::PgPool;
use tokio::time::Instant;

use super::Settings;
use super::orders::{self, Life, Orders};
use super::server::{Bench, cpu_ms};

/// What the node serves besides the two that rest, so that they are a hundred.
const OTHERS: usize = 98;
/// Long enough for nobody to wake.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Runs of one bulk start.
const CHUNK: usize = 10_000;
/// How long nothing may change before a node counts as at rest.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the server's processes may take to add up their counts: an idle one does so after ten seconds.
const COUNTED: Duration = Duration::from_secs(12);
/// How many rows show what the rows alone take.
const COPIED_MAX: i64 = 20_000;
/// How long a million runs may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What became of it.
pub struct Rest {
    live: usize,
    live_bytes: f64,
    parked: usize,
    parked_per_s: f64,
    /// Of the node's resident memory: before, at most, and after.
    memory_mb: [f64; 3],
    disk_bytes: f64,
    /// A copy of the same rows in tables of their own.
    copy_bytes: f64,
    /// A second of a server without the node, with it, and with it and the parked runs.
    idle: [Idle; 3],
}

/// A second in which nothing happens.
#[derive(Clone, Copy)]
struct Idle {
    queries: f64,
    node_ms: f64,
    server_ms: f64,
}

/// Lives until it is killed, and serves a hundred workflows.
pub async fn serve(orders: Orders) -> anyhow::Result<()> {
    let pool = PgPool::connect(&orders.url).await?;
    let builder = Runtime::builder(pool).node_name(orders.life.name()).live_runs(orders.runs);
    let other =
        |at: usize| Workflow::function(&format!("other-{at}"), |_cx: Cx, ()| async { anyhow::Ok(()) });
    let builder = (0..OTHERS).fold(builder, |builder, at| builder.workflow(other(at)));
    let _runtime = builder.workflow(sleeper()).workflow(worker()).start().await?;
    std::future::pending().await
}

/// Parks: its only wait is far away.
fn sleeper() -> Workflow<u64, u64> {
    Workflow::function("sleeper", |cx: Cx, input: u64| async move {
        cx.sleep(MONTH).await?;
        anyhow::Ok(input)
    })
}

/// Stays in memory: its step is at work.
fn worker() -> Workflow<u64, u64> {
    Workflow::function("worker", |cx: Cx, input: u64| async move {
        let body = || async {
            tokio::time::sleep(MONTH).await;
            anyhow::Ok(input)
        };
        anyhow::Ok(cx.step("work", body).await?)
    })
}

pub async fn measure(bench: &Bench, settings: &Settings) -> anyhow::Result<Rest> {
    let window = if settings.quick { SETTLE } else { Duration::from_secs(10) };
    let client = Runtime::builder(bench.pool.clone()).client().start().await?;
    let without = idle(bench, None, window).await?;

    let node = Node::start(bench, CHUNK).await?;
    let with = idle(bench, Some(&node), window).await?;
    let (memory_before, disk_before) = (node.memory("VmRSS")?, database_bytes(bench).await?);
    let begun = Instant::now();
    start(&client, &sleeper(), settings.parked).await?;
    let parked = "select count(*) from runlog.runs
        where workflow = 'sleeper' and version = '1' and wake_at > now() + interval '1 day'";
    until(bench, parked, settings.parked).await?;
    let parked_per_s = settings.parked as f64 / begun.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let loaded = idle(bench, Some(&node), window).await?;
    let memory = [memory_before, node.memory("VmHWM")?, node.memory("VmRSS")?];
    let disk = database_bytes(bench).await? - disk_before;
    let copy_bytes = copy_bytes(bench).await?;
    drop(node);

    let node = Node::start(bench, settings.live).await?;
    let before = node.memory("VmRSS")?;
    start(&client, &worker(), settings.live).await?;
    let owned = "select count(*) from runlog.runs where workflow = 'worker' and owner is not null";
    until(bench, owned, settings.live).await?;
    tokio::time::sleep(SETTLE).await;
    let live_bytes = (node.memory("VmRSS")? - before) / settings.live as f64;
    Ok(Rest {
        live: settings.live,
        live_bytes,
        parked: settings.parked,
        parked_per_s,
        memory_mb: memory.map(|bytes| bytes / 1e6),
        disk_bytes: disk / settings.parked as f64,
        copy_bytes,
        idle: [without, with, loaded],
    })
}

/// The process of a node, killed in the end.
struct Node(Child);

impl Node {
    /// Starts it, and returns when it has come to rest.
    async fn start(bench: &Bench, live_runs: usize) -> anyhow::Result<Node> {
        let node = Node(orders::spawn(bench, Life::Rest, Path::new(""), live_runs)?);
        let joined = "select count(*) from runlog.nodes n join runlog.leases l on l.node = n.id
            where n.name = 'rest' and l.lane = -1 and not l.dead and n.pid = $1";
        let begun = Instant::now();
        let pid = i64::from(node.0.id());
        while sqlx::query_scalar::<_, i64>(joined).bind(pid).fetch_one(&bench.pool).await? == 0 {
            ensure!(begun.elapsed() < PATIENCE, "the node did not join");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(SETTLE).await;
        Ok(node)
    }

    /// Reads bytes of memory: `VmRSS` is what is resident, `VmHWM` the most that ever was (proc(5)).
    fn memory(&self, field: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no memory in /proc")?;
        Ok(kib.trim().parse::<f64>()? * 1_024.0)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A node that ended by itself needs no end.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

async fn start(client: &Runtime, workflow: &Workflow<u64, u64>, runs: usize) -> anyhow::Result<()> {
    for from in (0..runs).step_by(CHUNK) {
        let chunk = from..runs.min(from + CHUNK);
        client.start_many(chunk.map(|input| client.run(workflow, input as u64)).collect()).await?;
    }
    Ok(())
}

async fn until(bench: &Bench, count: &'static str, wanted: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let found: i64 = sqlx::query_scalar(count).fetch_one(&bench.pool).await?;
        if found == wanted as i64 {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "{found} of {wanted} runs after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn idle(bench: &Bench, node: Option<&Node>, window: Duration) -> anyhow::Result<Idle> {
    tokio::time::sleep(COUNTED).await;
    let node_ms = || node.and_then(|node| cpu_ms(node.0.id())).unwrap_or_default();
    let queries = async || {
        let ended = "select sum(xact_commit + xact_rollback)::float8 from pg_stat_database
            where datname = current_database()";
        sqlx::query_scalar::<_, f64>(ended).fetch_one(&bench.pool).await
    };
    let (began, client, server) = (queries().await?, node_ms(), bench.counters().await?.server_ms);
    tokio::time::sleep(window).await;
    let per_s = |figure: f64| figure / window.as_secs_f64();
    let (node_ms, server_ms) = (node_ms() - client, bench.counters().await?.server_ms - server);
    Ok(Idle {
        queries: per_s(queries().await? - began),
        node_ms: per_s(node_ms),
        server_ms: per_s(server_ms),
    })
}

async fn database_bytes(bench: &Bench) -> anyhow::Result<f64> {
    let bytes = "select pg_database_size(current_database())::float8";
    Ok(sqlx::query_scalar(bytes).fetch_one(&bench.pool).await?)
}

/// Says how many bytes the rows and the log of a parked run take, written once and never changed.
async fn copy_bytes(bench: &Bench) -> anyhow::Result<f64> {
    let copy = "create schema copy;
        create table copy.runs (like runlog.runs including all);
        create table copy.events (like runlog.events including all);";
    sqlx::raw_sql(copy).execute(&bench.pool).await?;
    let runs =
        "insert into copy.runs select * from runlog.runs where workflow = 'sleeper' order by id limit $1";
    let runs = sqlx::query(runs).bind(COPIED_MAX).execute(&bench.pool).await?.rows_affected();
    let events = "insert into copy.events
        select e.* from copy.runs r join runlog.events e on e.run_id = r.id";
    sqlx::query(events).execute(&bench.pool).await?;
    let bytes =
        "select (pg_total_relation_size('copy.runs') + pg_total_relation_size('copy.events'))::float8";
    let bytes: f64 = sqlx::query_scalar(bytes).fetch_one(&bench.pool).await?;
    sqlx::raw_sql("drop schema copy cascade").execute(&bench.pool).await?;
    Ok(bytes / runs as f64)
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, most, after] = self.memory_mb;
        writeln!(
            f,
            "P5 {} live runs, a step of each at work: {:.0} bytes of memory each",
            self.live, self.live_bytes
        )?;
        writeln!(
            f,
            "P5 {} parked runs: memory {before:.1} MB before, {after:.1} MB after = {:.0} bytes each ({most:.1} MB at most); disk {:.0} bytes each = {:.2} × the same rows written once ({:.0}); started and parked {:.0}/s",
            self.parked,
            (after - before) * 1e6 / self.parked as f64,
            self.disk_bytes,
            self.disk_bytes / self.copy_bytes,
            self.copy_bytes,
            self.parked_per_s,
        )?;
        let [without, with, loaded] = self.idle;
        let all = [
            ("without the node", without),
            ("an idle node of 100 workflows", with),
            ("and the parked runs", loaded),
        ];
        write!(f, "P8 per second:")?;
        for (at, (what, idle)) in all.into_iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            write!(
                f,
                "{separator} {what} {:.1} queries, cpu {:.2} ms server, {:.2} ms node",
                idle.queries, idle.server_ms, idle.node_ms
            )?;
        }
        writeln!(f)
    }
}
