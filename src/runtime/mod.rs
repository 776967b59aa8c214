//! What an embedder holds: a builder, a runtime, and a handle of each run.

mod builder;
mod start;
mod handle;
mod control;
mod follow;
mod watch;
mod error;

pub use self::builder::RuntimeBuilder;
pub use self::control::{CancelOptions, Cancelled, Runtime};
pub use self::error::{Error, RunError};
pub use self::handle::RunHandle;
pub use self::start::{NewRun, Started};
pub use self::watch::Watch;
