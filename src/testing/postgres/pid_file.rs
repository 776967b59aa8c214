//! `postmaster.pid`: what a server that runs in a data folder says of itself.
//!
//! The format is described at "utils/pidfile.h" in Postgres' sources: pid, data folder, start time, port, socket
//! folder, listen address, shared memory key, status; one a line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;
use super::door::Door;

/// Larger than any process id: Linux ends at 2^22, macOS at 99,998.
const IMPOSSIBLE_PID: u32 = i32::MAX.unsigned_abs() - 1;

/// What `postmaster.pid` says.
#[derive(Debug)]
pub(super) struct PidFile {
    pub(super) pid: u32,
    /// How to reach the server; not written in the first moments of its start.
    pub(super) door: Option<Door>,
    /// Whether the server says that it accepts connections.
    pub(super) ready: bool,
}

/// What a process id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// Nothing: the process ended.
    None,
    /// The server of the cluster in question.
    Server,
    /// A process that got the number later, or a zombie.
    Other,
}

impl PidFile {
    pub(super) fn path(data: &Path) -> PathBuf {
        data.join("postmaster.pid")
    }

    /// Reads the file; `None` where there is none, or nothing in it yet.
    pub(super) fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(Self::path(data)).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let port = lines.nth(2).and_then(|line| line.trim().parse().ok());
        let socket_folder = lines.next().map(str::trim).filter(|folder| !folder.is_empty());
        let door = match (port, socket_folder) {
            (Some(port), Some(folder)) => Some(Door::Socket { folder: folder.into(), port }),
            (Some(port), None) => Some(Door::Port(port)),
            (None, _) => None,
        };
        let ready = lines.nth(2).is_some_and(|status| status.trim() == "ready");
        Some(Self { pid, door, ready })
    }

    /// Whether the process it names is alive and the server of `data`.
    pub(super) fn is_alive(&self, data: &Path) -> bool {
        self.process(data) == Process::Server
    }

    /// What the number stands for now.
    pub(super) fn process(&self, data: &Path) -> Process {
        let arguments = if Path::new("/proc/self/cmdline").exists() {
            fs::read(format!("/proc/{}/cmdline", self.pid)).ok()
        } else {
            let ps = ["-p", &self.pid.to_string(), "-o", "args="];
            let output = Command::new("ps").args(ps).stdin(Stdio::null()).output().ok();
            output.filter(|output| output.status.success()).map(|output| output.stdout)
        };
        match arguments {
            None => Process::None,
            Some(line) if String::from_utf8_lossy(&line).contains(&*data.to_string_lossy()) => {
                Process::Server
            }
            Some(_) => Process::Other,
        }
    }

    /// Has the file name a process that cannot be. A server refuses to start while the number in the file is that
    /// of any process of its user, a zombie included. It also finds its predecessor's shared memory by this file,
    /// and waits for it to be free, so the file must stay.
    pub(super) fn disown(data: &Path) -> Result<(), Error> {
        let path = Self::path(data);
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let rest = text.split_once('\n').map(|(_, rest)| rest).unwrap_or_default();
        fs::write(&path, format!("{IMPOSSIBLE_PID}\n{rest}")).map_err(Error::file("write", &path))
    }
}
