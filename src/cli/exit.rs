//! How the command ends, for scripts.

use std::process::ExitCode;

use crate::model::Status;

/// The exit codes; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All went well; a run that was waited for succeeded.
    Fine = 0,
    /// Something else went wrong.
    Error = 1,
    /// The arguments cannot be understood.
    Usage = 2,
    /// Not logged in, or not allowed.
    Access = 3,
    /// There is no such run, task or workflow.
    NotFound = 4,
    /// The server or the database does not answer.
    Unreachable = 5,
    /// The run's status does not allow it, or a key is taken.
    Conflict = 6,
    /// Some of many were refused.
    Partly = 7,
    /// The run failed.
    RunFailed = 10,
    /// The run timed out.
    RunTimedOut = 11,
    /// The run was cancelled.
    RunCancelled = 12,
    /// The wait was over before the run was.
    WaitTimedOut = 124,
    /// Ctrl-C.
    Interrupted = 130,
}

/// What `runlog help` says of them.
pub(super) const EXIT_CODES: &str = "\
Exit codes: 0 fine, or the run succeeded; 1 another error; 2 arguments; 3 access; 4 not found; 5 unreachable; 6 conflict; \
7 some of many were refused; 10 the run failed; 11 it timed out; 12 it was cancelled; 124 the wait was over first; 130 Ctrl-C. \
10 to 12 come only from `why`, `watch` and `start --wait`.";

impl Exit {
    /// Returns the code that tells how a run ended; `Fine` while it lives.
    pub(super) fn of(status: Status) -> Exit {
        match status {
            Status::Queued | Status::Running | Status::Succeeded => Exit::Fine,
            Status::Failed => Exit::RunFailed,
            Status::TimedOut => Exit::RunTimedOut,
            Status::Cancelled => Exit::RunCancelled,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
