//! What the driver's errors mean to the engine.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::store::StoreError;

/// Says what an error means. Whatever may go away by itself is [`StoreError::Unavailable`].
pub(super) fn classify(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(refusal) if is_passing(refusal.code().as_deref().unwrap_or_default()) => {
            StoreError::Unavailable { source: Box::new(error) }
        }
        sqlx::Error::Database(refusal) => StoreError::Refused { message: refused(refusal.as_ref()) },
        sqlx::Error::Encode(_) => StoreError::Refused { message: error.to_string() },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StoreError::Unavailable { source: Box::new(error) },
        _ => StoreError::Bug { message: error.to_string() },
    }
}

/// Says whether the SQLSTATE speaks of the server's condition, or of this connection's, and not of the statement.
fn is_passing(code: &str) -> bool {
    const CLASSES: [&str; 5] = [
        "08",   // connection
        "28",   // authentication
        "53",   // out of memory, disk or connections
        "57P0", // shutting down, starting up
        "58",   // the server's own input and output
    ];
    const CODES: [&str; 9] = [
        "0A000", // a cached plan whose tables a migration changed
        "25006", // read-only: the primary became a replica
        "26000", // a pooler gave us a session without our prepared statement
        "3D000", // no such database, for now
        "40001", // serialization failure
        "40P01", // deadlock
        "55P03", // lock timeout
        "57014", // statement timeout
        "XX000", // internal; such as `tuple concurrently updated`
    ];
    CODES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class))
}

/// What the server said, with its detail and hint, which name the value and the way out.
fn refused(refusal: &dyn DatabaseError) -> String {
    let mut message = refusal.message().to_owned();
    if let Some(code) = refusal.code() {
        message.push_str(&format!(" (SQLSTATE {code})"));
    }
    if let Some(postgres) = refusal.try_downcast_ref::<PgDatabaseError>() {
        for more in [postgres.detail(), postgres.hint()].into_iter().flatten() {
            message.push_str("; ");
            message.push_str(more);
        }
    }
    message
}

/// Says whether the error is a collision with an event that is in the log already.
pub(super) fn is_written(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(refusal) = error else { return false };
    let Some(postgres) = refusal.try_downcast_ref::<PgDatabaseError>() else { return false };
    // The table is a partition of `events`; the other one an append inserts into is `runs`, which never collides.
    let table = postgres.table().unwrap_or_default();
    postgres.code() == "23505" && postgres.schema() == Some("runlog") && table.starts_with("events")
}

/// There was no answer in time.
pub(super) fn late(limit: Duration) -> StoreError {
    StoreError::Unavailable { source: format!("no answer within {} s", limit.as_secs()).into() }
}
