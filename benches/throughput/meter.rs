//! What is measured while a workload runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::server::{Bench, Counters};

/// Collects the runs that finish, from their start to their finish, while a window is open.
#[derive(Default)]
pub struct Meter {
    open: AtomicBool,
    stopped: AtomicBool,
    runs: Mutex<Vec<Duration>>,
}

impl Meter {
    /// Notes a run that has just finished.
    pub fn finished(&self, begun: Instant) {
        if self.open.load(Ordering::Relaxed) {
            self.lock().push(begun.elapsed());
        }
    }

    /// Says whether no further run is to be started.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Lets the workload warm up, measures it for `window`, and tells it to stop.
    pub async fn measure(&self, bench: &Bench, window: Duration) -> anyhow::Result<Sample> {
        tokio::time::sleep(window / 3).await;
        let before = bench.counters().await?;
        self.open.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        tokio::time::sleep(window).await;
        self.open.store(false, Ordering::Relaxed);
        let took = begun.elapsed();
        let after = bench.counters().await?;
        self.stopped.store(true, Ordering::Relaxed);
        Ok(Sample::of(&mut self.lock(), took, &before, &after))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Duration>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a window came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Runs finished per second.
    pub runs_per_s: f64,
    /// Milliseconds from start to finish: the median, 95 and 99 of 100.
    pub percentiles_ms: [f64; 3],
    /// Transactions that wrote, per run.
    pub transactions: f64,
    /// Rows inserted per run: events and runs.
    pub rows: f64,
    /// Kilobytes (1,000) of WAL per run.
    pub wal_kb: f64,
    /// Milliseconds of this process' CPU per run.
    pub client_ms: f64,
    /// Milliseconds of the server's CPU per run.
    pub server_ms: f64,
}

impl Sample {
    fn of(runs: &mut [Duration], took: Duration, before: &Counters, after: &Counters) -> Sample {
        runs.sort_unstable();
        let n = (runs.len() as f64).max(1.0);
        let at = |share: f64| {
            let place = (share * (n - 1.0)).round() as usize;
            runs.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        let percentiles_ms = [at(0.5), at(0.95), at(0.99)];
        Sample { percentiles_ms, ..Sample::between(runs.len(), took, before, after) }
    }

    /// What `runs` took of the machine.
    pub fn between(runs: usize, took: Duration, before: &Counters, after: &Counters) -> Sample {
        let n = (runs as f64).max(1.0);
        Sample {
            runs_per_s: runs as f64 / took.as_secs_f64(),
            transactions: (after.transactions - before.transactions) as f64 / n,
            wal_kb: (after.wal_bytes - before.wal_bytes) as f64 / n / 1e3,
            client_ms: (after.client_ms - before.client_ms) / n,
            server_ms: (after.server_ms - before.server_ms) / n,
            ..Sample::default()
        }
    }

    /// Client and server together.
    pub fn cpu_ms(&self) -> f64 {
        self.client_ms + self.server_ms
    }
}
