//! What is exported, and where to.

use std::time::Duration;

use crate::telemetry::otlp::Sender;
use crate::telemetry::spans::{AtCreation, AtEnd};

/// The settings of an export; the runtime's builder fills them in and checks them.
#[derive(Debug)]
pub(crate) struct ExportSettings {
    /// The way to the backend.
    pub(crate) sender: Sender,
    /// Which traces are exported as they go.
    pub(crate) at_creation: AtCreation,
    /// Which of the others are exported at their ends.
    pub(crate) at_end: Option<AtEnd>,
    /// How often the outbox is looked at when it was empty the last time.
    pub(crate) interval: Duration,
    /// Runs whose folds are kept from one commit to the next.
    pub(crate) runs_kept: usize,
}
