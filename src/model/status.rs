//! The status table: what a run and a task can be, and the moves between.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Created; no node started it yet.
    Queued,
    /// Started; its code runs or waits.
    Running,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by a person's or a parent's wish.
    Cancelled,
    /// Ended by its `timeout` or `start_timeout`.
    TimedOut,
}

impl Status {
    /// Every status, in the order of a run's life.
    pub const ALL: [Status; 6] = [
        Status::Queued,
        Status::Running,
        Status::Succeeded,
        Status::Failed,
        Status::Cancelled,
        Status::TimedOut,
    ];

    /// Says whether a run may move from this status to `next`: the 8 moves that exist beside creation.
    ///
    /// The same table stands in the database as the trigger `runs_status_moves`.
    pub fn may_become(self, next: Status) -> bool {
        match self {
            Status::Queued => {
                matches!(next, Status::Running | Status::Failed | Status::Cancelled | Status::TimedOut)
            }
            Status::Running => next.is_terminal(),
            Status::Succeeded | Status::Failed | Status::Cancelled | Status::TimedOut => false,
        }
    }

    /// Says whether a run of this status has ended for good.
    pub fn is_terminal(self) -> bool {
        match self {
            Status::Queued | Status::Running => false,
            Status::Succeeded | Status::Failed | Status::Cancelled | Status::TimedOut => true,
        }
    }

    /// Says whether a run of this status ended in an error: FAILED or TIMED_OUT.
    pub fn is_failure(self) -> bool {
        match self {
            Status::Failed | Status::TimedOut => true,
            Status::Queued | Status::Running | Status::Succeeded | Status::Cancelled => false,
        }
    }

    /// Returns the word for it, as in the database and in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "QUEUED",
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::Cancelled => "CANCELLED",
            Status::TimedOut => "TIMED_OUT",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no status: expected one of QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT")]
pub struct UnknownStatus {
    /// What was found.
    pub word: String,
}

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Status, UnknownStatus> {
        let found = Status::ALL.into_iter().find(|status| status.as_str() == word);
        found.ok_or_else(|| UnknownStatus { word: word.to_owned() })
    }
}

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Waits for the tasks before it, or for its next attempt.
    Queued,
    /// An attempt is under way.
    Running,
    /// An attempt gave an output.
    Succeeded,
    /// The last attempt failed.
    Failed,
    /// The run ended before the task did.
    Cancelled,
    /// The last attempt ran out of time.
    TimedOut,
    /// A condition left it out.
    Skipped,
    /// A replay took its output over from the original run.
    Reused,
}

impl TaskStatus {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskStatus::Queued => "QUEUED",
            TaskStatus::Running => "RUNNING",
            TaskStatus::Succeeded => "SUCCEEDED",
            TaskStatus::Failed => "FAILED",
            TaskStatus::Cancelled => "CANCELLED",
            TaskStatus::TimedOut => "TIMED_OUT",
            TaskStatus::Skipped => "SKIPPED",
            TaskStatus::Reused => "REUSED",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
