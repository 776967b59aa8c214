//! What all handlers share.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::access::{Caller, Gate};
use super::meter::Meter;
use super::problem::Problem;
use crate::model::RunId;
use crate::model::limits::{DETAIL_TIME_MAX, LIST_TIME_MAX, READER_CONNECTIONS};
use crate::runtime::Runtime;
use crate::store::postgres::PostgresStore;
use crate::store::{RunRow, Store};

/// The runtime, who may ask it what, and the readers' own connections.
pub(super) struct Service {
    pub(super) runtime: Runtime,
    pub(super) gate: Gate,
    pub(super) meter: Meter,
    /// The OpenAPI document as JSON.
    pub(super) document: Arc<str>,
    lists: OnceCell<Arc<dyn Store>>,
    details: OnceCell<Arc<dyn Store>>,
}

impl Service {
    pub(super) fn new(runtime: Runtime, gate: Gate, document: Arc<str>) -> Service {
        let (lists, details) = (OnceCell::new(), OnceCell::new());
        Service { runtime, gate, meter: Meter::default(), document, lists, details }
    }

    /// Returns where lists are read.
    #[expect(dead_code, reason = "the lists come next")]
    pub(super) async fn lists(&self) -> Result<&dyn Store, Problem> {
        Ok(&**self.lists.get_or_try_init(|| self.reader(LIST_TIME_MAX)).await?)
    }

    /// Returns where one run is read.
    pub(super) async fn details(&self) -> Result<&dyn Store, Problem> {
        Ok(&**self.details.get_or_try_init(|| self.reader(DETAIL_TIME_MAX)).await?)
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
