//! How a call reaches its server: directly, or through a pooler that lends it one for a transaction.
//!
//! The driver prepares a statement in one exchange and executes it in the next. In transaction mode a pooler may send the
//! second to another server process, where the statement's name is unknown, or, worse, somebody else's. So through a pooler
//! each call is a transaction of its own, which begins on a process without statements and leaves none there.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::errors::classify;
use crate::store::StoreError;

/// What stands between the store and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Nothing that matters: a connection is a session.
    Direct,
    /// A pooler in transaction mode: a connection is a session only while a transaction lasts.
    Pooled,
}

/// One message each, so that the pooler lends one process for all of it.
const BEGIN: &str = "begin; deallocate all; set local jit = off";
const COMMIT: &str = "deallocate all; commit";
const ROLLBACK: &str = "rollback; deallocate all";
const START_OVER: &str = "rollback; begin; deallocate all; set local jit = off";

impl Route {
    /// Tells it by the options of a pool: one whose driver keeps no statements goes through a pooler, or will do as if.
    pub(super) fn of(options: &PgConnectOptions) -> Route {
        match require_no_statements(options) {
            Ok(()) => Route::Pooled,
            Err(_) => Route::Direct,
        }
    }

    /// Begins a call.
    pub(super) async fn begin(self, connection: &mut PgConnection) -> Result<(), StoreError> {
        match self {
            Route::Direct => Ok(()),
            Route::Pooled => simple(connection, BEGIN).await,
        }
    }

    /// Ends a call: what it did is committed if its answer is good.
    pub(super) async fn end<T>(
        self,
        connection: &mut PgConnection,
        answer: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match (self, answer) {
            (Route::Direct, answer) => answer,
            (Route::Pooled, Ok(answer)) => simple(connection, COMMIT).await.map(|()| answer),
            // Nobody is there who could roll back; the connection is given up.
            (Route::Pooled, Err(unavailable @ StoreError::Unavailable { .. })) => Err(unavailable),
            (Route::Pooled, Err(error)) => simple(connection, ROLLBACK).await.and(Err(error)),
        }
    }

    /// Makes the connection of use again to a call of which a statement was refused; what the call did so far is undone.
    pub(super) async fn start_over(self, connection: &mut PgConnection) -> Result<(), StoreError> {
        match self {
            Route::Direct => Ok(()),
            Route::Pooled => simple(connection, START_OVER).await,
        }
    }

    /// How the code's own transactions begin.
    pub(super) fn begin_of_code(self) -> &'static str {
        match self {
            Route::Direct => "begin",
            Route::Pooled => "begin; deallocate all",
        }
    }
}

/// Refuses options by which the driver would ask for statements that it prepared in another transaction.
pub(super) fn require_no_statements(options: &PgConnectOptions) -> Result<(), StoreError> {
    let kept = options.to_url_lossy();
    let kept = kept.query_pairs().find(|(name, _)| name == "statement-cache-capacity");
    match kept {
        Some((_, capacity)) if capacity == "0" => Ok(()),
        _ => Err(StoreError::StatementsKept),
    }
}

/// Refuses to work through a pooler that nobody spoke of, as far as it shows: two open connections have one server process.
pub(super) async fn require_sessions(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut one = PgConnection::connect_with(options).await.map_err(classify)?;
    let first = process(&mut one).await?;
    let mut other = PgConnection::connect_with(options).await.map_err(classify)?;
    let second = process(&mut other).await?;
    one.close().await.map_err(classify)?;
    other.close().await.map_err(classify)?;
    if first == second { Err(StoreError::SessionsShared) } else { Ok(()) }
}

async fn process(connection: &mut PgConnection) -> Result<String, StoreError> {
    use sqlx::Row;
    // Without a statement that is prepared first.
    let row = sqlx::raw_sql("select pg_backend_pid()::text").fetch_one(connection).await.map_err(classify)?;
    row.try_get(0).map_err(classify)
}

async fn simple(connection: &mut PgConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::raw_sql(sql).execute(connection).await.map_err(classify).map(drop)
}
