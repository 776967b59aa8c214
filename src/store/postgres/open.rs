//! Opening the store, and the ways to the server that it holds.

use sqlx::PgPool;

use super::borrowed::Borrowed;
use super::dedicated::{Dedicated, Plans, within};
use super::news::Listener;
use super::route::{self, Route};
use super::{PostgresStore, schema};
use crate::clock;
use crate::store::StoreError;

impl PostgresStore {
    /// Opens the store in the pool's database: checks the server, and the schema's migrations, which it runs when
    /// `migrate` is true. On return the schema is this release's; several nodes may open it at once.
    ///
    /// Besides the pool's connections it holds one for each of `lanes` lanes and three more, one more while it makes a
    /// retention pass, and one while it is the exporter.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nobody answers, try again. [`StoreError::ServerTooOld`], [`StoreError::ReadOnly`]:
    /// use another server. [`StoreError::SchemaTooNew`]: upgrade this node. [`StoreError::SchemaTooOld`]: run the
    /// migrations first, or pass `migrate`. [`StoreError::Migration`]: see what the migrator said.
    /// [`StoreError::SessionsShared`]: use [`open_through_pooler`](PostgresStore::open_through_pooler).
    pub async fn open(pool: PgPool, lanes: u16, migrate: bool) -> Result<PostgresStore, StoreError> {
        within(route::require_sessions(&pool.connect_options())).await?;
        schema::prepare(&pool, migrate).await?;
        Ok(PostgresStore::with(pool, lanes, Route::Direct))
    }

    /// As [`open`](PostgresStore::open), where the pool's connections go through a pooler in transaction mode, such as
    /// pgbouncer. Each call is a transaction of its own, which costs two exchanges more. Runs no migrations: the migrator's
    /// lock belongs to a session.
    ///
    /// # Errors
    /// As [`open`](PostgresStore::open), and [`StoreError::StatementsKept`]: open the pool without a statement cache.
    pub async fn open_through_pooler(pool: PgPool, lanes: u16) -> Result<PostgresStore, StoreError> {
        route::require_no_statements(&pool.connect_options())?;
        schema::prepare_through_pooler(&pool).await?;
        Ok(PostgresStore::with(pool, lanes, Route::Pooled))
    }

    fn with(pool: PgPool, lanes: u16, route: Route) -> PostgresStore {
        let dedicated = |plans| Dedicated::new(pool.clone(), route, plans);
        let lanes = (0..lanes).map(|_| dedicated(Plans::Kept)).collect();
        let (control, dispatch) = (dedicated(Plans::Fresh), dedicated(Plans::Fresh));
        let (pruning, exporting) = (dedicated(Plans::Fresh), dedicated(Plans::Kept));
        let (listener, token) = (Listener::new(&pool), clock::draw_token());
        PostgresStore { lanes, control, dispatch, pruning, exporting, listener, token, route, pool }
    }

    /// Explains every statement that a list, a count or the failure groups of `query` may take: each with its text and the
    /// server's plan.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    #[cfg(feature = "testing")]
    pub async fn explain(&self, query: &crate::store::RunQuery) -> Result<Vec<String>, StoreError> {
        super::list::explain(&self.pool, query).await
    }

    pub(super) fn lane(&self, lane: u16) -> Result<&Dedicated, StoreError> {
        let lanes = self.lanes.len();
        let message = || format!("lane {lane} was asked for, the store was opened with {lanes}");
        self.lanes.get(usize::from(lane)).ok_or_else(|| StoreError::Bug { message: message() })
    }

    pub(super) async fn borrow(&self) -> Result<Borrowed, StoreError> {
        Borrowed::from(&self.pool, self.route).await
    }
}
