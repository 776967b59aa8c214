//! Databases for tests, on one server.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::env;
use std::future::Future;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::{Mutex, OnceCell};

use super::folders::random;
use super::{Durability, Error, Server};

/// The longest name that Postgres keeps, in bytes: `NAMEDATALEN` less its NUL; longer ones it cuts short.
const NAME_BYTES_MAX: usize = 63;

/// One server for all tests of a process, and as many databases on it as they ask for.
#[derive(Debug)]
pub struct Databases {
    /// The URL of the database from which others are created and dropped.
    url: String,
    /// Held for as long as the process lives; `None` where the server is somebody else's.
    server: Option<Server>,
    /// Tells the names of this process from those of others that use the same server.
    tag: String,
    count: AtomicU64,
    /// Names of the templates that were made, by what their caller calls them.
    templates: Mutex<HashMap<String, String>>,
}

/// A database of one test.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Database {
    /// Its URL, as sqlx reads it.
    pub url: String,
    /// Its name.
    pub name: String,
    /// The URL of the database from which it can be dropped.
    from: String,
}

impl Databases {
    /// The server of this test process: the one that the environment's `DATABASE_URL` names (its user must be
    /// allowed to create databases), else a temporary one with [`Durability::Fast`], started at the first call.
    ///
    /// The temporary one vanishes with the process. On `DATABASE_URL` databases stay until
    /// [`Database::drop_now`], templates until somebody drops them: all are named
    /// `runlog_{test,template}_<pid>_…`.
    ///
    /// # Errors
    ///
    /// As [`Server::temporary`] and [`Databases::at`]. A failed call does not spoil the next.
    pub async fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceCell<Databases> = OnceCell::const_new();
        SHARED
            .get_or_try_init(async || match env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) {
                Some(url) => Self::at(&url),
                None => Ok(Self::on(Server::temporary(Durability::Fast).await?)),
            })
            .await
    }

    /// Databases on a server that somebody else runs; `url` names one of its databases.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] where `url` cannot be read. Nothing is connected yet.
    pub fn at(url: &str) -> Result<Self, Error> {
        options(url)?;
        Ok(Self::new(url.to_owned(), None))
    }

    /// Databases on this server, which lives as long as the returned value.
    #[must_use]
    pub fn on(server: Server) -> Self {
        Self::new(server.url("postgres"), Some(server))
    }

    fn new(url: String, server: Option<Server>) -> Self {
        let tag = format!("{}_{:08x}", std::process::id(), random());
        Self { url, server, tag, count: AtomicU64::new(0), templates: Mutex::default() }
    }

    /// The private server; `None` where it is somebody else's.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Creates a database: a copy of `template`, to which nobody may be connected, or an empty one.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] where the server cannot be reached or refuses.
    pub async fn fresh(&self, template: Option<&str>) -> Result<Database, Error> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.create(format!("runlog_test_{}_{number}", self.tag), template).await
    }

    /// Creates a database that is a copy of the template called `template`, which `prepare` fills the first time
    /// it is asked for in this process (others wait for it meanwhile).
    ///
    /// `prepare` is given the URL of an empty database; connections that it leaves open are closed. Where it fails,
    /// the half-made template is dropped and the next call tries again.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] where the server cannot be reached or refuses, or with the error of `prepare`.
    pub async fn fresh_with<F, Fut, E>(&self, template: &str, prepare: F) -> Result<Database, Error>
    where
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut templates = self.templates.lock().await;
        let number = templates.len() + 1;
        let name = match templates.entry(template.to_owned()) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => {
                let name = format!("runlog_template_{}_{number}", self.tag);
                self.prepare(template, name.clone(), prepare).await?;
                entry.insert(name).clone()
            }
        };
        drop(templates);
        self.fresh(Some(&name)).await
    }

    async fn prepare<F, Fut, E>(&self, template: &str, name: String, prepare: F) -> Result<(), Error>
    where
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let database = self.create(name, None).await?;
        let name = quoted(&database.name)?;
        if let Err(error) = prepare(database.url.clone()).await {
            let action = format!("fill the template database {template}");
            database.drop_now().await?;
            return Err(Error::Database { action, source: error.into() });
        }
        // Postgres copies no database to which somebody is connected.
        let close = format!("alter database {name} with allow_connections false");
        execute(&self.url, "close a template database", close).await?;
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'",
            database.name
        );
        execute(&self.url, "close the connections to a template database", end).await
    }

    async fn create(&self, name: String, template: Option<&str>) -> Result<Database, Error> {
        let url = options(&self.url)?.database(&name).to_url_lossy().to_string();
        let copied = quoted(template.unwrap_or("template0"))?;
        let statement = format!("create database {} template {copied}", quoted(&name)?);
        execute(&self.url, &format!("create the database {name}"), statement).await?;
        Ok(Database { url, name, from: self.url.clone() })
    }
}

impl Database {
    /// Drops the database, closing the connections to it. Not needed on a temporary server.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] where the server cannot be reached or refuses.
    pub async fn drop_now(self) -> Result<(), Error> {
        let statement = format!("drop database if exists {} with (force)", quoted(&self.name)?);
        execute(&self.from, &format!("drop the database {}", self.name), statement).await
    }
}

/// Creates the database of that name on the server of `url` unless there is one.
pub(super) async fn ensure(url: &str, name: &str) -> Result<(), Error> {
    let action = format!("create the database {name}");
    let statement = format!("create database {}", quoted(name)?);
    match execute(url, &action, statement).await {
        Err(Error::Database { source, .. }) if has_code(&*source, "42P04") => Ok(()),
        done => done,
    }
}

/// Whether the server answered with this SQLSTATE (42P04: duplicate_database).
fn has_code(error: &(dyn std::error::Error + 'static), code: &str) -> bool {
    let error = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    error.and_then(|error| error.code()).is_some_and(|found| found == code)
}

/// Runs one statement on a connection of its own: a shared one would belong to the first test's tokio runtime, and
/// die with it.
async fn execute(url: &str, action: &str, statement: String) -> Result<(), Error> {
    let connected = PgConnection::connect_with(&options(url)?).await;
    let mut connection = connected.map_err(Error::database(format!("connect to the server to {action}")))?;
    let done = connection.execute(AssertSqlSafe(statement)).await;
    done.map_err(Error::database(action))?;
    connection.close().await.map_err(Error::database(action))
}

fn options(url: &str) -> Result<PgConnectOptions, Error> {
    PgConnectOptions::from_str(url).map_err(Error::database("read the database URL"))
}

/// An identifier in quotes, for statements that take no parameters.
fn quoted(name: &str) -> Result<String, Error> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(['"', '\'', '\0']) {
        let source = format!("a database name has 1 to {NAME_BYTES_MAX} bytes and no quotes").into();
        return Err(Error::Database { action: format!("use {name:?} as the name of a database"), source });
    }
    Ok(format!("\"{name}\""))
}
