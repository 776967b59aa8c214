//! Where `runlog demo` gets its Postgres from.

use std::path::PathBuf;

use super::account::Account;
use super::{Binaries, Durability, Error, Server};
use super::{databases, folders};

/// A place to get a Postgres server from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Source {
    /// A server that somebody else runs.
    Url(String),
    /// A private server of this machine's programs.
    Private {
        /// The programs.
        binaries: Binaries,
        /// The folder in which the cluster is kept.
        folder: PathBuf,
    },
    /// A private server whose programs are downloaded first.
    #[cfg(feature = "embedded")]
    Download {
        /// The folder in which the cluster is kept.
        folder: PathBuf,
        /// The folder in which the programs are kept.
        programs: PathBuf,
    },
}

/// A server that was started, or found running, and a database on it.
#[derive(Debug)]
pub struct Started {
    url: String,
    server: Option<Server>,
}

/// Decides where a Postgres server comes from: `database_url` if there is one, else this machine's programs with a
/// cluster kept in the cache folder (one for each major version), else, with the feature `embedded`, a download.
///
/// Starts nothing yet. The caller says what `DATABASE_URL` is.
///
/// # Errors
///
/// [`Error::NotFound`], whose message says in three lines what to install, or [`Error::TooOld`] where only servers
/// older than 14 are installed; [`Error::NoUser`], [`Error::Unusable`] or [`Error::File`] where there is no folder
/// to keep a cluster in.
pub async fn locate(database_url: Option<&str>) -> Result<Source, Error> {
    if let Some(url) = database_url {
        return Ok(Source::Url(url.to_owned()));
    }
    super::server::blocking(|| {
        let found = Binaries::find();
        #[cfg(feature = "embedded")]
        if matches!(found, Err(Error::NotFound | Error::TooOld { .. })) {
            let cache = folders::cache(&Account::of_server()?)?;
            return Ok(Source::Download {
                folder: cache.join("downloaded"),
                programs: cache.join("programs"),
            });
        }
        let binaries = found?;
        let cache = folders::cache(&Account::of_server()?)?;
        let folder = cache.join(format!("postgres-{}", binaries.major()));
        Ok(Source::Private { binaries, folder })
    })
    .await
}

impl Source {
    /// Starts the server ([`Durability::Durable`]) unless it runs already, and creates `database` on it unless it
    /// is there. A [`Source::Url`] names its own database, and is only passed on: nothing is connected.
    ///
    /// # Errors
    ///
    /// As [`Server::at`]; [`Error::Database`] where the database cannot be created; [`Error::Download`].
    pub async fn start(self, database: &str) -> Result<Started, Error> {
        let (binaries, folder) = match self {
            Self::Url(url) => return Ok(Started { url, server: None }),
            Self::Private { binaries, folder } => (binaries, folder),
            #[cfg(feature = "embedded")]
            Self::Download { folder, programs } => (super::embedded::download(programs).await?, folder),
        };
        let server = Server::at_with(binaries, folder, Durability::Durable).await?;
        databases::ensure(&server.url("postgres"), database).await?;
        Ok(Started { url: server.url(database), server: Some(server) })
    }
}

impl Started {
    /// The URL of the database, as sqlx reads it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The private server; `None` for one that a URL named.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Stops the server if it was started here; its data is kept.
    ///
    /// # Errors
    ///
    /// As [`Server::stop`].
    pub async fn stop(self) -> Result<(), Error> {
        match self.server {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}
