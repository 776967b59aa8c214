//! The engine at work beside the questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use runlog::{RunId, Runtime};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::steps::steps;

/// Runs in flight.
const IN_FLIGHT: usize = 64;

/// Steps of the long run: with its other events, 5,000.
const LONG_STEPS: u32 = 4_996;

pub async fn serve(pool: &PgPool) -> anyhow::Result<Runtime> {
    Ok(Runtime::builder(pool.clone()).workflow(steps()).start().await?)
}

/// Makes a run with some 5,000 events.
pub async fn long_run(runtime: &Runtime) -> anyhow::Result<RunId> {
    let run = runtime.run(&steps(), LONG_STEPS).start().await?;
    run.output().await?;
    Ok(run.id())
}

/// Runs of five steps, as fast as they go.
pub struct Load {
    stopped: Arc<AtomicBool>,
    finished: Arc<AtomicU64>,
    tasks: JoinSet<()>,
    begun: Instant,
}

impl Load {
    pub fn begin(runtime: &Runtime) -> Load {
        let (stopped, finished) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let (runtime, stopped, finished) = (runtime.clone(), Arc::clone(&stopped), Arc::clone(&finished));
            tasks.spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    let Ok(run) = runtime.run(&steps(), 5).start().await else { return };
                    if run.output().await.is_ok() {
                        finished.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        Load { stopped, finished, tasks, begun: Instant::now() }
    }

    /// Stops, and returns how many runs finished a second.
    pub async fn end(mut self) -> f64 {
        self.stopped.store(true, Ordering::Relaxed);
        let rate = self.finished.load(Ordering::Relaxed) as f64 / self.begun.elapsed().as_secs_f64();
        while self.tasks.join_next().await.is_some() {}
        rate
    }
}
