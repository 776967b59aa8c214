//! A store for readers: connections of their own, and a limit on what a question may cost.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use super::PostgresStore;
use super::dedicated::{Dedicated, Plans, within};
use super::errors::classify;
use super::news::Listener;
use super::route::Route;
use crate::store::StoreError;

/// How long a connection that nobody uses is kept.
const IDLE_MAX: Duration = Duration::from_secs(60);

impl PostgresStore {
    /// Opens a store for questions on the database of `pool`: at most `connections` of its own at a time, on which the
    /// server gives up on a statement after `statement`. Whatever readers do, the engine's connections are free.
    ///
    /// It joins no node and appends nothing. A pooler that takes no such option gives connections without the server's
    /// limit; this process then stops waiting, as for every call.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nobody answers, try again.
    pub async fn for_readers(
        pool: &PgPool,
        connections: u32,
        statement: Duration,
    ) -> Result<PostgresStore, StoreError> {
        let options = within(limited(&pool.connect_options(), statement)).await?;
        let route = Route::of(&options);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(statement)
            .idle_timeout(IDLE_MAX)
            .connect_lazy_with(options);
        let dedicated = || Dedicated::new(pool.clone(), route, Plans::Fresh);
        let (control, dispatch) = (dedicated(), dedicated());
        let (pruning, exporting) = (dedicated(), dedicated());
        let listener = Listener::new(&pool);
        Ok(PostgresStore {
            lanes: Vec::new(),
            control,
            dispatch,
            pruning,
            exporting,
            listener,
            token: 0,
            route,
            pool,
        })
    }
}

/// Asks for the limit at a connection's start, where it is no session state; without it where that is refused.
async fn limited(options: &PgConnectOptions, statement: Duration) -> Result<PgConnectOptions, StoreError> {
    let millis = statement.as_millis().to_string();
    let limited = options.clone().options([("statement_timeout", millis.as_str()), ("jit", "off")]);
    match PgConnection::connect_with(&limited).await {
        Ok(connection) => {
            connection.close().await.map_err(classify)?;
            Ok(limited)
        }
        Err(sqlx::Error::Database(_)) => Ok(options.clone()),
        Err(error) => Err(classify(error)),
    }
}
