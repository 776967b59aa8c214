//! What can go wrong below the engine.

use crate::model::{RunId, Version, WorkflowName};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database is out of reach, or will be back: whether it happened is unknown. Call again.
    #[error("the database does not answer: {source}")]
    Unavailable {
        /// What the driver said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The node was declared dead: nothing was written, and it must join anew.
    #[error("this node's lease is over: another node may own its runs")]
    Fenced,
    /// Somebody else wrote the run's next event.
    #[error("run {run} has an event at seq {seq} that this node did not write")]
    Conflict {
        /// The run.
        run: RunId,
        /// Where.
        seq: u32,
    },
    /// The database refuses a value.
    #[error("the database refuses the write: {message}")]
    Refused {
        /// What it said.
        message: String,
    },
    /// A stored value cannot be read.
    #[error("table {table}, column {column}, row {row}: {message}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Where in it.
        column: &'static str,
        /// Which row.
        row: String,
        /// What is wrong.
        message: String,
    },
    /// Live runs started with another shape of this workflow and version.
    #[error(
        "workflow {workflow} version {version} has live runs of another shape: give the changed code a new version, \
         and serve both until the old runs ended"
    )]
    ShapeChanged {
        /// The workflow.
        workflow: WorkflowName,
        /// The version.
        version: Version,
    },
    /// The server is older than the product supports.
    #[error("the server is PostgreSQL {found}, at least {oldest} is needed: upgrade it")]
    ServerTooOld {
        /// What it is.
        found: String,
        /// What is needed.
        oldest: u32,
    },
    /// The database takes no writes.
    #[error("the database {database:?} is read-only (a replica?): connect to the primary")]
    ReadOnly {
        /// Its name.
        database: String,
    },
    /// The pool's connections share server processes: a pooler in transaction mode stands in between, and nobody said so.
    #[error(
        "two connections of the pool share one server process: say `.pooler(true)` to work through a pooler"
    )]
    SessionsShared,
    /// The driver would keep prepared statements that a pooler in transaction mode loses or, worse, mistakes.
    #[error(
        "through a pooler no statement may be kept: open the pool with `statement-cache-capacity=0` in its URL"
    )]
    StatementsKept,
    /// A newer release migrated the schema.
    #[error("the schema is at migration {found}, this release knows {known}: upgrade this node")]
    SchemaTooNew {
        /// Where the schema is.
        found: i64,
        /// The newest migration here.
        known: i64,
    },
    /// The schema is not there, or older than this release.
    #[error("the schema is at migration {found}, this release needs {known}: run the migrations first")]
    SchemaTooOld {
        /// Where the schema is; 0 = there is none.
        found: i64,
        /// The newest migration here.
        known: i64,
    },
    /// A migration failed; the schema is as it was before it.
    #[error("migrating the schema failed: {source}")]
    Migration {
        /// What the migrator said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something needs Postgres and runs on the memory store.
    #[error("{what} needs Postgres: this runtime is on the memory store")]
    NeedsPostgres {
        /// What.
        what: &'static str,
    },
    /// A bug of ours.
    #[error("bug: {message}")]
    Bug {
        /// What was thought impossible.
        message: String,
    },
}

impl StoreError {
    /// Says whether the server gave up on a question because it took longer than it may.
    pub fn is_timeout(&self) -> bool {
        let StoreError::Unavailable { source } = self else { return false };
        let Some(sqlx::Error::Database(refusal)) = source.downcast_ref::<sqlx::Error>() else { return false };
        // query_canceled
        refusal.code().is_some_and(|code| code == "57014")
    }
}
