//! What can go wrong around a private Postgres, as something a person can act on.

use std::io;
use std::path::PathBuf;

/// Why no Postgres server could be found, started, stopped or given a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server programs are installed where [`Binaries::find`](super::Binaries::find) looks.
    #[error(
        "no postgres server found; on Debian or Ubuntu: sudo apt-get install postgresql\n\
         on macOS: brew install postgresql@17\n\
         or set DATABASE_URL to a running server, or build with `--features embedded`, which downloads one"
    )]
    NotFound,
    /// The only servers found are older than the oldest that is supported.
    #[error(
        "postgres {version} in {} is too old: install version {oldest} or newer, or set DATABASE_URL",
        folder.display()
    )]
    TooOld {
        /// The folder with its programs.
        folder: PathBuf,
        /// Its version, as it says itself.
        version: String,
        /// The oldest major version that is supported.
        oldest: u32,
    },
    /// `postgres --version` printed no version.
    #[error("{} --version printed {output:?}, which names no version", program.display())]
    UnknownVersion {
        /// The program that was run.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
    /// The cluster in a kept folder was made by another major version of Postgres.
    #[error(
        "the cluster in {} was made by postgres {found}, but postgres {wanted} is installed: \
         install postgres {found}, or move the folder away to begin anew",
        data.display()
    )]
    OtherVersion {
        /// The cluster's data folder.
        data: PathBuf,
        /// The major version that made it.
        found: String,
        /// The major version that would run it.
        wanted: u32,
    },
    /// This process runs as root and there is no user to run the server as.
    #[error(
        "postgres refuses to run as root, and /etc/passwd names neither `postgres` nor `nobody` to run it as"
    )]
    NoUser,
    /// A folder cannot be used by the server's user, or others could write to it.
    #[error("the folder {} cannot hold a cluster: {reason}", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried: "create", "rename", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A program could not be started or talked to.
    #[error("cannot run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("{} failed ({status}): {output}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// The server ended while it was starting, or was not ready in time.
    #[error("postgres did not start: {reason}; the end of {}:\n{tail}", log.display())]
    Start {
        /// What happened instead.
        reason: String,
        /// The server's log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The server did not stop in time.
    #[error("the postgres server in {} did not stop within {seconds} s", folder.display())]
    Stop {
        /// The cluster's folder.
        folder: PathBuf,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// A server refused a statement about databases, or could not be reached.
    #[error("cannot {action}")]
    Database {
        /// What was tried.
        action: String,
        /// The driver's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The downloaded server could not be installed (feature `embedded`).
    #[error("cannot download a postgres server; install one, or set DATABASE_URL")]
    Download {
        /// The downloader's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A defect of this crate.
    #[error("bug in runlog, please report it: {what}")]
    Bug {
        /// What happened.
        what: String,
    },
}

impl Error {
    /// Says which file an I/O error is about: `.map_err(Error::file("create", &path))`.
    pub(super) fn file(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }

    /// Says which program an I/O error is about.
    pub(super) fn run(program: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Run { program, source }
    }

    /// Says what was asked of a server when the driver failed.
    pub(super) fn database(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let action = action.into();
        move |source| Self::Database { action, source: Box::new(source) }
    }
}
