//! The running engine: one actor a live run, the journal they share, and the agents that feed them.
//!
//! A run's actor decides, appends, adopts, performs and replies, and can die at any line: whatever it knew is in the
//! log. Nothing here knows SQL; user code runs in attempts, never inside a handler.

mod settings;
mod node;
mod journal;
mod admission;
mod birth;
mod run;
mod live;
mod watchers;
mod followers;
mod writing;
mod postman;
mod collector;
mod claimer;
mod leaseholder;
mod rescuer;
mod herald;
mod listener;
mod timekeeper;
mod pruner;
mod paused;
#[cfg(feature = "otel")]
mod exporter;
mod scheduler;
mod supervisor;
mod hints;
mod rejoin;
mod moment;
#[cfg(feature = "otel")]
mod reporter;

pub(crate) use self::birth::{Born, Start, Target};
#[cfg(feature = "otel")]
pub(crate) use self::exporter::ExportSettings;
pub(crate) use self::followers::SAY_EVERY;
pub(crate) use self::pruner::{Passed, begin_pass, pass};
#[cfg(feature = "otel")]
pub(crate) use self::reporter::Push;
pub(crate) use self::run::{Begin, Beginning, Creation};
pub(crate) use self::scheduler::Versions;
pub(crate) use self::settings::Settings;
#[cfg(feature = "testing")]
pub(crate) use self::settings::{Body, Witness};
pub(crate) use self::supervisor::Engine;
pub(crate) use self::watchers::Finish;
