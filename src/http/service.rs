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
use crate::model::redaction::{REDACTED, Redaction, RestoreError};
use crate::model::trigger::EventFilter;
use crate::runtime::Runtime;
use crate::store::postgres::{AccessStore, PostgresStore};
use crate::store::{Redacted, RunRow, Store, StoreError};

/// The runtime, who may ask it what, and the readers' own connections.
pub(crate) struct Service {
    /// What it tells is without the values that are hidden, as what the readers' stores answer.
    pub(crate) runtime: Runtime,
    /// Which values are hidden.
    pub(crate) redaction: Arc<Redaction>,
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
        runtime: &Runtime,
        redaction: Redaction,
        gate: Gate,
        pages: Option<&'static Pages>,
        document: Arc<str>,
    ) -> Service {
        let (desk, lists, details) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let streams = Arc::new(Semaphore::new(OPEN_STREAMS_MAX));
        let imports = Semaphore::new(IMPORTS_MAX);
        let redaction = Arc::new(redaction);
        let runtime = runtime.redacted(&redaction);
        Service { runtime, redaction, gate, pages, document, streams, imports, desk, lists, details }
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
        let whole: Arc<dyn Store> = match store.pool() {
            Some(pool) => Arc::new(PostgresStore::for_readers(pool, READER_CONNECTIONS, time).await?),
            None => Arc::clone(store),
        };
        Ok(Redacted::over(whole, &self.redaction))
    }

    /// Refuses a value that was copied from where it is hidden: nobody has it to put it back.
    pub(crate) fn refuse_hidden(&self, pointer: &str, text: &str) -> Result<(), Problem> {
        let Some(at) = self.redaction.left_in(text) else { return Ok(()) };
        let detail =
            format!("it says {REDACTED}, in a place where this service hides values: write the value out");
        Err(Problem::at(&format!("{pointer}{at}"), detail))
    }

    /// Refuses a filter of trigger events that would answer questions about values that are hidden.
    pub(crate) fn refuse_telling(&self, filter: &str) -> Result<(), Problem> {
        // What is none is refused by others, who say why.
        let told = EventFilter::parse(filter).ok().and_then(|filter| filter.tells_of(&self.redaction));
        let Some(why) = told else { return Ok(()) };
        Err(Problem::at("/filter", format!("it could tell of values that this service hides: {why}")))
    }

    /// Puts the values back into an edited input that its editor was not shown.
    pub(crate) async fn whole_input(&self, run: RunId, edited: String) -> Result<String, Problem> {
        if self.redaction.is_empty() || !edited.contains(['‹', '\\']) {
            return Ok(edited);
        }
        let original = self.runtime.input_of(run).await?;
        let restored = self.redaction.restored(&edited, original.text());
        let refused = |error: RestoreError| {
            Problem::at(&format!("/input{}", error.pointer), format!("it says {REDACTED}: {}", error.why))
        };
        Ok(restored.map_err(refused)?.unwrap_or(edited))
    }

    /// Finds a run of the caller's; one of another namespace does not exist.
    pub(crate) async fn run(&self, caller: &Caller, run: RunId) -> Result<RunRow, Problem> {
        let row = self.details().await?.row(run).await?.filter(|row| caller.sees(&row.namespace));
        row.ok_or_else(|| Problem::no_run(&run.to_string()))
    }
}
