//! A private server, as its owner holds it.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

use super::cluster::Cluster;
use super::door::Door;
use super::pid_file::PidFile;
use super::watchdog::Watchdog;
use super::{Binaries, Error};

/// What a server promises about commits when the machine loses power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Postgres' own defaults: a commit is on the disk when it is acknowledged. What benches must measure.
    Durable,
    /// For tests: nothing is forced to the disk (`fsync`, `synchronous_commit` and `full_page_writes` are off). Data
    /// survives [`Server::crash`] but for the last commits of that moment, and is lost with the machine's power.
    Fast,
}

/// A private Postgres server (up to 200 connections, superuser `postgres`, no password, see
/// [who can connect](super#who-can-connect)).
///
/// It stops when [`Server::stop`] is called or when the value is dropped, but also when this process ends in any
/// way, SIGKILL included: a watchdog process holds the other end of a pipe and stops the server once the pipe is
/// closed. It does not survive what kills whole process trees at once, such as the end of a container, and then has
/// nothing left to stop.
#[derive(Debug)]
pub struct Server {
    cluster: Arc<Cluster>,
    door: Door,
    /// `None` while crashed, and where somebody else started the server.
    process: Option<Child>,
    /// `None` where somebody else started the server.
    watchdog: Option<Watchdog>,
}

impl Server {
    /// Starts a server on a new, empty cluster in a temporary folder, which is removed when the server stops.
    ///
    /// On return it accepts connections. The first use on a machine makes a template cluster, which takes about a
    /// second; later ones copy it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] and [`Error::TooOld`] from [`Binaries::find`]; [`Error::Start`] with the end of the
    /// server's log where it ends or is not ready within 30 s; [`Error::NoUser`], [`Error::Unusable`],
    /// [`Error::File`], [`Error::Run`] or [`Error::Failed`] where its folder cannot be made.
    pub async fn temporary(durability: Durability) -> Result<Self, Error> {
        blocking(move || {
            let cluster = Cluster::temporary(Binaries::find()?, durability)?;
            Self::start(cluster)
        })
        .await
    }

    /// Serves the cluster kept in `folder` (made there, readable by nobody else, when there is none).
    ///
    /// A server of that cluster that already runs is used as it is, with the durability it was started with, and is
    /// left running in the end: whoever started it stops it, under everybody who uses it. What a crash left
    /// behind is no obstacle. The data stays when the server stops, until somebody removes the folder.
    ///
    /// # Errors
    ///
    /// As [`Server::temporary`], and [`Error::OtherVersion`] where the cluster was made by another major version.
    pub async fn at(folder: impl Into<PathBuf>, durability: Durability) -> Result<Self, Error> {
        let folder = folder.into();
        blocking(move || Self::kept(Binaries::find()?, folder, durability)).await
    }

    /// As [`Server::at`], with these programs.
    pub(super) async fn at_with(
        binaries: Binaries,
        folder: PathBuf,
        durability: Durability,
    ) -> Result<Self, Error> {
        blocking(move || Self::kept(binaries, folder, durability)).await
    }

    /// Starts a replica of this server in a temporary folder: it streams what this one commits, asynchronously, and answers
    /// reads. `select pg_promote()` on it makes it a server of its own, with a timeline of its own.
    ///
    /// # Errors
    ///
    /// As [`Server::temporary`]; [`Error::Run`] or [`Error::Failed`] with what `pg_basebackup` said.
    pub async fn replica(&self) -> Result<Self, Error> {
        let cluster = Arc::clone(&self.cluster);
        blocking(move || Self::start(cluster.replica()?)).await
    }

    /// The URL of the database of that name, as sqlx reads it; it stays the same across [`Server::crash`].
    ///
    /// The database `postgres` exists, others are to be created first.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.door.url(database)
    }

    /// The process id of the server's main process; `None` while it is not running.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let data = self.cluster.data();
        PidFile::read(data).filter(|file| file.is_alive(data)).map(|file| file.pid)
    }

    /// The folder with the cluster: `data`, and the server's log in `log`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// Whether somebody else started this server, so that [`Server::stop`] leaves it running.
    #[must_use]
    pub fn is_borrowed(&self) -> bool {
        self.watchdog.is_none()
    }

    /// Ends the server at once, as a crash of Postgres would (`pg_ctl stop -m immediate`): every connection breaks,
    /// nothing is written down. On return no process of it is left and the data is there for [`Server::resume`].
    ///
    /// Does nothing to a server that is not running.
    ///
    /// # Errors
    ///
    /// [`Error::Stop`] where it is still there after 30 s.
    pub async fn crash(&mut self) -> Result<(), Error> {
        let process = self.process.take();
        let cluster = Arc::clone(&self.cluster);
        blocking(move || cluster.crash(process)).await?;
        match &mut self.watchdog {
            Some(watchdog) => watchdog.guard(None),
            None => Ok(()),
        }
    }

    /// Starts the server again after [`Server::crash`], or after somebody else killed it; on return its recovery is done and it accepts connections.
    ///
    /// Does nothing to a server that is running. A failed call gives the server up: it stops, as by a drop.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] with the end of the server's log where it ends or is not ready within 30 s.
    pub async fn resume(&mut self) -> Result<(), Error> {
        if self.pid().is_some() {
            return Ok(());
        }
        let (watchdog, previous) = (self.watchdog.take(), self.process.take());
        let cluster = Arc::clone(&self.cluster);
        let (watchdog, process) = blocking(move || {
            let mut watchdog = watchdog.map_or_else(|| Watchdog::start(&cluster), Ok)?;
            let process = cluster.restart(&mut watchdog, previous)?;
            Ok((watchdog, process))
        })
        .await?;
        self.watchdog = Some(watchdog);
        self.process = Some(process);
        self.door = self.cluster.door().clone();
        Ok(())
    }

    /// Stops the server, removes its folder if it is temporary, and returns when both are done.
    ///
    /// A kept cluster is shut down properly; a temporary one at once. Open connections are closed by the server.
    /// Leaves a borrowed server running ([`Server::is_borrowed`]).
    ///
    /// # Errors
    ///
    /// [`Error::Stop`] where it is still there after 30 s.
    pub async fn stop(self) -> Result<(), Error> {
        let Self { cluster, process, watchdog, .. } = self;
        match watchdog {
            Some(watchdog) => blocking(move || watchdog.finish(cluster.folder(), process)).await,
            None => Ok(()),
        }
    }

    fn kept(binaries: Binaries, folder: PathBuf, durability: Durability) -> Result<Self, Error> {
        let cluster = Cluster::kept(binaries.clone(), folder.clone(), durability)?;
        if let Some(door) = cluster.running()? {
            return Self::borrow(cluster, door);
        }
        match Self::start(cluster) {
            // Somebody else may have started it between our look and our start.
            Err(error @ Error::Start { .. }) => {
                let cluster = Cluster::kept(binaries, folder, durability)?;
                match cluster.running()? {
                    Some(door) => Self::borrow(cluster, door),
                    None => Err(error),
                }
            }
            started => started,
        }
    }

    fn borrow(cluster: Cluster, door: Door) -> Result<Self, Error> {
        cluster.discard()?;
        Ok(Self { cluster: Arc::new(cluster), door, process: None, watchdog: None })
    }

    fn start(cluster: Cluster) -> Result<Self, Error> {
        let mut watchdog = Watchdog::start(&cluster)?;
        match cluster.start(&mut watchdog) {
            Ok(process) => {
                let door = cluster.door().clone();
                Ok(Self {
                    cluster: Arc::new(cluster),
                    door,
                    process: Some(process),
                    watchdog: Some(watchdog),
                })
            }
            // The reason of the failure is worth more than that of a failure to clean up after it.
            Err(error) => {
                let _ = watchdog.finish(cluster.folder(), None);
                Err(error)
            }
        }
    }
}

/// Runs what blocks on a thread for that. It runs to its end even if the caller stops waiting; a server that nobody
/// holds by then is dropped, and so stopped.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, Error>
where
    F: FnOnce() -> Result<T, Error> + Send + 'static,
    T: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Bug { what: error.to_string() }),
    }
}
