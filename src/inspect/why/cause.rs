//! What a cause can be.

use std::time::Duration;

use crate::model::event::{Allowed, Timeout};
use crate::model::failure::{CHILD, INTERRUPTED, LOG_FULL, PANIC, PAYLOAD, POISON, TASK_TIMED_OUT};
use crate::model::{Failure, RunId, Timestamp};

/// Why a run is where it is. It is about the last run of [`Why::path`](super::Why::path), but for
/// [`ParentEnded`](Cause::ParentEnded).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// It ended well.
    Succeeded,
    /// Its code is at work.
    Working,
    /// It waits: see [`Why::waits`](super::Why::waits). For a start time, a node, a slot, a signal, a timer, a retry.
    Waiting,
    /// The code at hand does not fit its log; it waits for code that does.
    Blocked {
        /// What does not fit.
        report: String,
    },
    /// Its log cannot be read or folded; nothing more happens to it.
    Quarantined {
        /// What is wrong with the log.
        reason: String,
    },
    /// It failed.
    Failed {
        /// In which way.
        fault: Fault,
        /// Why it was not tried again.
        no_more: NoMore,
        /// The error at its root, as in [`Site::error`](super::Site::error).
        error: Failure,
    },
    /// Its time was up.
    TimedOut {
        /// Which of its timeouts.
        timeout: Timeout,
        /// The deadline that passed.
        deadline: Timestamp,
        /// How long that is from the start, or from the creation.
        limit: Option<Duration>,
    },
    /// A person, or whoever [`by`](Cause::Cancelled::by) names, ended it.
    Cancelled {
        /// Who.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
        /// When: the wish for a running run, the end otherwise.
        at: Option<Timestamp>,
        /// Whether its code still runs, and until when at the latest.
        abort_at: Option<Timestamp>,
    },
    /// Its parent run ended, and took it along.
    ParentEnded {
        /// The run above it that ended by itself, or is being ended.
        run: RunId,
        /// Why that one did, in one line; `None` when it is not stored any more.
        because: Option<String>,
    },
}

/// In which way a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The code returned an error.
    Error,
    /// The code panicked; the error's message is the panic's payload.
    Panic,
    /// An attempt ran out of time.
    TaskTimedOut,
    /// An at-most-once step was begun by a process that died: whether it took effect is unknown.
    Interrupted,
    /// A value could not be kept or read.
    Payload,
    /// The log reached its limit.
    LogFull,
    /// The run killed its nodes, one after the other.
    Poison,
    /// A child run ended without success, and is not stored any more: its own cause is lost.
    Child,
}

impl Fault {
    pub(super) fn of(error: &Failure) -> Fault {
        match &*error.kind {
            PANIC => Fault::Panic,
            TASK_TIMED_OUT => Fault::TaskTimedOut,
            INTERRUPTED => Fault::Interrupted,
            PAYLOAD => Fault::Payload,
            LOG_FULL => Fault::LogFull,
            POISON => Fault::Poison,
            CHILD => Fault::Child,
            _ => Fault::Error,
        }
    }

    /// Returns the word for it, as in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Error => "error",
            Fault::Panic => "panic",
            Fault::TaskTimedOut => "task_timed_out",
            Fault::Interrupted => "interrupted",
            Fault::Payload => "payload",
            Fault::LogFull => "log_full",
            Fault::Poison => "poison",
            Fault::Child => "child",
        }
    }
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoMore {
    /// The code allows one try only.
    OneTry,
    /// All tries that the code allows are used up.
    Exhausted,
    /// The code said that this error is not worth another try.
    NotRetryable,
    /// There would have been another one, but the run was ending: another task failed, or it was cancelled.
    RunEnding,
    /// The log does not say.
    Unknown,
}

impl NoMore {
    /// Reads it off the failed try number `tries`.
    pub(super) fn of(tries: u32, allowed: Option<Allowed>) -> NoMore {
        match allowed {
            None => NoMore::Unknown,
            Some(Allowed { stop: true, .. }) => NoMore::NotRetryable,
            Some(Allowed { max: 1, .. }) => NoMore::OneTry,
            Some(Allowed { max, .. }) if tries >= max => NoMore::Exhausted,
            Some(_) => NoMore::RunEnding,
        }
    }

    /// Returns the word for it, as in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            NoMore::OneTry => "one_try",
            NoMore::Exhausted => "exhausted",
            NoMore::NotRetryable => "not_retryable",
            NoMore::RunEnding => "run_ending",
            NoMore::Unknown => "unknown",
        }
    }
}
