//! A connection of the embedder's pool, for one call.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

use super::errors::classify;
use super::route::Route;
use crate::store::StoreError;

/// A connection in use.
///
/// A call that is given up in the middle of the transaction that a pooler needs closes it: the next user would find
/// itself in that transaction.
pub(super) struct Borrowed {
    connection: PoolConnection<Postgres>,
    route: Route,
    is_open: bool,
}

impl Borrowed {
    /// Waits for a connection, and begins the call on it.
    pub(super) async fn from(pool: &PgPool, route: Route) -> Result<Borrowed, StoreError> {
        let connection = pool.acquire().await.map_err(classify)?;
        let mut borrowed = Borrowed { connection, route, is_open: true };
        route.begin(&mut borrowed).await?;
        Ok(borrowed)
    }

    /// Ends the call: without this, what it wrote through a pooler is lost.
    pub(super) async fn settle<T>(mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let route = self.route;
        let answer = route.end(&mut self, answer).await;
        self.is_open = matches!(answer, Err(StoreError::Unavailable { .. }));
        answer
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if self.is_open && self.route == Route::Pooled {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Borrowed {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
