//! Runs at a steady pace, each measured from the instant at which it was due to start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runlog::Runtime;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::steps::steps;
use crate::times::percentile_ms;

/// Steps of a run.
const STEPS: u32 = 5;

/// Runs under way at most; one that finds no room is counted as late and not started.
const IN_FLIGHT_MAX: usize = 1_000;

/// Makes the node; it takes no part in retention, so that nobody archives but who is asked to.
pub async fn serve(pool: &PgPool, share: f64) -> anyhow::Result<Runtime> {
    let builder = Runtime::builder(pool.clone()).workflow(steps()).retention(false);
    Ok(builder.retention_share(share).start().await?)
}

/// Makes a process that archives without a rest when it is asked to.
pub async fn client(pool: &PgPool) -> anyhow::Result<Runtime> {
    Ok(Runtime::builder(pool.clone()).client().retention_share(1.0).start().await?)
}

/// The runs, until it is dropped.
pub struct Load {
    finished: Arc<Mutex<Vec<Duration>>>,
    late: Arc<AtomicU64>,
    pace: JoinHandle<()>,
}

/// What a phase came to.
pub struct Sample {
    /// How long the runs took, in order.
    times: Vec<Duration>,
    /// Runs that found no room.
    pub late: u64,
}

impl Load {
    /// Starts `rate` runs a second.
    pub fn begin(runtime: &Runtime, rate: u32) -> Load {
        let (finished, late) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let (runtime, taken, refused) = (runtime.clone(), Arc::clone(&finished), Arc::clone(&late));
        let pace = tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
            let mut due = tokio::time::interval(Duration::from_secs(1) / rate);
            loop {
                let due_at = due.tick().await;
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                };
                let (runtime, taken) = (runtime.clone(), Arc::clone(&taken));
                tokio::spawn(async move {
                    let Ok(run) = runtime.run(&steps(), STEPS).start().await else { return };
                    if run.output().await.is_ok() {
                        taken.lock().unwrap_or_else(PoisonError::into_inner).push(due_at.elapsed());
                    }
                    drop(permit);
                });
            }
        });
        Load { finished, late, pace }
    }

    /// Begins a phase: what finished before does not count.
    pub fn clear(&self) -> Instant {
        drop(self.take());
        Instant::now()
    }

    /// Ends a phase.
    pub fn take(&self) -> Sample {
        let mut times = std::mem::take(&mut *self.finished.lock().unwrap_or_else(PoisonError::into_inner));
        times.sort_unstable();
        Sample { times, late: self.late.swap(0, Ordering::Relaxed) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.pace.abort();
    }
}

impl Sample {
    pub fn runs(&self) -> usize {
        self.times.len()
    }

    /// Milliseconds in which so many of 100 runs finished.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        percentile_ms(&self.times, percent)
    }
}
