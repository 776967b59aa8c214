//! What every store must do, and what the one in memory adds.

mod conformance;
mod memory;
mod process;

use std::sync::Arc;

use runlog::model::Timestamp;
use runlog::store::Store;
use runlog::store::memory::MemoryStore;

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

/// When the worlds of these tests begin.
fn new_year() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}
