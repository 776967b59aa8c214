//! When a schedule is due: rules over cron expressions, time zones and instants, nothing else.
//!
//! Which fields an expression names is read by `croner`, which offset a zone has by `chrono-tz`; what a wall clock that is put
//! forward or back does to an occurrence is decided in `cron.rs` alone.

mod cron;
mod misfire;

pub use self::cron::{Cron, CronError};
pub use self::misfire::{Due, Misfire, MisfireError, due};

use super::Timestamp;

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Again and again.
    Cron(Cron),
    /// Once.
    At(Timestamp),
}

impl Timing {
    /// Returns the first occurrence after an instant; that of a one-off schedule stands wherever it is.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Timing::Cron(cron) => cron.next_after(after),
            Timing::At(at) => Some(*at),
        }
    }
}
