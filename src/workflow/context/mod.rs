//! What an attempt's code is given, and how its durable operations find their recorded outcomes.

mod cx;
mod facts;
mod step;
mod wait;
mod child;
mod race;
mod racers;
mod transaction;
mod log;
mod outlet;
mod pen;
mod spawned;
mod ledger;
mod misfit;
mod rehearsal;
mod drive;

pub use self::child::Child;
pub use self::cx::Cx;
pub use self::facts::TaskErrors;
pub use self::log::Log;
pub use self::outlet::Outlet;
pub use self::race::{Either, Race, RaceAll};
pub use self::spawned::spawn;
pub use self::step::Step;
pub use self::transaction::Transaction;
pub use self::wait::{Signal, Sleep};

pub(crate) use self::child::Birth;
pub(crate) use self::cx::Host;
pub(crate) use self::drive::{Drive, Told};
pub(crate) use self::facts::AttemptFacts;
pub(crate) use self::ledger::{Cancelled, Ledger};
pub(crate) use self::pen::{Parcel, Sent};
pub(crate) use self::rehearsal::{Asked, Foreseen};
