//! What the code of a task tells by `tracing` and where it goes, and what a process counts.
//!
//! The library never installs a subscriber. An embedder adds [`log_layer`] to its own, and the events of its code inside a
//! task become that run's lines. Needs the feature `logs`.

pub mod names;
pub mod ids;
pub mod spans;
#[cfg(feature = "otel")]
pub mod otlp;
mod metrics;
mod remote;
mod scope;
#[cfg(feature = "logs")]
mod foreign;
#[cfg(feature = "logs")]
mod layer;

#[cfg(feature = "logs")]
pub use self::foreign::CodeFilter;
#[cfg(feature = "logs")]
pub use self::layer::{LogLayer, log_layer};

#[cfg(feature = "otel")]
pub(crate) use self::metrics::Unexported;
pub(crate) use self::metrics::{Answered, Census, Metrics, Moment};
#[cfg(feature = "http")]
pub(crate) use self::metrics::{Streaming, TEXT_TYPE};
#[cfg(feature = "otel")]
pub(crate) use self::remote::Hushed;
pub(crate) use self::remote::{Remote, caller};
pub(crate) use self::scope::{Paper, current as paper, on};
