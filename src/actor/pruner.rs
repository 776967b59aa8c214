//! Moves runs that ended long ago out of the way.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::supervisor::Engine;
use crate::store::{Archive, Holder, PassBegun, Pruned, Step, StoreError, Tally};

/// The agent that makes the retention passes that are due, unless another process is at one: the database says who.
///
/// A pass is done in small steps with pauses, on a connection of its own. One that fails is told there, and repeated
/// before its time.
pub(crate) struct Pruner {
    pub(crate) engine: Arc<Engine>,
}

/// When a process that has just started looks for the first time, at the latest.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// The longest pause between two steps: the pass must stay ours.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// The first pause after a pass that failed; it doubles with every further one, up to the interval.
const RETRY_FIRST: Duration = Duration::from_secs(10);

/// The shortest pause between two looks.
const LOOK_PAUSE_MIN: Duration = Duration::from_secs(1);

impl Pruner {
    pub(crate) async fn run(self) {
        if self.engine.store.pool().is_none() {
            return;
        }
        let interval = self.engine.settings.retention_interval;
        let mut pause = interval.min(FIRST_LOOK).mul_f64(self.engine.clock.chance());
        loop {
            tokio::time::sleep(pause).await;
            pause = match pass(&self.engine, false).await {
                Ok(Passed::Never) => return,
                Ok(Passed::Done(tally)) => {
                    tell(&tally);
                    interval
                }
                Ok(Passed::NotDue(wait)) => wait,
                Ok(Passed::Held(_)) => FIRST_LOOK,
                Err(error) => {
                    tracing::warn!(%error, "a retention pass failed: it will be repeated");
                    RETRY_FIRST
                }
            };
            // Not all nodes at once.
            let spread = interval.min(FIRST_LOOK).mul_f64(self.engine.clock.chance() / 10.0);
            pause = pause.clamp(LOOK_PAUSE_MIN.min(interval), interval) + spread;
        }
    }
}

fn tell(tally: &Tally) {
    let Tally { archived, deleted, months } = tally;
    tracing::debug!(archived, deleted, "a retention pass is complete");
    for month in months {
        tracing::info!(month, "dropped a month of the log: its runs are in the archive");
    }
}

/// What became of a pass that was asked for.
pub(crate) enum Passed {
    /// It is complete.
    Done(Tally),
    /// None is due for so long.
    NotDue(Duration),
    /// Somebody else is at it.
    Held(Holder),
    /// This store keeps everything for ever.
    Never,
}

/// Makes a pass if one is due, or `now`. What went wrong in it is kept where everybody sees it.
pub(crate) async fn pass(engine: &Engine, now: bool) -> Result<Passed, StoreError> {
    Ok(match engine.store.begin_pass(&engine.settings.node_name, now).await? {
        PassBegun::Yours { failures } => Passed::Done(carry_out(engine, failures).await?),
        PassBegun::NotDue { next_at } => Passed::NotDue(engine.clock.until(next_at)),
        PassBegun::Held(holder) => Passed::Held(holder),
        PassBegun::Never => Passed::Never,
    })
}

/// Begins a pass now and lets it go on by itself, for as long as the process serves; says who is at one if somebody is.
pub(crate) async fn begin_pass(engine: &Arc<Engine>) -> Result<Option<Holder>, StoreError> {
    match engine.store.begin_pass(&engine.settings.node_name, true).await? {
        PassBegun::Yours { failures } => {
            let ours = Arc::clone(engine);
            let pass = async move {
                match carry_out(&ours, failures).await {
                    Ok(tally) => tell(&tally),
                    Err(error) => tracing::warn!(%error, "a retention pass failed: it will be repeated"),
                }
            };
            engine.keep(pass.boxed());
            Ok(None)
        }
        PassBegun::Held(holder) => Ok(Some(holder)),
        PassBegun::NotDue { .. } | PassBegun::Never => Ok(None),
    }
}

/// Makes the pass that this process has; `failures` passes before it failed.
async fn carry_out(engine: &Engine, failures: u32) -> Result<Tally, StoreError> {
    let (store, interval) = (&*engine.store, engine.settings.retention_interval);
    let mut tally = Tally::default();
    let outcome = steps(store, engine.settings.retention_share, &mut tally).await;
    let next = match &outcome {
        Ok(()) => interval,
        Err(_) => RETRY_FIRST.saturating_mul(1 << failures.min(20)).min(interval),
    };
    // A tenth more or less, so that the passes of many databases on one server drift apart.
    let next = next.mul_f64(0.9 + engine.clock.chance() / 5.0);
    let error = outcome.as_ref().err().map(ToString::to_string);
    let ended = store.end_pass(error.as_deref(), next).await;
    outcome.and(ended)?;
    Ok(tally)
}

/// Goes through a pass step by step, at work for that share of the time: whoever works beside it has the database to itself
/// for the rest.
async fn steps(store: &(impl Archive + ?Sized), share: f64, tally: &mut Tally) -> Result<(), StoreError> {
    let mut next = Some(Step::FIRST);
    while let Some(step) = next {
        let begun = Instant::now();
        let Pruned { tally: done, next: then } = store.prune(&step).await?;
        tally.archived += done.archived;
        tally.deleted += done.deleted;
        tally.months.extend(done.months);
        next = then;
        if next.is_some() {
            let rest = begun.elapsed().as_secs_f64() * (1.0 / share - 1.0);
            tokio::time::sleep(Duration::from_secs_f64(rest).min(PAUSE_MAX)).await;
        }
    }
    Ok(())
}
