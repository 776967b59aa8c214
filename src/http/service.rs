//! What all handlers share.

use std::sync::Arc;

use tokio::sync::{OnceCell, Semaphore};

use super::access::{Caller, Gate};
use super::problem::Problem;
use crate::model::RunId;
use crate::model::limits::{DETAIL_TIME_MAX, LIST_TIME_MAX, OPEN_STREAMS_MAX, READER_CONNECTIONS};
use crate::runtime::Runtime;
use crate::store::postgres::{AccessStore, PostgresStore};
use crate::store::{RunRow, Store, StoreError};

/// The runtime, who may ask it what, and the readers' own connections.
pub(super) struct Service {
    pub(super) runtime: Runtime,
    pub(super) gate: Gate,
    /// The OpenAPI document as JSON.
    pub(super) document: Arc<str>,
    /// One permit for each stream that may be open.
    pub(super) streams: Arc<Semaphore>,
    desk: OnceCell<AccessStore>,
    lists: OnceCell<Arc<dyn Store>>,
    details: OnceCell<Arc<dyn Store>>,
}

impl Service {
    pub(super) fn new(runtime: Runtime, gate: Gate, document: Arc<str>) -> Service {
        let (desk, lists, details) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let streams = Arc::new(Semaphore::new(OPEN_STREAMS_MAX));
        Service { runtime, gate, document, streams, desk, lists, details }
    }

    /// Returns where lists are read.
    pub(super) async fn lists(&self) -> Result<&dyn Store, Problem> {
        Ok(&**self.lists.get_or_try_init(|| self.reader(LIST_TIME_MAX)).await?)
    }

    /// Returns where one run is read.
    pub(super) async fn details(&self) -> Result<&dyn Store, Problem> {
        Ok(&**self.details.get_or_try_init(|| self.reader(DETAIL_TIME_MAX)).await?)
    }

    /// Returns where the interface keeps its own: tokens, the audit, answers.
    pub(super) async fn desk(&self) -> Result<&AccessStore, Problem> {
        let needed = StoreError::NeedsPostgres { what: "access over HTTP" };
        let pool = self.runtime.store().pool().ok_or(needed)?;
        let open = || AccessStore::open(pool, READER_CONNECTIONS, LIST_TIME_MAX);
        Ok(self.desk.get_or_try_init(open).await?)
    }

    /// Says whether there is a place for what the interface keeps.
    pub(super) fn has_desk(&self) -> bool {
        self.runtime.store().pool().is_some()
    }

    async fn reader(&self, time: std::time::Duration) -> Result<Arc<dyn Store>, Problem> {
        let store = self.runtime.store();
        match store.pool() {
            Some(pool) => Ok(Arc::new(PostgresStore::for_readers(pool, READER_CONNECTIONS, time).await?)),
            None => Ok(Arc::clone(store)),
        }
    }

    /// Finds a run of the caller's; one of another namespace does not exist.
    pub(super) async fn run(&self, caller: &Caller, run: RunId) -> Result<RunRow, Problem> {
        let row = self.details().await?.row(run).await?.filter(|row| caller.sees(&row.namespace));
        row.ok_or_else(|| Problem::no_run(&run.to_string()))
    }
}
