//! What an embedder holds: a builder, a runtime, and a handle of each run.

mod builder;
mod create;
mod start;
mod replay;
mod bulk;
mod wanted;
mod handle;
mod control;
mod signal_all;
mod signal_key;
mod follow;
mod watch;
mod logs;
mod chunks;
mod explain;
mod search;
mod flow;
mod retention;
mod export;
mod schedule;
mod schedules;
mod subscription;
mod push;
mod triggers;
mod metrics;
mod check;
mod error;

pub use self::builder::RuntimeBuilder;
pub use self::bulk::{Bulk, BulkAnswer, BulkDone, BulkIntent, BulkPreview, BulkReport, BulkRun};
pub use self::check::Check;
pub use self::chunks::Chunks;
#[cfg(feature = "http")]
pub(crate) use self::control::check_text;
pub use self::control::{CancelOptions, Cancelled, Runtime};
pub use self::error::{Error, NotReplayable, RunError};
#[cfg(feature = "otel")]
pub use self::export::Export;
pub use self::export::ExportLag;
pub use self::flow::PauseOptions;
pub use self::handle::RunHandle;
pub use self::logs::LogTail;
pub use self::push::{Pushed, TriggerEvent};
pub use self::replay::{ReplayOptions, ReplayPlan, Replayed};
pub use self::retention::RetentionPolicy;
pub use self::schedule::Schedule;
pub use self::schedules::Schedules;
pub use self::signal_all::SignalledAll;
pub use self::signal_key::{SignalOptions, Signalled};
pub use self::start::{NewRun, Started};
pub use self::subscription::Subscription;
pub use self::triggers::Triggers;
pub use self::watch::Watch;
