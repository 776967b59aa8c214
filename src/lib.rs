//! Durable, inspectable workflows on nothing but Postgres: every run is its log.

pub mod model;
pub mod workflow;
pub mod store;
pub mod clock;
#[cfg(feature = "testing")]
pub mod testing;

pub use self::model::{Failure, Retry, RunId, Status, TaskStatus, Verdict};
pub use self::workflow::{Cx, CxError, Dag, Either, Task, TaskErrors, Workflow};
