//! The process that stops a server when its owner is gone.
//!
//! A small shell process, in a process group of its own (so that Ctrl-C in a terminal does not end it first), reads
//! from a pipe whose other end only the owner holds. When the owner closes it, exits, panics or is killed with
//! SIGKILL, the kernel closes that end; the shell reads the end of its input, stops the server and removes what is
//! temporary. Stopping on purpose takes the same way, so it is the way that every test takes.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use super::account::Account;
use super::wait::{self, LIMIT_S};
use super::{Error, cluster::Cluster};

/// Arguments: data folder, signal, limit in steps of 20 ms, then what to remove in the end.
/// Input: a line with the server's pid whenever one was started, an empty line when it was stopped.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
data=$1 signal=$2 limit=$3
shift 3
server=
while read -r line; do server=$line; done
if [ -n "$server" ]; then
    kill -s "$signal" "$server" 2>/dev/null
    tries=0
    while kill -0 "$server" 2>/dev/null && [ -e "$data/postmaster.pid" ]; do
        tries=$((tries + 1))
        [ "$tries" -le "$limit" ] || exit 1
        sleep 0.02
    done
fi
[ $# -eq 0 ] || rm -rf -- "$@"
"#;

/// The owner's end of the pipe.
#[derive(Debug)]
pub(super) struct Watchdog {
    process: Child,
    pipe: ChildStdin,
}

impl Watchdog {
    /// Starts to watch over `cluster`; before its server starts, so that there is no moment without a watch.
    pub(super) fn start(cluster: &Cluster) -> Result<Self, Error> {
        // A temporary cluster's data is worth nothing, so its server need not write it down first.
        let signal = if cluster.is_temporary() { "QUIT" } else { "INT" };
        let limit = (LIMIT_S * 50).to_string();
        let shell = "/bin/sh";
        let mut command = Self::command(cluster.account(), shell);
        command.args(["-c", SCRIPT, "runlog-watchdog"].map(OsStr::new));
        command.arg(cluster.data()).args([signal, &limit]).args(cluster.removed_at_the_end());
        let mut process = command.spawn().map_err(Error::run(shell))?;
        let Some(pipe) = process.stdin.take() else {
            return Err(Error::Bug { what: "the watchdog has no input".to_owned() });
        };
        Ok(Self { process, pipe })
    }

    fn command(account: &Account, shell: &str) -> std::process::Command {
        let mut command = account.command(shell);
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Says which server to stop in the end; `None` while there is none.
    pub(super) fn guard(&mut self, server: Option<u32>) -> Result<(), Error> {
        let line = server.map(|pid| pid.to_string()).unwrap_or_default();
        writeln!(self.pipe, "{line}").map_err(Error::run("the watchdog"))
    }

    /// Has the server stopped and temporary folders removed, and waits for it.
    pub(super) fn finish(self, folder: &Path, mut server: Option<Child>) -> Result<(), Error> {
        let Self { mut process, pipe } = self;
        drop(pipe);
        let ended = wait::until(|| {
            // Reaped as we go: the watchdog would otherwise wait for a process that is dead already.
            if let Some(server) = &mut server {
                server.try_wait().map_err(Error::run("postgres"))?;
            }
            process.try_wait().map_err(Error::run("the watchdog"))
        })?;
        if let Some(server) = &mut server {
            server.try_wait().map_err(Error::run("postgres"))?;
        }
        match ended {
            Some(status) if status.success() => Ok(()),
            _ => Err(Error::Stop { folder: folder.to_path_buf(), seconds: LIMIT_S }),
        }
    }
}
