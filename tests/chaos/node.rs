//! A process that embeds the product: serves the workload, and is its own client.
//!
//! It obeys its conductor by lines on its standard input: `panic`, `block`, `quiet` (start nothing more) and
//! `signal RUN`. On SIGTERM it shuts down and leaves with 0.

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use runlog::clock::Clock;
use runlog::model::Timestamp;
use runlog::{RunId, Runtime};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection};
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Client;
use crate::oracle::{Fact, Oracle};
use crate::workload::{self, Stage};

/// How long a node's lease lasts.
pub const LEASE: Duration = Duration::from_secs(1);

/// Far enough above what the workload needs, far below what a backlog brings.
const LIVE_RUNS: usize = 400;

/// How long code may take to its next checkpoint once its node was asked to leave.
const GRACE: Duration = Duration::from_millis(300);

/// What a node is told when it begins.
pub struct Orders {
    /// Its database, through its proxy.
    pub url: String,
    /// Its name: slot and life.
    pub name: String,
    /// Where it writes down what it is told.
    pub facts: PathBuf,
    /// The versions of `steps` that it serves.
    pub versions: String,
    pub seed: u64,
    /// The pause between two starts of its client.
    pub pause_ms: u64,
}

impl Orders {
    /// As arguments of the process.
    pub fn arguments(&self) -> [String; 7] {
        let Orders { url, name, facts, versions, seed, pause_ms } = self;
        let facts = facts.to_string_lossy().into_owned();
        let (seed, pause_ms) = (seed.to_string(), pause_ms.to_string());
        ["node".to_owned(), url.clone(), name.clone(), facts, versions.clone(), seed, pause_ms]
    }

    /// Reads what comes after `node`.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Orders> {
        let mut next = || arguments.next().context("usage: node URL NAME FACTS VERSIONS SEED PAUSE_MS");
        let (url, name, facts, versions) = (next()?, next()?, next()?.into(), next()?);
        Ok(Orders { url, name, facts, versions, seed: next()?.parse()?, pause_ms: next()?.parse()? })
    }
}

/// Lives until it is told to leave, or killed.
pub async fn live(orders: Orders) -> anyhow::Result<()> {
    let mut leave = signal(SignalKind::terminate())?;
    let (stage, mut wishes) = tokio::select! {
        prepared = prepare(&orders) => prepared?,
        _ = leave.recv() => return Ok(()),
    };
    let runtime = tokio::select! {
        runtime = start(&orders, &stage) => runtime?,
        _ = leave.recv() => return Ok(()),
    };
    let client = Client::new(runtime.clone(), Arc::clone(&stage), orders.pause_ms);
    let starting = tokio::spawn(Arc::clone(&client).start_runs());
    loop {
        tokio::select! {
            _ = leave.recv() => break,
            wish = wishes.recv() => match wish {
                Some(Wish::Signal(run)) => drop(tokio::spawn(Arc::clone(&client).signal(run))),
                Some(Wish::Quiet) => client.quiet(),
                // The conductor is gone: nobody needs this process any more.
                None => break,
            },
        }
    }
    starting.abort();
    // Unanswered in an outage; the lease then runs out by itself.
    if let Err(error) = runtime.shutdown(GRACE).await {
        eprintln!("{}: {error}", orders.name);
    }
    Ok(())
}

/// What the conductor wants of the client.
enum Wish {
    Signal(RunId),
    Quiet,
}

type Wishes = tokio::sync::mpsc::UnboundedReceiver<Wish>;

async fn prepare(orders: &Orders) -> anyhow::Result<(Arc<Stage>, Wishes)> {
    let now = persist(async || {
        let mut connection = PgConnection::connect(&orders.url).await?;
        let now: Timestamp =
            sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut connection).await?;
        anyhow::Ok(now)
    });
    let now = now.await;
    let oracle = Oracle::create(&orders.facts, now.timestamp_micros())?;
    let skew_s = (wall_clock() - now).num_seconds();
    oracle.note(Fact::Life { node: orders.name.clone(), pid: std::process::id(), skew_s });
    let chance = Clock::seeded(Timestamp::UNIX_EPOCH, orders.seed);
    let (panic, block) = (AtomicBool::new(false), AtomicBool::new(false));
    let stage = Arc::new(Stage { oracle, chance, panic, block });
    Ok((Arc::clone(&stage), listen(stage)))
}

#[expect(clippy::disallowed_methods, reason = "a wall clock that is off is one of the faults")]
fn wall_clock() -> Timestamp {
    chrono::Utc::now()
}

/// Reads orders on a thread of its own: a worker that is blocked must not keep the next order from being read.
fn listen(stage: Arc<Stage>) -> Wishes {
    let (sender, wishes) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("panic", _) => stage.panic.store(true, Ordering::Relaxed),
                ("block", _) => stage.block.store(true, Ordering::Relaxed),
                ("quiet", _) => drop(sender.send(Wish::Quiet)),
                ("signal", run) => drop(run.parse().map(|run| sender.send(Wish::Signal(run)))),
                (other, _) => eprintln!("an order that nobody knows: {other}"),
            }
        }
    });
    wishes
}

async fn start(orders: &Orders, stage: &Arc<Stage>) -> anyhow::Result<Runtime> {
    let pool = PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(3));
    let pool = pool.connect_lazy(&orders.url)?;
    Ok(persist(async || {
        let builder = Runtime::builder(pool.clone())
            .node_name(&orders.name)
            .lease(LEASE)
            .live_runs(LIVE_RUNS)
            .park_after(Duration::from_millis(150))
            .poll_interval(Duration::from_millis(300));
        Ok(workload::serve(builder, stage, &orders.versions).start().await?)
    })
    .await)
}

/// Tries until the database lets it, as whoever restarts a process for ever does.
async fn persist<T>(attempt: impl AsyncFn() -> anyhow::Result<T>) -> T {
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => eprintln!("not yet: {error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
