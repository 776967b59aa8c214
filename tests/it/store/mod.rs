//! What every store must do, and what the one in memory adds.

mod conformance;
mod memory;
mod process;
pub(crate) mod postgres;

use std::sync::Arc;

use runlog::model::Timestamp;
use runlog::store::Store;
use runlog::store::memory::MemoryStore;
use runlog::store::postgres::PostgresStore;
use runlog::testing::postgres::{Database, Databases};

/// A kind of store that the conformance suite runs on.
trait Backend {
    /// Keeps the opened store alive; dropped when the test ends.
    type Guard;

    /// Opens an empty store of its own for one test.
    async fn open() -> (Arc<dyn Store>, Self::Guard);
}

struct Memory;

impl Backend for Memory {
    type Guard = ();

    async fn open() -> (Arc<dyn Store>, ()) {
        (MemoryStore::new(new_year()), ())
    }
}

struct Postgres;

impl Backend for Postgres {
    type Guard = Database;

    async fn open() -> (Arc<dyn Store>, Database) {
        let databases = Databases::shared().await.expect("a server for tests");
        let migrate = async |url: String| {
            let pool = sqlx::PgPool::connect(&url).await?;
            PostgresStore::open(pool, LANES, true).await?;
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        };
        let database = databases.fresh_with("migrated", migrate).await.expect("a database");
        let pool = sqlx::PgPool::connect(&database.url).await.expect("the database");
        (Arc::new(PostgresStore::open(pool, LANES, false).await.expect("the schema")), database)
    }
}

/// The most lanes that a sentence of the contract joins with.
const LANES: u16 = 4;

/// When the worlds of these tests begin.
fn new_year() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}
