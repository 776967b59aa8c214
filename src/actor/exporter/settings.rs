//! What is exported, and where to.

use std::time::Duration;

use crate::telemetry::otlp::Sender;
use crate::telemetry::spans::{AtCreation, AtEnd};

/// The settings of an export; the runtime's builder fills them in and checks them.
#[derive(Debug)]
pub(crate) struct ExportSettings {
    /// The way to the backend.
    pub(crate) sender: Sender,
    /// Which runs are exported.
    pub(crate) at_creation: AtCreation,
    /// Which of them are exported at all, once it is known how they ended; `None`: every one, as it goes.
    pub(crate) at_end: Option<AtEnd>,
    /// How often the outbox is looked at when it was empty the last time.
    pub(crate) interval: Duration,
    /// Runs whose folds are kept from one commit to the next.
    pub(crate) runs_kept: usize,
}
