//! Exports spans of what was committed: each at least once, by one process at a time.

mod folds;
mod hand;
mod sampled;
mod post;
mod settings;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use self::hand::Exporting;
pub(crate) use self::settings::ExportSettings;
use self::work::Work;
use super::supervisor::Engine;
use crate::store::StoreError;
use crate::store::outbox::ExportBegun;

/// The agent that exports, unless another process does: the database says who.
///
/// It reads the outbox on a connection of its own, folds the logs that it names, sends, and then removes what it read. An
/// engine neither waits for it nor knows how far it is.
pub(crate) struct Exporter {
    engine: Arc<Engine>,
    settings: Arc<ExportSettings>,
    stopping: watch::Receiver<bool>,
}

/// Why this process exports no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Another process may do it.
    Lost,
    /// It was told to stop, and there is nothing left to export.
    Stopped,
}

/// The pause after the database did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// How often a process says that it is the exporter, within the time after which it is none.
const WORDS_PER_LEASE: u32 = 3;

impl Exporter {
    async fn run(mut self) {
        while !*self.stopping.borrow() {
            let pause = match self.begin().await {
                Ok(None) => return,
                Ok(Some(pause)) => pause,
                Err(error) => {
                    tracing::warn!(%error, "the export is interrupted: it goes on where it was");
                    RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // Fails when nobody is there to stop it, which is a stop.
                _told = self.stopping.changed() => {}
            }
        }
    }

    /// Exports as long as this process may; says when to try again, unless it was told to stop.
    async fn begin(&mut self) -> Result<Option<Duration>, StoreError> {
        let (store, lease) = (&self.engine.store, self.engine.settings.lease);
        let begun = Instant::now();
        match store.begin_export(&self.engine.settings.node_name, lease).await? {
            ExportBegun::Held(holder) => {
                // One that stops in order makes room before its time. Not all of them at once.
                let pause = self.engine.clock.until(holder.until).min(lease / WORDS_PER_LEASE);
                Ok(Some(pause + (lease / WORDS_PER_LEASE).mul_f64(self.engine.clock.chance())))
            }
            ExportBegun::Yours => {
                tracing::debug!("this process exports");
                let work = Work::new(&self.engine, &self.settings, self.stopping.clone());
                let ended = tokio::select! {
                    ended = work.run() => ended?,
                    ended = self.keep(begun) => ended,
                };
                if ended == Ended::Stopped {
                    store.end_export().await?;
                    return Ok(None);
                }
                tracing::warn!("another process may export: what was sent twice is the same");
                Ok(Some(lease / WORDS_PER_LEASE))
            }
        }
    }

    /// Says again and again that this process is the exporter, whatever it waits for; ends when it no longer is.
    async fn keep(&self, begun: Instant) -> Ended {
        let lease = self.engine.settings.lease;
        let mut held = begun;
        loop {
            tokio::time::sleep(lease / WORDS_PER_LEASE).await;
            let asked = Instant::now();
            match self.engine.store.hold_export(lease).await {
                Ok(true) => held = asked,
                Ok(false) => return Ended::Lost,
                Err(error) if held.elapsed() < lease => {
                    tracing::debug!(%error, "the database does not hear that this process exports");
                }
                Err(_) => return Ended::Lost,
            }
        }
    }
}
