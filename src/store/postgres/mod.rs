//! The contract on Postgres: the only place that knows SQL.
//!
//! Each statement is a file in `sql/`, checked when the crate is built. Every lane appends on a connection of its
//! own, heartbeats and rescues share one, claims and their loads another, and one listens; everything else goes through the
//! embedder's pool. None but the one that listens keeps state in the session; what a pooler in transaction mode needs beyond
//! that is in `route.rs`.

mod open;
mod schema;
mod route;
mod dedicated;
mod borrowed;
mod readers;
mod nodes;
mod census;
mod access;
mod append;
mod batch;
mod columns;
mod written;
mod create;
mod claim;
mod load;
mod mail;
mod signals;
mod news;
mod runs;
mod summaries;
mod archive;
mod flow;
mod archived;
mod retention;
mod schedules;
mod triggers;
mod writings;
mod outbox;
mod list;
mod rows;
mod errors;
mod verify;
mod diagnosis;

use std::time::Duration;

use sqlx::{PgPool, PgTransaction};

pub use self::access::AccessStore;
pub use self::create::create_in;
pub use self::diagnosis::{Diagnosis, diagnose};
pub use self::schema::{SchemaVersion, migrate, migrations_sql, schema_version};
pub use self::verify::{Checked, INVARIANTS, Invariant, Report, Scope, Violation, verify, verify_each};

use self::dedicated::{Dedicated, Plans, within};
use self::news::Listener;
use self::route::Route;
use super::{
    Alike, Answer, Append, Appended, Claimed, Commit, Created, FailureGroups, Heartbeat, Inbox, Joined,
    KnownWorkflow, LiveRuns, Loaded, News, NodeInfo, NodeRow, Registered, Rescue, RunCount, RunPage,
    RunQuery, RunRow, RunsEnded, Seen, Sent, Serving, Shape, Store, StoreError, Survey, Wanted,
};
use crate::model::{
    Key, MessageBody, MessageId, Namespace, NodeId, Recorded, RunId, RunState, RunSummary, Timestamp,
    Version, WorkflowName,
};

/// The storage of runs in the schema `runlog` of a Postgres database.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    route: Route,
    lanes: Vec<Dedicated>,
    control: Dedicated,
    dispatch: Dedicated,
    /// Open while a retention pass is this process's.
    pruning: Dedicated,
    /// Open while this process is the exporter.
    exporting: Dedicated,
    listener: Listener,
    /// Tells this process from another one to which a restored database gave the same node's id.
    token: i64,
}

impl Store for PostgresStore {
    fn join<'a>(&'a self, node: &'a NodeInfo, lanes: u16, lease: Duration) -> Answer<'a, Joined> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::join(&mut taken.connection, self.route, self.token, node, lanes, lease).await;
            taken.settle(answer).await
        }))
    }

    fn heartbeat(&self, node: NodeId, lease: Duration) -> Answer<'_, Heartbeat> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::heartbeat(&mut taken.connection, self.token, node, lease).await;
            taken.settle(answer).await
        }))
    }

    fn leave(&self, node: NodeId) -> Answer<'_, ()> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::leave(&mut taken.connection, self.token, node).await;
            taken.settle(answer).await
        }))
    }

    fn rescue(&self) -> Answer<'_, Rescue> {
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = nodes::rescue(&mut taken.connection).await;
            taken.settle(answer).await
        }))
    }

    fn register<'a>(&'a self, workflows: &'a [Shape]) -> Answer<'a, ()> {
        // Not on the pool: a transaction that is given up in its beginning would go back into it open.
        Box::pin(within(async move {
            let mut taken = self.control.take().await?;
            let answer = runs::register(&mut taken.connection, workflows).await;
            taken.settle(answer).await
        }))
    }

    fn registered<'a>(&'a self, workflow: &'a WorkflowName) -> Answer<'a, Option<Registered>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::registered(&mut borrowed, workflow).await;
            borrowed.settle(answer).await
        }))
    }

    fn append<'a>(&'a self, node: NodeId, lane: u16, batch: &'a [Commit]) -> Answer<'a, Appended> {
        Box::pin(within(async move {
            let mut taken = self.lane(lane)?.take().await?;
            taken.plan(Plans::for_runs(batch.iter().map(|commit| commit.appends.len()).sum())).await?;
            let answer =
                append::append(&mut taken.connection, self.route, self.token, node, lane, batch).await;
            taken.settle(answer).await
        }))
    }

    fn create<'a>(&'a self, runs: &'a [Append]) -> Answer<'a, Vec<Created>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = create_in(&mut borrowed, runs).await;
            borrowed.settle(answer).await
        }))
    }

    fn claim<'a>(&'a self, node: NodeId, wanted: &'a Wanted) -> Answer<'a, Claimed> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = claim::claim(&mut taken.connection, self.token, node, wanted).await;
            taken.settle(answer).await
        }))
    }

    fn held(&self, node: NodeId) -> Answer<'_, Vec<RunId>> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = claim::held(&mut taken.connection, node).await;
            taken.settle(answer).await
        }))
    }

    fn load<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Loaded>> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = load::load(&mut taken.connection, runs).await;
            taken.settle(answer).await
        }))
    }

    fn inbox<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Inbox>> {
        Box::pin(within(async move {
            let mut taken = self.dispatch.take().await?;
            let answer = mail::inbox(&mut taken.connection, runs).await;
            taken.settle(answer).await
        }))
    }

    fn send<'a>(&'a self, run: RunId, body: &'a MessageBody) -> Answer<'a, Sent> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = mail::send(&mut borrowed, run, body).await;
            borrowed.settle(answer).await
        }))
    }

    fn is_waiting(&self, run: RunId, message: MessageId) -> Answer<'_, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = mail::is_waiting(&mut borrowed, run, message).await;
            borrowed.settle(answer).await
        }))
    }

    fn keep_snapshot<'a>(&'a self, state: &'a RunState) -> Answer<'a, ()> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = load::keep_snapshot(&mut borrowed, state).await;
            borrowed.settle(answer).await
        }))
    }

    fn row(&self, run: RunId) -> Answer<'_, Option<RunRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::row(&mut borrowed, run).await;
            borrowed.settle(answer).await
        }))
    }

    fn summaries<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunSummary>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = summaries::summaries(&mut borrowed, runs).await;
            borrowed.settle(answer).await
        }))
    }

    fn list<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunPage> {
        Box::pin(within(list::list(&self.pool, query)))
    }

    fn count<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunCount> {
        Box::pin(within(list::count(&self.pool, query)))
    }

    fn failures<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, FailureGroups> {
        Box::pin(within(list::failures(&self.pool, query)))
    }

    fn when_ended<'a>(&'a self, query: &'a RunQuery, every: Duration) -> Answer<'a, RunsEnded> {
        Box::pin(within(list::ended(&self.pool, query, every)))
    }

    fn seen<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, Seen> {
        Box::pin(within(list::seen(&self.pool, namespace)))
    }

    fn survey<'a>(
        &'a self,
        listed: &'a RunQuery,
        counted: &'a RunQuery,
        failed: &'a RunQuery,
    ) -> Answer<'a, Survey> {
        Box::pin(within(list::survey(&self.pool, listed, counted, failed)))
    }

    fn alike(&self, run: RunId, named: u32) -> Answer<'_, Option<Alike>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = summaries::alike(&mut borrowed, run, named).await;
            borrowed.settle(answer).await
        }))
    }

    fn find<'a>(
        &'a self,
        namespace: &'a Namespace,
        workflow: &'a WorkflowName,
        key: &'a Key,
    ) -> Answer<'a, Option<RunId>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::find(&mut borrowed, namespace, workflow, key).await;
            borrowed.settle(answer).await
        }))
    }

    fn log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<Recorded>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::log(&mut borrowed, run, after, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn children(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::children(&mut borrowed, run, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn last_good(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunId>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::last_good(&mut borrowed, run, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn replays(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::replays(&mut borrowed, run, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn serving<'a>(&'a self, workflow: &'a WorkflowName, version: &'a Version) -> Answer<'a, Serving> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = nodes::serving(&mut borrowed, workflow, version).await;
            borrowed.settle(answer).await
        }))
    }

    fn nodes(&self, limit: u32) -> Answer<'_, Vec<NodeRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = census::nodes(&mut borrowed, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn workflows<'a>(&'a self, name: Option<&'a WorkflowName>, limit: u32) -> Answer<'a, Vec<KnownWorkflow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = census::workflows(&mut borrowed, name, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn live_runs(&self) -> Answer<'_, LiveRuns> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = census::live_runs(&mut borrowed).await;
            borrowed.settle(answer).await
        }))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = nodes::now(&mut borrowed).await;
            borrowed.settle(answer).await
        }))
    }

    fn announce<'a>(&'a self, news: &'a [News]) -> Answer<'a, ()> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = news::announce(&mut borrowed, news).await;
            borrowed.settle(answer).await
        }))
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

    fn begin(&self) -> Answer<'_, PgTransaction<'static>> {
        Box::pin(within(async move {
            // In a task of its own: a beginning that is given up half way would go back into the pool open.
            let (pool, begin) = (self.pool.clone(), self.route.begin_of_code());
            let begun = tokio::spawn(async move { pool.begin_with(begin).await });
            let bug = |error: tokio::task::JoinError| StoreError::Bug { message: error.to_string() };
            begun.await.map_err(bug)?.map_err(errors::classify)
        }))
    }

    fn pool(&self) -> Option<&PgPool> {
        Some(&self.pool)
    }
}
