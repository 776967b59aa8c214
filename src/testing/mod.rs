//! The test kit: what a test, a bench, an example or `runlog demo` needs around the engine.
//!
//! Behind the feature `testing`, never in a production build by default.
//! [`Kit`] runs workflows in memory and in virtual time: no database, no waiting.
//! Unlike the rest of the crate, [`postgres`] reads the environment (`PATH`, `HOME`, `XDG_CACHE_HOME`, `TMPDIR`,
//! `DATABASE_URL`), starts processes and writes below the user's cache folder and the temporary folder.

mod kit;
#[cfg(unix)]
pub mod postgres;

pub use self::kit::{Crash, CrashFailure, CrashReport, Kit, KitBuilder, KitRun, Side};
