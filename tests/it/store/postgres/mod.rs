//! What only Postgres can get wrong. The contract itself is held by the conformance suite.

mod append;
mod fence;
mod log;
mod status;
mod schema;
mod create;
mod claim;
mod mail;
mod signals;
mod list;
mod lines;
mod retention;
mod outbox;
mod triggers;
pub(crate) mod verify;

use std::time::Duration;

use runlog::clock::Clock;
use runlog::model::event::{Encoded, RunClaimed, RunCreated, Trigger};
use runlog::model::{Event, Key, Namespace, NodeId, Payload, RunEvent, RunId, Status, Version, WorkflowName};
use runlog::store::postgres::PostgresStore;
use runlog::store::{Append, Commit, NewRun, NodeInfo, Release, RowChange, Store};
use runlog::testing::postgres::Databases;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};

pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// Makes an empty database of the test's own.
pub(crate) async fn database() -> PgPool {
    let fresh = Databases::shared().await.expect("a server for tests").fresh(None).await.unwrap();
    let options: PgConnectOptions = fresh.url.parse().unwrap();
    PgPoolOptions::new().max_connections(5).connect_with(options).await.unwrap()
}

/// An open store with one node.
pub(crate) struct Stage {
    pub(crate) store: PostgresStore,
    pub(crate) pool: PgPool,
    pub(crate) clock: Clock,
    pub(crate) node: NodeId,
}

impl Stage {
    pub(crate) async fn new() -> Stage {
        let pool = database().await;
        let store = PostgresStore::open(pool.clone(), 2, true).await.unwrap();
        let joined = store.join(&info(), 2, LEASE).await.unwrap();
        Stage { store, pool, clock: Clock::starting_at(joined.now), node: joined.node }
    }

    /// Appends on lane 0.
    pub(crate) async fn append(
        &self,
        batch: &[Commit],
    ) -> Result<runlog::store::Appended, runlog::store::StoreError> {
        self.store.append(self.node, 0, batch).await
    }

    /// Creates a run that the node owns and runs.
    pub(crate) async fn running(&self) -> RunId {
        let run = self.clock.new_run_id();
        self.append(&[commit(born(run, None, Status::Running))]).await.unwrap();
        run
    }

    /// Runs a statement as a person with `psql` would, and returns what the server says against it.
    pub(crate) async fn psql(&self, sql: &str) -> Result<(), String> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    /// Waits until a statement that holds `words` waits for a lock.
    pub(crate) async fn until_blocked(&self, words: &str) {
        let blocked = format!(
            "select count(*) from pg_stat_activity \
             where wait_event_type = 'Lock' and query like '%{words}%' and datname = current_database()"
        );
        let seen = async {
            while self.count(&blocked).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(crate::support::PATIENCE, seen).await.expect("no statement waited for a lock");
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await.unwrap()
    }
}

pub(crate) fn info() -> NodeInfo {
    let (name, release) = ("test".to_owned(), "0.1.0".to_owned());
    NodeInfo { name, pid: std::process::id(), release, slots: 100, served: Vec::new(), resumes: None }
}

pub(crate) fn workflow() -> WorkflowName {
    WorkflowName::new("checkout").unwrap()
}

pub(crate) fn version() -> Version {
    Version::new("1").unwrap()
}

/// The first append of a run.
pub(crate) fn born(run: RunId, key: Option<&str>, status: Status) -> Append {
    let key = key.map(|key| Key::new(key).unwrap());
    let created = RunEvent::Created(RunCreated {
        workflow: workflow(),
        version: version(),
        namespace: Namespace::default(),
        key: key.clone(),
        input: Payload::of("input").unwrap(),
        metadata: Default::default(),
        priority: 0,
        start_at: None,
        start_deadline: None,
        timeout_ms: None,
        trigger: Trigger::Manual,
        parent: None,
        trace: None,
        limit: None,
    });
    let row = NewRun {
        namespace: Namespace::default(),
        workflow: workflow(),
        version: version(),
        key,
        status,
        priority: 0,
        wake_at: (status == Status::Queued).then(|| run.created_at()),
        deadline_at: None,
        trigger: (&Trigger::Manual).into(),
        parent: None,
        metadata: Default::default(),
        limit_key: None,
    };
    Append { born: Some(Box::new(row)), events: vec![Event::from(created).encode().unwrap()], ..next(run, 0) }
}

/// An append of one event after seq `expected`.
pub(crate) fn next(run: RunId, expected: u32) -> Append {
    Append {
        run,
        expected,
        events: vec![event()],
        born: None,
        row: None,
        mail: Vec::new(),
        taken: Vec::new(),
        awaits: Vec::new(),
    }
}

/// An append that parks a run.
pub(crate) fn parking(run: RunId, expected: u32, mail_seen: i32) -> Append {
    let release = Some(Release { wake_at: None, mail_seen, claims: 0 });
    Append {
        row: Some(RowChange { status: Status::Running, deadline_at: None, release, failure: None }),
        ..next(run, expected)
    }
}

pub(crate) fn event() -> Encoded {
    Event::from(RunEvent::Claimed(RunClaimed {})).encode().unwrap()
}

pub(crate) fn commit(append: Append) -> Commit {
    Commit { appends: vec![append] }
}
