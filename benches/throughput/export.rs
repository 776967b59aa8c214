//! What an export costs: the same workload without it, with a node that exports itself, and with an exporter beside;
//! and the export alone, of what was committed before it began.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use runlog::telemetry::otlp::Otlp;
use runlog::{Export, Runtime, RuntimeBuilder};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::cells::finish;
use super::meter::{Meter, Sample};
use super::server::Bench;
use super::workloads::{self, Kind};

/// Who exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    Nobody,
    /// The node that executes.
    Itself,
    /// A client beside it.
    Another,
    /// A client, when the runs have ended: nothing else is at work, so it is the least noisy of the figures.
    Later,
}

/// How one workload fared.
pub struct Exported {
    pub in_flight: usize,
    pub by: By,
    pub sample: Sample,
    /// Commits that were not exported yet when the last run had ended, and how old the oldest of them was.
    pub behind: u64,
    pub behind_s: f64,
    /// Until they were.
    pub drained_s: f64,
}

const PATIENCE: Duration = Duration::from_secs(120);

/// Measures a workload in each way; every round begins with another.
pub async fn measure(
    bench: &Bench,
    in_flight: usize,
    window: Duration,
    round: usize,
) -> anyhow::Result<Vec<Exported>> {
    const WAYS: [By; 4] = [By::Nobody, By::Itself, By::Another, By::Later];
    let mut measured = Vec::new();
    for by in WAYS.into_iter().cycle().skip(round % WAYS.len()).take(WAYS.len()) {
        measured.push(with(bench, in_flight, window, by).await?);
    }
    Ok(measured)
}

async fn run(bench: &Bench, runtime: &Runtime, in_flight: usize, window: Duration) -> anyhow::Result<Sample> {
    let meter = Arc::new(Meter::default());
    let mut drivers = workloads::keep_in_flight(runtime, Kind::Five, in_flight, Duration::ZERO, &meter);
    let sample = meter.measure(bench, window).await?;
    finish(&mut drivers).await?;
    Ok(sample)
}

async fn with(bench: &Bench, in_flight: usize, window: Duration, by: By) -> anyhow::Result<Exported> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let receiver = axum::Router::new().route("/v1/traces", post(|_spans: Bytes| async { StatusCode::OK }));
    let receiver = tokio::spawn(async move { axum::serve(listener, receiver).await });
    let exporting = |builder: RuntimeBuilder| builder.export(Export::otlp(Otlp::http(url.clone())));
    let node = Runtime::builder(bench.pool.clone()).node_name("executes").workflow(Kind::Five.workflow());
    if by != By::Nobody {
        // Open before somebody exports: the runs of the other cells are not looked through.
        bench.execute("update runlog.outbox_open set until = clock_timestamp() + interval '1 hour'").await?;
    }
    let node = if by == By::Itself { exporting(node) } else { node }.start().await?;
    let client = || exporting(Runtime::builder(bench.pool.clone()).client().node_name("exports"));
    let beside = match by {
        By::Another => Some(client().start().await?),
        By::Nobody | By::Itself | By::Later => None,
    };
    let mut sample = run(bench, &node, in_flight, window).await?;
    let lag = node.export_lag().await?;
    let before = match by {
        By::Later => Some((runs_waiting(bench).await?, bench.counters().await?)),
        By::Nobody | By::Itself | By::Another => None,
    };
    let begun = Instant::now();
    let later = if before.is_some() { Some(client().start().await?) } else { None };
    while by != By::Nobody && node.export_lag().await?.commits > 0 {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the export does not come to its end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let drained = begun.elapsed();
    if let Some((runs, before)) = &before {
        sample = Sample::between(*runs, drained, before, &bench.counters().await?);
    }
    for runtime in beside.into_iter().chain(later).chain([node]) {
        runtime.shutdown(PATIENCE).await?;
    }
    receiver.abort();
    bench.execute("update runlog.outbox_open set until = null").await?;
    let (behind, behind_s) = (lag.commits, lag.age.as_secs_f64());
    Ok(Exported { in_flight, by, sample, behind, behind_s, drained_s: drained.as_secs_f64() })
}

/// Counts the runs with events that are not exported yet.
async fn runs_waiting(bench: &Bench) -> anyhow::Result<usize> {
    let runs = "select count(distinct run) from runlog.outbox o, unnest(o.runs) run";
    Ok(usize::try_from(sqlx::query_scalar::<_, i64>(runs).fetch_one(&bench.pool).await?)?)
}
