//! Opens runtimes for tests: on a database of their own, or on a world in memory.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runlog::model::Timestamp;
use runlog::store::memory::MemoryStore;
use runlog::store::postgres::PostgresStore;
use runlog::testing::postgres::Databases;
use runlog::{Cx, CxError, Retry, RunHandle, Runtime, RuntimeBuilder, Workflow};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Where runtimes of one test meet: a database, or a world in memory.
pub trait Ground: Sized + Send + Sync {
    /// Makes an empty one.
    fn new() -> impl Future<Output = Self> + Send;

    /// Begins to build a runtime of one more process on it.
    fn builder(&self) -> RuntimeBuilder;

    /// Reads the clock that gives events their time.
    fn now(&self) -> impl Future<Output = Timestamp> + Send;
}

/// A migrated database of the test's own.
pub struct Postgres {
    pub pool: PgPool,
    pub url: String,
}

/// A world in memory.
pub struct Memory(pub Arc<MemoryStore>);

impl Ground for Postgres {
    async fn new() -> Postgres {
        let databases = Databases::shared().await.expect("a server for tests");
        let database = databases.fresh_with("migrated", migrate).await.expect("a database");
        let pool = PgPoolOptions::new().max_connections(8).connect(&database.url).await.expect("a pool");
        Postgres { pool, url: database.url }
    }

    fn builder(&self) -> RuntimeBuilder {
        Runtime::builder(self.pool.clone())
    }

    async fn now(&self) -> Timestamp {
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.pool).await.expect("the clock")
    }
}

/// Boxed, for the compiler does not see through so many layers of futures.
fn migrate(url: String) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        let pool = PgPool::connect(&url).await?;
        Ok(PostgresStore::open(pool, 1, true).await.map(drop)?)
    })
}

impl Ground for Memory {
    async fn new() -> Memory {
        Memory(MemoryStore::new("2026-01-01T00:00:00Z".parse().expect("a time")))
    }

    fn builder(&self) -> RuntimeBuilder {
        Runtime::on_store(self.0.connect())
    }

    async fn now(&self) -> Timestamp {
        self.0.clock().now()
    }
}

impl Postgres {
    /// Makes an empty database without our schema.
    pub async fn empty() -> Postgres {
        let databases = Databases::shared().await.expect("a server for tests");
        let database = databases.fresh(None).await.expect("a database");
        let pool = PgPoolOptions::new().max_connections(8).connect(&database.url).await.expect("a pool");
        Postgres { pool, url: database.url }
    }

    /// Runs statements as a person with `psql` would, and returns what the server says against them.
    pub async fn psql(&self, sql: &str) -> Result<(), String> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    /// Reads one number.
    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await.expect(sql)
    }
}

/// Gives its input back, through one step.
pub fn echo() -> Workflow<Box<RawValue>, Box<RawValue>> {
    async fn code(cx: Cx, input: Box<RawValue>) -> Result<Box<RawValue>, CxError> {
        cx.step("echo", || std::future::ready(anyhow::Ok(input.clone()))).await
    }
    Workflow::function("echo", code)
}

/// Damages the log of a run that nobody executes: it says that the run succeeded, without an output. Returns how many events
/// it had.
pub async fn damage<O>(ground: &Postgres, run: &RunHandle<O>) -> u32 {
    let events = run.get().await.unwrap().events;
    let succeeded = format!(
        "insert into runlog.events (run_id, seq, kind, schema_version, time, payload)
         values ('{}', {}, 'run_succeeded', 1, clock_timestamp(), '{{}}')",
        run.id(),
        events + 1
    );
    ground.psql(&succeeded).await.unwrap();
    events
}

/// Waits for the signal `go` and gives what that carries.
pub fn gate() -> Workflow<Value, String> {
    async fn code(cx: Cx, _input: Value) -> Result<String, CxError> {
        Ok(cx.signal::<String>("go").await?.unwrap_or_default())
    }
    Workflow::function("gate", code)
}

/// Makes as many steps as its input says; each notes in the table `executed` that it was executed.
pub fn steps(pool: &PgPool) -> Workflow<u32, u32> {
    let pool = pool.clone();
    let code = move |cx: Cx, count: u32| {
        let pool = pool.clone();
        async move {
            for n in 0..count {
                let (pool, run) = (pool.clone(), cx.run_id().uuid());
                let body = move || execute(pool.clone(), run, n);
                cx.step(&format!("s{n}"), body).retry(Retry::fixed(Duration::from_millis(25))).await?;
            }
            Ok::<_, CxError>(count)
        }
    };
    Workflow::function("steps", code)
}

async fn execute(pool: PgPool, run: sqlx::types::Uuid, n: u32) -> Result<(), sqlx::Error> {
    tokio::time::sleep(Duration::from_millis(3)).await;
    let note = sqlx::query("insert into executed values ($1, $2, clock_timestamp())");
    note.bind(run).bind(format!("s{n}#0")).execute(&pool).await.map(drop)
}

impl Postgres {
    /// Makes the table that [`steps`] notes its executions in.
    pub async fn note_executions(&self) {
        self.psql("create table executed (run uuid, step text, at timestamptz)").await.expect("a table");
    }

    /// Counts the runs that have not ended.
    pub async fn unfinished(&self) -> i64 {
        self.count("select count(*) from runlog.runs where status in ('QUEUED', 'RUNNING')").await
    }

    /// Says that `runs` runs of `steps` steps all succeeded, each step recorded once and never executed after that.
    pub async fn assert_sound(&self, runs: i64, steps: i64) {
        let succeeded = "select count(*) from runlog.runs where status = 'SUCCEEDED'";
        assert_eq!(self.count(succeeded).await, runs, "all runs succeeded");
        let recorded = "select count(*) from runlog.events where kind = 'step_completed'";
        assert_eq!(self.count(recorded).await, runs * steps, "each step is recorded once");
        let distinct = "select count(distinct (run, step)) from executed";
        assert_eq!(self.count(distinct).await, runs * steps, "each step was executed");
        let again = "select count(*) from executed x join runlog.events e on e.run_id = x.run
                     and e.kind = 'step_completed' and e.payload::jsonb->>'op' = x.step where x.at > e.time";
        assert_eq!(self.count(again).await, 0, "a recorded step was executed again");
        let holes =
            "select count(*) from (select max(seq) <> count(*) as hole from runlog.events group by run_id) h
                     where hole";
        assert_eq!(self.count(holes).await, 0, "a log has a hole");
    }
}

/// Makes JSON text a value that is kept as it is.
pub fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for something, not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Makes each test one on Postgres and one in memory.
macro_rules! on_both {
    ($($name:ident)+) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(<crate::support::Postgres as crate::support::Ground>::new().await).await
            })+
        }
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(<crate::support::Memory as crate::support::Ground>::new().await).await
            })+
        }
    };
}
pub(crate) use on_both;
