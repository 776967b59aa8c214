//! What all handlers share.

use std::sync::Arc;

use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::access::{Caller, Gate};
use super::pages::Pages;
use super::problem::{Code, Problem};
use super::table::Body;
use crate::model::RunId;
use crate::model::limits::{
    DETAIL_TIME_MAX, IMPORTS_MAX, LIST_TIME_MAX, OPEN_STREAMS_MAX, READER_CONNECTIONS,
};
use crate::runtime::Runtime;
use crate::store::postgres::{AccessStore, PostgresStore};
use crate::store::{RunRow, Store, StoreError};

/// The runtime, who may ask it what, and the readers' own connections.
pub(crate) struct Service {
    pub(crate) runtime: Runtime,
    pub(crate) gate: Gate,
    /// The pages beside the REST interface.
    pub(crate) pages: Option<&'static Pages>,
    /// The OpenAPI document as JSON.
    pub(crate) document: Arc<str>,
    /// One permit for each stream that may be open.
    pub(crate) streams: Arc<Semaphore>,
    imports: Semaphore,
    desk: OnceCell<AccessStore>,
    lists: OnceCell<Arc<dyn Store>>,
    details: OnceCell<Arc<dyn Store>>,
}

impl Service {
    pub(crate) fn new(
        runtime: Runtime,
        gate: Gate,
        pages: Option<&'static Pages>,
        document: Arc<str>,
    ) -> Service {
        let (desk, lists, details) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let streams = Arc::new(Semaphore::new(OPEN_STREAMS_MAX));
        let imports = Semaphore::new(IMPORTS_MAX);
        Service { runtime, gate, pages, document, streams, imports, desk, lists, details }
    }

    /// Returns where lists are read.
    pub(crate) async fn lists(&self) -> Result<&dyn Store, Problem> {
        Ok(&**self.lists.get_or_try_init(|| self.reader(LIST_TIME_MAX)).await?)
    }

    /// Returns where one run is read.
    pub(crate) async fn details(&self) -> Result<&dyn Store, Problem> {
        Ok(&**self.details.get_or_try_init(|| self.reader(DETAIL_TIME_MAX)).await?)
    }

    /// Returns where the interface keeps its own: tokens, the audit, answers.
    pub(crate) async fn desk(&self) -> Result<&AccessStore, Problem> {
        let needed = StoreError::NeedsPostgres { what: "access over HTTP" };
        let pool = self.runtime.store().pool().ok_or(needed)?;
        let open = || AccessStore::open(pool, READER_CONNECTIONS, LIST_TIME_MAX);
        Ok(self.desk.get_or_try_init(open).await?)
    }

    /// Takes one of the places for large bodies, before such a body is read; none is needed for others.
    pub(crate) fn seat(&self, body: Body) -> Result<Option<SemaphorePermit<'_>>, Problem> {
        let full =
            |_| Problem::new(Code::TooManyImports, "as many imports are under way as this process takes");
        match body {
            Body::Json | Body::Form => Ok(None),
            Body::Exports => self.imports.try_acquire().map(Some).map_err(full),
        }
    }

    /// Says whether there is a place for what the interface keeps.
    pub(crate) fn has_desk(&self) -> bool {
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
    pub(crate) async fn run(&self, caller: &Caller, run: RunId) -> Result<RunRow, Problem> {
        let row = self.details().await?.row(run).await?.filter(|row| caller.sees(&row.namespace));
        row.ok_or_else(|| Problem::no_run(&run.to_string()))
    }
}
