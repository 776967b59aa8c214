//! What the code of a task tells by `tracing`, and where it goes.
//!
//! The library never installs a subscriber. An embedder adds [`log_layer`] to its own, and the events of its code inside a
//! task become that run's lines. Needs the feature `logs`.

mod scope;
#[cfg(feature = "logs")]
mod layer;

#[cfg(feature = "logs")]
pub use self::layer::{LogLayer, log_layer};

pub(crate) use self::scope::{Paper, on};
