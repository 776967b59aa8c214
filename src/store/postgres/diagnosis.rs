//! What can be wrong around the engine: the server's settings, and how the engine stands in it.

use sqlx::PgPool;

use super::dedicated::within;
use super::errors::classify;
use super::schema;
use crate::model::Timestamp;
use crate::store::StoreError;

/// How a server is set up, and how the engine stands in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// The server's release.
    pub version: String,
    /// Its clock.
    pub now: Timestamp,
    /// Whether what it committed survives a crash: `fsync` and `full_page_writes` are on.
    pub survives_crashes: bool,
    /// Its `synchronous_commit`; `off` loses the last commits in a crash.
    pub synchronous_commit: String,
    /// Whether it cleans up by itself.
    pub autovacuum: bool,
    /// Whether it is a replica, where nothing can be written.
    pub is_replica: bool,
    /// How many connections it allows.
    pub connections_max: i32,
    /// How many there are.
    pub connections: i64,
    /// Whether it tells its timeline: without, a failover that loses commits goes unnoticed.
    pub tells_timeline: bool,
    /// Nodes whose lease lives.
    pub nodes: i64,
    /// Runs that are due for more than 30 s, at most 1,000.
    pub overdue: i64,
    /// Events outside their month's partition, at most 1,000.
    pub strays: i64,
    /// Whether the log has a partition for the next month.
    pub partitions_ahead: bool,
}

/// Reads a server's settings and the engine's state; writes nothing, and works on a replica.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::ServerTooOld`], [`StoreError::SchemaTooOld`], [`StoreError::SchemaTooNew`].
pub async fn diagnose(pool: &PgPool) -> Result<Diagnosis, StoreError> {
    within(async {
        let mut connection = pool.acquire().await.map_err(classify)?;
        schema::require(&mut connection).await?;
        let found = sqlx::query_file_as!(Diagnosis, "src/store/postgres/sql/diagnosis.sql");
        found.fetch_one(&mut *connection).await.map_err(classify)
    })
    .await
}
