//! Why a run failed, or why it stands where it stands: the root cause as data.

mod cause;
mod site;
mod waits;
mod find;
mod walk;
mod headline;
mod similar;
mod said;
mod action;

pub use self::action::Action;
pub use self::cause::{Cause, Fault, NoMore};
pub use self::similar::Similar;
pub use self::site::{Site, StepSite};
pub use self::waits::Wait;
pub use self::walk::why;
pub(super) use self::walk::why_of;

use super::diff::StartDiff;
use crate::model::{NodeId, RunId, Status, TaskName, Timestamp, Version, WorkflowName};
use crate::store::LogLine;

/// The answer to "why": for a run that failed the root cause, followed through its child runs to the one where it lies; for
/// one that waits what it waits for, followed in the same way.
///
/// [`headline`](Why::headline) is the answer in one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The run that was asked about.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// Where it stands.
    pub status: Status,
    /// The node that owns it, or wrote last.
    pub node: Option<NodeId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its code started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The runs from the one asked about to the one where the cause lies: down to child runs, or up to the parent run that
    /// ended it. Never empty.
    pub path: Vec<Hop>,
    /// What the cause is.
    pub cause: Cause,
    /// Where in the last run of the path it lies: the task, attempt and step, with their input and error.
    pub site: Option<Site>,
    /// What the last run of the path waits for, or waited for when its time was up.
    pub waits: Vec<Wait>,
    /// The last good run before it, and what it was started with otherwise; for runs that failed or timed out.
    pub last_good: Option<LastGood>,
    /// What the code wrote last in the attempt of [`site`](Why::site): its newest ten log lines, in order. Lines are written
    /// beside the log, some moments late.
    pub lines: Vec<LogLine>,
    /// Other runs that failed for the same cause; for runs that failed or timed out. `None`, too, when counting them took the
    /// database too long.
    pub similar: Option<Similar>,
    /// What a person can do about it.
    pub actions: Vec<Action>,
}

/// One run on the way to the cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// Where it stands.
    pub status: Status,
    /// The task of it on the way, or where the cause lies.
    pub task: Option<TaskName>,
}

/// The newest good run before a bad one, and what differs in how they were started.
#[derive(Clone, Debug, PartialEq)]
pub struct LastGood {
    /// The good run.
    pub run: RunId,
    /// Its version.
    pub version: Version,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What differs from the good run (`a`) to the bad one (`b`).
    pub changes: StartDiff,
}
