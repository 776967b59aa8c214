//! The server and the schema a store is opened on.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection, PgPool};

use super::dedicated::within;
use super::errors::classify;
use super::route::Route;
use crate::store::StoreError;

/// `migrations/`; the table and schema for its bookkeeping stand in `sqlx.toml`.
static MIGRATOR: Migrator = sqlx::migrate!();

/// The oldest release that is still tested: the first with the planner's pruning at run time for joins to `events`.
const SERVER_OLDEST: u32 = 14;

/// Checks the server and brings the schema to this release's migration, or says why it cannot.
pub(super) async fn prepare(pool: &PgPool, migrate: bool) -> Result<(), StoreError> {
    let known = newest();
    // Not through the pool: it would go on trying for its whole acquire timeout, and then not tell why.
    let found = within(async {
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await.map_err(classify)?;
        let found = inspect(&mut connection, Access::Write).await?;
        connection.close().await.map_err(classify)?;
        Ok(found)
    })
    .await?;
    if found > known {
        return Err(StoreError::SchemaTooNew { found, known });
    }
    if found == known {
        return Ok(());
    }
    if !migrate {
        return Err(StoreError::SchemaTooOld { found, known });
    }
    // A connection of its own: the migrator's lock is the session's, and a failed migration leaves it locked.
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await.map_err(classify)?;
    // `run` does the same, but its future is not `Send` for every connection, and `start` could not be spawned.
    let outcome = MIGRATOR.run_direct(None, &mut connection, false).await;
    let outcome = outcome.map_err(|error| refused(error, known));
    let closed = connection.close().await.map_err(classify);
    outcome.and(closed)?;
    tracing::info!(from = found, to = known, "migrated the schema runlog");
    Ok(())
}

/// As [`prepare`] without migrations, in one transaction.
pub(super) async fn prepare_through_pooler(pool: &PgPool) -> Result<(), StoreError> {
    let known = newest();
    let found = within(async {
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await.map_err(classify)?;
        Route::Pooled.begin(&mut connection).await?;
        let found = inspect(&mut connection, Access::Write).await;
        let found = Route::Pooled.end(&mut connection, found).await?;
        connection.close().await.map_err(classify)?;
        Ok(found)
    })
    .await?;
    compare(found, known)
}

/// A database's newest migration beside this release's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaVersion {
    /// The database's; 0 where there is no schema.
    pub found: i64,
    /// What this release needs.
    pub known: i64,
}

/// Returns the newest migration of a database, which may be a replica, beside this release's.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::ServerTooOld`].
pub async fn schema_version(pool: &PgPool) -> Result<SchemaVersion, StoreError> {
    within(async {
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await.map_err(classify)?;
        let found = inspect(&mut connection, Access::Read).await?;
        connection.close().await.map_err(classify)?;
        Ok(SchemaVersion { found, known: newest() })
    })
    .await
}

/// Brings a database's schema to this release's. On return that is committed.
///
/// # Errors
/// As for opening a store with `migrate`.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    prepare(pool, true).await
}

/// Returns the migrations after version `after` with the migrator's bookkeeping, as `psql` takes them, for whoever may
/// not let a program change a schema. One script: run it in one transaction.
pub fn migrations_sql(after: i64) -> String {
    let mut script = String::new();
    if after == 0 {
        script.push_str(BOOKS);
    }
    for migration in MIGRATOR.iter().filter(|migration| migration.version > after) {
        let (version, what) = (migration.version, migration.description.replace('\'', "''"));
        let checksum: String = migration.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
        let sql = migration.sql.as_str().trim_end();
        script.push_str(&format!(
            "-- migration {version}: {what}\n{sql}\n\ninsert into runlog.migrations (version, description, success, \
             checksum, execution_time)\nvalues ({version}, '{what}', true, '\\x{checksum}', 0);\n\n"
        ));
    }
    script
}

/// What the migrator makes before its first migration.
const BOOKS: &str = "create schema if not exists runlog;
create table if not exists runlog.migrations (
    version bigint primary key,
    description text not null,
    installed_on timestamptz not null default now(),
    success boolean not null,
    checksum bytea not null,
    execution_time bigint not null
);

";

/// Refuses a schema that is not this release's; a replica will do.
pub(super) async fn require(connection: &mut PgConnection) -> Result<(), StoreError> {
    compare(inspect(connection, Access::Read).await?, newest())
}

fn compare(found: i64, known: i64) -> Result<(), StoreError> {
    match found {
        found if found > known => Err(StoreError::SchemaTooNew { found, known }),
        found if found < known => Err(StoreError::SchemaTooOld { found, known }),
        _ => Ok(()),
    }
}

/// Returns the newest migration of this release.
fn newest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// What is to be done with the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Returns the schema's newest migration, 0 when there is no schema.
async fn inspect(connection: &mut PgConnection, access: Access) -> Result<i64, StoreError> {
    let server = sqlx::query_file!("src/store/postgres/sql/server.sql").fetch_one(&mut *connection);
    let server = server.await.map_err(classify)?;
    if server.version_number < i32::try_from(SERVER_OLDEST * 10_000).unwrap_or(i32::MAX) {
        return Err(StoreError::ServerTooOld { found: server.version, oldest: SERVER_OLDEST });
    }
    if server.read_only && access == Access::Write {
        return Err(StoreError::ReadOnly { database: server.database });
    }
    if !server.migrated {
        return Ok(0);
    }
    let newest = sqlx::query_file_scalar!("src/store/postgres/sql/migration.sql").fetch_one(connection);
    newest.await.map_err(classify)
}

fn refused(error: MigrateError, known: i64) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) => StoreError::SchemaTooNew { found, known },
        MigrateError::Execute(source) => match classify(source) {
            unavailable @ StoreError::Unavailable { .. } => unavailable,
            other => StoreError::Migration { source: Box::new(other) },
        },
        other => StoreError::Migration { source: Box::new(other) },
    }
}
