//! A process's hold on its exporter.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::folds::Folds;
use super::{ExportSettings, Exporter};
use crate::actor::supervisor::Engine;
use crate::store::Outbox;

/// The exporter of a process, if it has one.
#[derive(Default)]
pub(crate) struct Exporting {
    running: Mutex<Option<Running>>,
    pub(in crate::actor) folds: Folds,
}

struct Running {
    stopping: watch::Sender<bool>,
    agent: JoinHandle<()>,
}

/// The pause before an exporter that panicked begins anew: a bug must not become a loop that does nothing else.
const PANIC_PAUSE: Duration = Duration::from_secs(10);

impl Engine {
    /// Begins to export, if this process is to.
    pub(in crate::actor) fn begin_export(self: &Arc<Engine>) {
        if let Some(settings) = &self.settings.export {
            self.exporting.start(self, settings);
        }
    }
}

impl Exporting {
    fn start(&self, engine: &Arc<Engine>, settings: &Arc<ExportSettings>) {
        let (stopping, stop) = watch::channel(false);
        let (engine, settings) = (Arc::clone(engine), Arc::clone(settings));
        let agent = async move {
            loop {
                let (engine, settings, stopping) = (Arc::clone(&engine), Arc::clone(&settings), stop.clone());
                let exporter = Exporter { engine, settings, stopping };
                match AssertUnwindSafe(exporter.run()).catch_unwind().await {
                    Ok(()) => return,
                    Err(_) => tracing::error!("the exporter panicked: it begins anew"),
                }
                tokio::time::sleep(PANIC_PAUSE).await;
            }
        };
        let running = Running { stopping, agent: tokio::spawn(agent) };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    /// Stops it when everything that was committed is exported, at the deadline at the latest; then others may export.
    pub(crate) async fn finish(&self, store: &dyn Outbox, deadline: Instant) {
        let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let Running { stopping, mut agent } = running;
        let _gone = stopping.send(true);
        if tokio::time::timeout_at(deadline, &mut agent).await.is_err() {
            agent.abort();
            tracing::info!("not everything was exported in time: another process goes on, or the next one");
            if let Err(error) = store.end_export().await {
                tracing::debug!(%error, "the next exporter has to wait a moment");
            }
        }
    }

    /// Stops it at once.
    pub(crate) fn halt(&self) {
        if let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            running.agent.abort();
        }
    }
}
