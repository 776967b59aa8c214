//! The user that servers run as.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Error;
use super::folders::unique;

/// The user that runs a server's programs and owns its files: ourselves, or, where we are root, somebody else.
#[derive(Debug, Clone)]
pub(super) struct Account {
    uid: u32,
    /// Set where we are root and must become somebody else: their group.
    switch: Option<u32>,
}

impl Account {
    /// Decides who runs the server.
    ///
    /// The standard library cannot tell our effective user without `unsafe`; the owner of a file we make can.
    pub(super) fn of_server() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(unique("runlog-owner"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(Error::file("create", &path))?;
        let metadata = file.metadata().map_err(Error::file("look at", &path));
        fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        match metadata?.uid() {
            0 => Self::unprivileged(),
            uid => Ok(Self { uid, switch: None }),
        }
    }

    fn unprivileged() -> Result<Self, Error> {
        let path = Path::new("/etc/passwd");
        let passwd = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let (uid, gid) =
            ["postgres", "nobody"].iter().find_map(|name| entry(&passwd, name)).ok_or(Error::NoUser)?;
        Ok(Self { uid, switch: Some(gid) })
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// A command that runs as this user, away from a current folder it may not enter, in English.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C").env_remove("PGDATA").stdin(Stdio::null());
        if let Some(gid) = self.switch {
            command.uid(self.uid).gid(gid);
        }
        command
    }

    /// Runs a program as this user to its end.
    pub(super) fn run<S: AsRef<OsStr>>(
        &self,
        program: impl Into<PathBuf>,
        arguments: &[S],
    ) -> Result<(), Error> {
        let program = program.into();
        let Output { status, stdout, stderr } =
            self.command(&program).args(arguments).output().map_err(Error::run(&program))?;
        if status.success() {
            return Ok(());
        }
        let output =
            [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).join("\n");
        Err(Error::Failed { program, status, output: output.trim().to_owned() })
    }

    /// Gives a file or folder that we made to this user.
    pub(super) fn give(&self, path: &Path) -> Result<(), Error> {
        match self.switch {
            Some(gid) => {
                chown(path, Some(self.uid), Some(gid)).map_err(Error::file("change the owner of", path))
            }
            None => Ok(()),
        }
    }

    /// Whether this user may pass through `folder`, which exists.
    pub(super) fn may_enter(&self, folder: &Path) -> bool {
        self.switch.is_none() || self.run("test", &[OsStr::new("-x"), folder.as_os_str()]).is_ok()
    }

    /// Whether this user may make files in `folder`, which exists.
    pub(super) fn may_write(&self, folder: &Path) -> bool {
        self.run("test", &[OsStr::new("-w"), folder.as_os_str()]).is_ok()
    }
}

/// The user and group of `name` in `/etc/passwd`. macOS writes `nobody` as -2.
fn entry(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let number = |field: Option<&str>| -> Option<u32> {
        let field = field?;
        field.parse().ok().or_else(|| field.parse::<i32>().ok().map(i32::cast_unsigned))
    };
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        Some((number(fields.nth(1))?, number(fields.next())?))
    })
}
