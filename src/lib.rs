//! Durable, inspectable workflows on nothing but Postgres: every run is its log.

pub mod model;
pub mod store;
pub mod clock;
#[cfg(feature = "testing")]
pub mod testing;
