//! Tests of workflows in memory and in virtual time.
//!
//! A [`Kit`] is a runtime on the store in memory. Time is tokio's: under `#[tokio::test(start_paused = true)]` thirty
//! days pass in a moment, every timer in its order. It can crash and recover, and shows a run's log as text.
//!
//! ```
//! use std::time::Duration;
//! use runlog::testing::Kit;
//! use runlog::{Cx, Workflow};
//!
//! async fn trial(cx: Cx, user: String) -> anyhow::Result<String> {
//!     cx.step("invite", || async { anyhow::Ok(()) }).await?;
//!     let kept: Option<bool> = cx.signal("decided").timeout(Duration::from_secs(30 * 24 * 3600)).await?;
//!     Ok(format!("{user} {}", if kept.unwrap_or(false) { "stays" } else { "leaves" }))
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> anyhow::Result<()> {
//! // #[tokio::test(start_paused = true)]
//! let trial = Workflow::function("trial", trial);
//! let kit = Kit::builder().workflow(trial.clone()).start().await?;
//! let run = kit.run(&trial, &"Ada".to_owned()).await?;
//! kit.crash();
//! kit.recover().await?;
//! kit.advance(Duration::from_secs(31 * 24 * 3600)).await;
//! assert_eq!(run.output().await?, "Ada leaves");
//! assert_eq!(
//!     run.log().await?,
//!     "run_created\nrun_started\nattempt_started\nstep_completed invite#0\n\
//!      signal_awaited decided#0\nrun_claimed\nsignal_timed_out decided#0\nattempt_succeeded\nrun_succeeded\n"
//! );
//! // The same, with a crash before and after every commit: nothing changes but the number of claims.
//! let report = Kit::builder()
//!     .workflow(trial.clone())
//!     .crash_everywhere(async |kit| kit.run(&trial, &"Ada".to_owned()).await.unwrap().output().await.unwrap())
//!     .await?;
//! assert_eq!(report.outcome, "Ada leaves");
//! # Ok(())
//! # }
//! ```

mod world;
mod run;
mod log;
mod crash;
mod cut;

pub use self::crash::{CrashFailure, CrashReport};
pub use self::cut::{Crash, Side};
pub use self::run::KitRun;
pub use self::world::{Kit, KitBuilder};
