//! What an export costs: the same workload with and without it, one after the other.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use runlog::telemetry::otlp::Otlp;
use runlog::{Export, Runtime};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::cells::finish;
use super::meter::{Meter, Sample};
use super::server::Bench;
use super::workloads::{self, Kind};

/// How one workload fared with an export and without.
pub struct Exported {
    pub in_flight: usize,
    pub without: Sample,
    pub with: Sample,
    /// Commits that were not exported yet when the last run had ended, and how old the oldest of them was.
    pub behind: u64,
    pub behind_s: f64,
    /// Until they were.
    pub drained_s: f64,
}

const PATIENCE: Duration = Duration::from_secs(120);

/// Measures a workload both ways; `first` says which comes first.
pub async fn measure(
    bench: &Bench,
    runtime: &Runtime,
    in_flight: usize,
    window: Duration,
    export_first: bool,
) -> anyhow::Result<Exported> {
    if export_first {
        let (with, behind, behind_s, drained_s) = with_export(bench, runtime, in_flight, window).await?;
        let without = run(bench, runtime, in_flight, window).await?;
        return Ok(Exported { in_flight, without, with, behind, behind_s, drained_s });
    }
    let without = run(bench, runtime, in_flight, window).await?;
    let (with, behind, behind_s, drained_s) = with_export(bench, runtime, in_flight, window).await?;
    Ok(Exported { in_flight, without, with, behind, behind_s, drained_s })
}

async fn run(bench: &Bench, runtime: &Runtime, in_flight: usize, window: Duration) -> anyhow::Result<Sample> {
    let meter = Arc::new(Meter::default());
    let mut drivers = workloads::keep_in_flight(runtime, Kind::Five, in_flight, Duration::ZERO, &meter);
    let sample = meter.measure(bench, window).await?;
    finish(&mut drivers).await?;
    Ok(sample)
}

async fn with_export(
    bench: &Bench,
    runtime: &Runtime,
    in_flight: usize,
    window: Duration,
) -> anyhow::Result<(Sample, u64, f64, f64)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let receiver = axum::Router::new().route("/v1/traces", post(|_spans: Bytes| async { StatusCode::OK }));
    let receiver = tokio::spawn(async move { axum::serve(listener, receiver).await });
    // Open before somebody exports: the runs of the other cells are not looked through.
    bench.execute("update runlog.outbox_open set until = clock_timestamp() + interval '1 hour'").await?;
    let exporter = Runtime::builder(bench.pool.clone())
        .client()
        .node_name("exporter")
        .export(Export::otlp(Otlp::http(url)))
        .start()
        .await?;
    let sample = run(bench, runtime, in_flight, window).await?;
    let lag = exporter.export_lag().await?;
    let begun = Instant::now();
    while exporter.export_lag().await?.commits > 0 {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the export does not come to its end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let drained = begun.elapsed();
    exporter.shutdown(PATIENCE).await?;
    receiver.abort();
    bench.execute("update runlog.outbox_open set until = null").await?;
    Ok((sample, lag.commits, lag.age.as_secs_f64(), drained.as_secs_f64()))
}
