//! Durable, inspectable workflows on nothing but Postgres: every run is its log.
//!
//! Write a workflow as a typed DAG or a plain async function, give a [`Runtime`] your pool, and start runs:
//!
//! ```no_run
//! use runlog::{Cx, Runtime, Workflow};
//!
//! async fn greet(cx: Cx, name: String) -> anyhow::Result<String> {
//!     let greeting = cx.step("greet", || async { anyhow::Ok(format!("Hello, {name}!")) }).await?;
//!     cx.sleep(std::time::Duration::from_secs(3 * 24 * 3600)).await?;
//!     Ok(greeting)
//! }
//!
//! # async fn embed(pool: sqlx::PgPool) -> anyhow::Result<()> {
//! let greet = Workflow::function("greet", greet);
//! let runtime = Runtime::builder(pool).workflow(greet.clone()).start().await?;
//! let run = runtime.run(&greet, "Ada".to_owned()).key("greet-ada").start().await?;
//! println!("{}", run.output().await?);
//! # Ok(())
//! # }
//! ```
//!
//! `docs/GUIDE.md` shows everything a workflow can do, `docs/ARCHITECTURE.md` how it works.

pub mod model;
pub mod telemetry;
pub mod workflow;
pub mod store;
pub mod clock;
mod actor;
pub mod runtime;
pub mod inspect;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "dashboard")]
pub mod dashboard;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "cli")]
pub mod cli;

pub use self::inspect::{Page, RunView, Search};
pub use self::model::schedule::Misfire;
pub use self::model::{Failure, Filter, Level, Retry, RunId, Status, TaskStatus, Verdict};
#[cfg(feature = "otel")]
pub use self::runtime::Export;
pub use self::runtime::{
    CancelOptions, Check, Error, PauseOptions, ReplayOptions, Replayed, RetentionPolicy, RunError, RunHandle,
    Runtime, RuntimeBuilder, Schedule, SignalOptions, Signalled, Subscription, TriggerEvent,
};
pub use self::workflow::check::CheckReport;
pub use self::workflow::{Concurrency, Cx, CxError, Dag, Either, Task, TaskErrors, When, Workflow, spawn};

/// The code in the documents compiles.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/GUIDE.md")]
    mod guide {}
}
