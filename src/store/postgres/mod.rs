//! The contract on Postgres: the only place that knows SQL.
//!
//! Each statement is a file in `sql/`, checked when the crate is built. Every lane appends on a connection of its
//! own, heartbeats and rescues share one, claims and their loads another, and one listens; everything else goes through the
//! embedder's pool. None of them keeps state in the session, so all work behind pgbouncer in transaction mode.

mod schema;
mod dedicated;
mod readers;
mod nodes;
mod append;
mod batch;
mod columns;
mod written;
mod create;
mod claim;
mod load;
mod mail;
mod news;
mod runs;
mod summaries;
mod rows;
mod errors;
mod verify;

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, PgTransaction, Postgres};

pub use self::create::create_in;
pub use self::verify::{Checked, INVARIANTS, Invariant, Report, Scope, Violation, verify, verify_each};

use self::dedicated::{Dedicated, Plans, within};
use self::news::Listener;
use super::{
    Answer, Append, Appended, Claimed, Commit, Created, Heartbeat, Inbox, Joined, Loaded, News, NodeInfo,
    Rescue, RunRow, Sent, Serving, Shape, Store, StoreError, Wanted,
};
use crate::clock;
use crate::model::{
    Key, MessageBody, MessageId, Namespace, NodeId, Recorded, RunId, RunState, RunSummary, Timestamp,
    Version, WorkflowName,
};

/// The storage of runs in the schema `runlog` of a Postgres database.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    lanes: Vec<Dedicated>,
    control: Dedicated,
    dispatch: Dedicated,
    listener: Listener,
    /// Tells this process from another one to which a restored database gave the same node's id.
    token: i64,
}

impl PostgresStore {
    /// Opens the store in the pool's database: checks the server, and the schema's migrations, which it runs when
    /// `migrate` is true. On return the schema is this release's; several nodes may open it at once.
    ///
    /// Besides the pool's connections it holds one for each of `lanes` lanes and three more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nobody answers, try again. [`StoreError::ServerTooOld`], [`StoreError::ReadOnly`]:
    /// use another server. [`StoreError::SchemaTooNew`]: upgrade this node. [`StoreError::SchemaTooOld`]: run the
    /// migrations first, or pass `migrate`. [`StoreError::Migration`]: see what the migrator said.
    pub async fn open(pool: PgPool, lanes: u16, migrate: bool) -> Result<PostgresStore, StoreError> {
        schema::prepare(&pool, migrate).await?;
        let dedicated = |plans| Dedicated::new(pool.clone(), plans);
        let lanes = (0..lanes).map(|_| dedicated(Plans::Kept)).collect();
        let (control, dispatch) = (dedicated(Plans::Fresh), dedicated(Plans::Fresh));
        let (listener, token) = (Listener::new(&pool), clock::draw_token());
        Ok(PostgresStore { lanes, control, dispatch, listener, token, pool })
    }

    fn lane(&self, lane: u16) -> Result<&Dedicated, StoreError> {
        let lanes = self.lanes.len();
        let message = || format!("lane {lane} was asked for, the store was opened with {lanes}");
        self.lanes.get(usize::from(lane)).ok_or_else(|| StoreError::Bug { message: message() })
    }

    async fn pooled(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.pool.acquire().await.map_err(errors::classify)
    }
}

impl Store for PostgresStore {
    fn join<'a>(&'a self, node: &'a NodeInfo, lanes: u16, lease: Duration) -> Answer<'a, Joined> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::join(&mut taken.connection, self.token, node, lanes, lease).await;
            taken.settle(answer)
        }))
    }

    fn heartbeat(&self, node: NodeId, lease: Duration) -> Answer<'_, Heartbeat> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::heartbeat(&mut taken.connection, self.token, node, lease).await;
            taken.settle(answer)
        }))
    }

    fn leave(&self, node: NodeId) -> Answer<'_, ()> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::leave(&mut taken.connection, self.token, node).await;
            taken.settle(answer)
        }))
    }

    fn rescue(&self) -> Answer<'_, Rescue> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::rescue(&mut taken.connection).await;
            taken.settle(answer)
        }))
    }

    fn register<'a>(&'a self, workflows: &'a [Shape]) -> Answer<'a, ()> {
        // Not on the pool: a transaction that is given up in its beginning would go back into it open.
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = runs::register(&mut taken.connection, workflows).await;
            taken.settle(answer)
        }))
    }

    fn append<'a>(&'a self, node: NodeId, lane: u16, batch: &'a [Commit]) -> Answer<'a, Appended> {
        Box::pin(within(async move {
            let mut taken = self.lane(lane)?.take().await?;
            let answer = append::append(&mut taken.connection, self.token, node, lane, batch).await;
            taken.settle(answer)
        }))
    }

    fn create<'a>(&'a self, runs: &'a [Append]) -> Answer<'a, Vec<Created>> {
        Box::pin(within(async move { create_in(&mut *self.pooled().await?, runs).await }))
    }

    fn claim<'a>(&'a self, node: NodeId, wanted: &'a Wanted) -> Answer<'a, Claimed> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = claim::claim(&mut taken.connection, self.token, node, wanted).await;
            taken.settle(answer)
        }))
    }

    fn held(&self, node: NodeId) -> Answer<'_, Vec<RunId>> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = claim::held(&mut taken.connection, node).await;
            taken.settle(answer)
        }))
    }

    fn load<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Loaded>> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = load::load(&mut taken.connection, runs).await;
            taken.settle(answer)
        }))
    }

    fn inbox<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Inbox>> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = mail::inbox(&mut taken.connection, runs).await;
            taken.settle(answer)
        }))
    }

    fn send<'a>(&'a self, run: RunId, body: &'a MessageBody) -> Answer<'a, Sent> {
        Box::pin(within(async move { mail::send(&mut *self.pooled().await?, run, body).await }))
    }

    fn is_waiting(&self, run: RunId, message: MessageId) -> Answer<'_, bool> {
        Box::pin(within(async move { mail::is_waiting(&mut *self.pooled().await?, run, message).await }))
    }

    fn keep_snapshot<'a>(&'a self, state: &'a RunState) -> Answer<'a, ()> {
        Box::pin(within(async move { load::keep_snapshot(&mut *self.pooled().await?, state).await }))
    }

    fn row(&self, run: RunId) -> Answer<'_, Option<RunRow>> {
        Box::pin(within(async move { runs::row(&mut *self.pooled().await?, run).await }))
    }

    fn summaries<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunSummary>> {
        Box::pin(within(async move { summaries::summaries(&mut *self.pooled().await?, runs).await }))
    }

    fn find<'a>(
        &'a self,
        namespace: &'a Namespace,
        workflow: &'a WorkflowName,
        key: &'a Key,
    ) -> Answer<'a, Option<RunId>> {
        Box::pin(within(
            async move { runs::find(&mut *self.pooled().await?, namespace, workflow, key).await },
        ))
    }

    fn log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<Recorded>> {
        Box::pin(within(async move { runs::log(&mut *self.pooled().await?, run, after, limit).await }))
    }

    fn children(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>> {
        Box::pin(within(async move { runs::children(&mut *self.pooled().await?, run, limit).await }))
    }

    fn serving<'a>(&'a self, workflow: &'a WorkflowName, version: &'a Version) -> Answer<'a, Serving> {
        Box::pin(within(async move { nodes::serving(&mut *self.pooled().await?, workflow, version).await }))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        Box::pin(within(async move { nodes::now(&mut *self.pooled().await?).await }))
    }

    fn announce<'a>(&'a self, news: &'a [News]) -> Answer<'a, ()> {
        Box::pin(within(async move { news::announce(&mut *self.pooled().await?, news).await }))
    }

    fn listen(&self) -> Answer<'_, Vec<News>> {
        Box::pin(self.listener.listen())
    }

    fn checkpoint<'a>(
        &'a self,
        transaction: &'a mut PgTransaction<'static>,
        node: NodeId,
        lane: u16,
        append: &'a Append,
    ) -> Answer<'a, Timestamp> {
        Box::pin(within(append::checkpoint(transaction, self.token, node, lane, append)))
    }

    fn pool(&self) -> Option<&PgPool> {
        Some(&self.pool)
    }
}
