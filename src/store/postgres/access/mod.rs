//! What the REST interface keeps beside the runs: tokens, the audit, and requests that must not be done twice.

mod tokens;
mod audit;
mod idempotency;
mod bulk;

use std::time::Duration;

use sqlx::PgPool;

use super::PostgresStore;
use super::borrowed::Borrowed;
use super::route::Route;
use crate::store::StoreError;

/// The tables of the REST interface, on a few connections of their own.
#[derive(Clone, Debug)]
pub struct AccessStore {
    pool: PgPool,
    route: Route,
}

impl AccessStore {
    /// Opens the tables in the database of `pool`, with at most `connections` of its own, on which the server gives up on
    /// a statement after `statement`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nobody answers, try again.
    pub async fn open(
        pool: &PgPool,
        connections: u32,
        statement: Duration,
    ) -> Result<AccessStore, StoreError> {
        let reader = PostgresStore::for_readers(pool, connections, statement).await?;
        Ok(AccessStore { pool: reader.pool.clone(), route: reader.route })
    }

    async fn borrow(&self) -> Result<Borrowed, StoreError> {
        Borrowed::from(&self.pool, self.route).await
    }
}
