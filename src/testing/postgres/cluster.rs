//! One cluster and the process that serves it: everything here blocks its thread.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use super::account::Account;
use super::door::Door;
use super::folders;
use super::pid_file::{PidFile, Process};
use super::template;
use super::wait::{self, LIMIT_S};
use super::watchdog::Watchdog;
use super::{Binaries, Durability, Error};

/// How much of the end of a server's log an error shows.
const LOG_TAIL_LINES: usize = 20;

/// A kept cluster's log is emptied at the next start once it is longer than a person would read.
const LOG_BYTES_MAX: u64 = 10 << 20;

/// A cluster on the disk, and how to serve it.
#[derive(Debug)]
pub(super) struct Cluster {
    binaries: Binaries,
    account: Account,
    folder: PathBuf,
    data: PathBuf,
    door: Door,
    door_folder: Option<PathBuf>,
    durability: Durability,
    temporary: bool,
}

impl Cluster {
    /// Makes a cluster in a new temporary folder.
    pub(super) fn temporary(binaries: Binaries, durability: Durability) -> Result<Self, Error> {
        let account = Account::of_server()?;
        let folder = folders::temporary(&env::temp_dir(), &account)?;
        let cluster = Self::open(binaries, account, folder.clone(), durability, true);
        if cluster.is_err() {
            fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        }
        cluster
    }

    /// Makes a cluster in a new temporary folder that follows this one, whose server is running.
    pub(super) fn replica(&self) -> Result<Self, Error> {
        let folder = folders::temporary(&env::temp_dir(), &self.account)?;
        let copied = self.copy_to(&folder.join("data"));
        let (binaries, account) = (self.binaries.clone(), self.account.clone());
        let cluster =
            copied.and_then(|()| Self::open(binaries, account, folder.clone(), self.durability, true));
        if cluster.is_err() {
            fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        }
        cluster
    }

    /// Copies the data, with the settings of a replica that streams from here.
    fn copy_to(&self, data: &Path) -> Result<(), Error> {
        let (host, port) = match &self.door {
            Door::Socket { folder, port } => (folder.as_os_str(), port.to_string()),
            Door::Port(port) => (OsStr::new("127.0.0.1"), port.to_string()),
        };
        let options =
            ["--username=postgres", "--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--port"];
        let arguments = options.iter().map(OsStr::new).chain([OsStr::new(&port), OsStr::new("--host"), host]);
        let arguments: Vec<&OsStr> = arguments.chain([OsStr::new("--pgdata"), data.as_os_str()]).collect();
        self.account.run(self.binaries.program("pg_basebackup"), &arguments)
    }

    /// Opens the cluster in `folder`, or makes one there.
    pub(super) fn kept(binaries: Binaries, folder: PathBuf, durability: Durability) -> Result<Self, Error> {
        let account = Account::of_server()?;
        let folder = std::path::absolute(&folder).map_err(Error::file("find", &folder))?;
        folders::private(&folder, &account)?;
        // One spelling for all who use it: by it they know whether a process is this cluster's server.
        let folder = folder.canonicalize().map_err(Error::file("find", &folder))?;
        Self::open(binaries, account, folder, durability, false)
    }

    fn open(
        binaries: Binaries,
        account: Account,
        folder: PathBuf,
        durability: Durability,
        temporary: bool,
    ) -> Result<Self, Error> {
        let data = folder.join("data");
        template::ensure(&binaries, &account, &data, durability == Durability::Durable)?;
        let (door, door_folder) = Door::choose(&folder, &account)?;
        Ok(Self { binaries, account, folder, data, door, door_folder, durability, temporary })
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// The folders that nobody needs once the server has stopped.
    pub(super) fn removed_at_the_end(&self) -> impl Iterator<Item = &Path> {
        let folder = self.temporary.then_some(self.folder.as_path());
        folder.into_iter().chain(self.door_folder.as_deref())
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Removes the folders of a cluster whose server never ran.
    pub(super) fn discard(&self) -> Result<(), Error> {
        self.removed_at_the_end()
            .try_for_each(|folder| fs::remove_dir_all(folder).map_err(Error::file("remove", folder)))
    }

    /// Finds a server of this cluster that somebody else started, once it answers; `None` where there is none.
    /// A `postmaster.pid` left by a crash is no server.
    pub(super) fn running(&self) -> Result<Option<Door>, Error> {
        let found = wait::until(|| {
            let Some(file) = PidFile::read(&self.data) else { return Ok(Some(None)) };
            match file.process(&self.data) {
                Process::Server => Ok(file.door.filter(|door| file.ready && door.answers()).map(Some)),
                Process::None => Ok(Some(None)),
                Process::Other => self.disown().map(|()| Some(None)),
            }
        })?;
        found.ok_or_else(|| {
            self.failed(format!("another server of this cluster has not answered in {LIMIT_S} s"))
        })
    }

    /// Starts the server again where `previous` ended, in whatever way.
    pub(super) fn restart(&self, watchdog: &mut Watchdog, previous: Option<Child>) -> Result<Child, Error> {
        reap(previous)?;
        if PidFile::read(&self.data).is_some_and(|file| file.process(&self.data) == Process::Other) {
            self.disown()?;
        }
        self.start(watchdog)
    }

    /// Clears what a server that crashed left in the way of the next one.
    fn disown(&self) -> Result<(), Error> {
        PidFile::disown(&self.data)?;
        self.door.unlock()
    }

    /// Starts the server and waits until it accepts connections.
    pub(super) fn start(&self, watchdog: &mut Watchdog) -> Result<Child, Error> {
        let mut log_from = self.log_bytes();
        let mut server = self.spawn(watchdog)?;
        let ready = wait::until(|| {
            if let Some(status) = server.try_wait().map_err(Error::run("postgres"))? {
                // The processes of a server that was killed outlive it for a moment, and hold its memory.
                if !self.log_since(log_from).contains("pre-existing shared memory block") {
                    return Err(self.failed(format!("it ended with {status}")));
                }
                log_from = self.log_bytes();
                server = self.spawn(watchdog)?;
            }
            let file = PidFile::read(&self.data).filter(|file| file.pid == server.id() && file.ready);
            Ok(file.filter(|_| self.door.answers()).map(|_| ()))
        })?;
        match ready {
            Some(()) => Ok(server),
            None => {
                // No answer in all that time: nothing it could still write down is worth waiting for.
                server.kill().and_then(|()| server.wait()).map_err(Error::run("kill"))?;
                Err(self.failed(format!("it was not ready within {LIMIT_S} s")))
            }
        }
    }

    fn spawn(&self, watchdog: &mut Watchdog) -> Result<Child, Error> {
        let log = self.log();
        let output =
            OpenOptions::new().create(true).append(true).open(&log).map_err(Error::file("create", &log))?;
        if self.log_bytes() > LOG_BYTES_MAX {
            output.set_len(0).map_err(Error::file("shorten", &log))?;
        }
        let also = output.try_clone().map_err(Error::file("open", &log))?;
        let program = self.binaries.program("postgres");
        let mut command = self.account.command(&program);
        command.arg("-D").arg(&self.data).process_group(0).stdout(output).stderr(also);
        for setting in self.settings() {
            command.args(["-c", &setting]);
        }
        let server = command.spawn().map_err(Error::run(&program))?;
        watchdog.guard(Some(server.id()))?;
        Ok(server)
    }

    fn settings(&self) -> Vec<String> {
        let always = [
            // Many tests at once, each with a pool of its own.
            "max_connections=200",
            "shared_buffers=256MB",
            "max_wal_size=2GB",
            "min_wal_size=256MB",
            "timezone=UTC",
            "log_timezone=UTC",
            "cluster_name=runlog",
        ];
        let fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
        let durability = match self.durability {
            Durability::Durable => [].as_slice(),
            Durability::Fast => fast.as_slice(),
        };
        let fixed = always.iter().chain(durability).map(|&setting| setting.to_owned());
        fixed.chain(self.door.settings()).collect()
    }

    /// Has the server end at once without writing anything down, as a crash of Postgres would, and waits for it.
    pub(super) fn crash(&self, mut server: Option<Child>) -> Result<(), Error> {
        let Some(file) = PidFile::read(&self.data).filter(|file| file.is_alive(&self.data)) else {
            return reap(server);
        };
        self.account.run("/bin/sh", &["-c", r#"kill -s QUIT "$1""#, "sh", &file.pid.to_string()])?;
        let ended = wait::until(|| match &mut server {
            Some(server) => Ok(server.try_wait().map_err(Error::run("postgres"))?.map(|_| ())),
            None => Ok((!file.is_alive(&self.data)).then_some(())),
        })?;
        ended.ok_or_else(|| Error::Stop { folder: self.folder.clone(), seconds: LIMIT_S })
    }

    fn failed(&self, reason: String) -> Error {
        Error::Start { reason, log: self.log(), tail: self.log_tail() }
    }

    fn log_bytes(&self) -> u64 {
        fs::metadata(self.log()).map(|metadata| metadata.len()).unwrap_or_default()
    }

    /// What was logged after the first `bytes`; everything, if the log was emptied since.
    fn log_since(&self, bytes: u64) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let from = usize::try_from(bytes).unwrap_or(usize::MAX);
        String::from_utf8_lossy(log.get(from..).unwrap_or(&log)).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log_since(0);
        let lines: Vec<&str> = log.lines().collect();
        let skipped = lines.len().saturating_sub(LOG_TAIL_LINES);
        lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
    }
}

/// Takes a child that has ended, or is just about to, out of the table of processes.
fn reap(server: Option<Child>) -> Result<(), Error> {
    let Some(mut server) = server else { return Ok(()) };
    wait::until(|| server.try_wait().map_err(Error::run("postgres"))).map(|_| ())
}
