//! Through a real pgbouncer in transaction mode, where it is installed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runlog::store::StoreError;
use runlog::store::postgres::{PostgresStore, Scope, verify};
use runlog::testing::postgres::{Durability, Server};
use runlog::{CancelOptions, Cx, Error, Runtime, RuntimeBuilder, Status, Workflow};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use crate::support::{PATIENCE, Postgres, gate, soon, steps, until};

const LEASE: Duration = Duration::from_secs(1);
/// Server processes that the pooler keeps: fewer than one node has connections.
const PROCESSES: i64 = 3;

/// A server, and a pooler in front of it.
struct Pooler {
    program: PathBuf,
    server: Server,
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Pooler {
    /// Starts both; `None`, and a word about it, where no pgbouncer is installed.
    async fn start() -> Option<Pooler> {
        let Some(program) = find() else {
            eprintln!("pgbouncer is not installed: nothing was tested");
            return None;
        };
        let server = Server::temporary(Durability::Fast).await.unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let options: PgConnectOptions = server.url("postgres").parse().unwrap();
        let folder = std::env::temp_dir().join(format!("runlog-pgbouncer-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let settings = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = {PROCESSES}\nmax_client_conn = 500\n\
             ignore_startup_parameters = extra_float_digits\n",
            options.get_socket().expect("a server with a socket").display(),
            options.get_port(),
        );
        fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        let process = spawn(&program, &server, &folder);
        let pooler = Pooler { program, server, folder, port, process };
        pooler.answers().await;
        Some(pooler)
    }

    fn url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable&statement-cache-capacity=0",
            self.port
        )
    }

    async fn answers(&self) {
        until("the pooler answers", async || PgConnection::connect(&self.url()).await.is_ok()).await;
    }

    async fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(&self.program, &self.server, &self.folder);
        self.answers().await;
    }

    /// A pool that goes through the pooler.
    async fn pool(&self) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
        pool.connect(&self.url()).await.unwrap()
    }

    /// A pool that does not.
    async fn direct(&self) -> Postgres {
        let url = self.server.url("postgres");
        let options: PgConnectOptions = url.parse().unwrap();
        Postgres { pool: PgPool::connect_with(options.application_name("direct")).await.unwrap(), url }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}

/// As the server's user: it refuses to be root, and the server's socket is only that user's.
fn spawn(program: &PathBuf, server: &Server, folder: &std::path::Path) -> Child {
    let owner = fs::metadata(server.folder()).unwrap();
    let mut command = Command::new(program);
    command.arg("-q").arg(folder.join("pgbouncer.ini")).current_dir("/");
    if fs::metadata(folder).unwrap().uid() == 0 {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Writes a row and its checkpoint in one transaction, and has a child.
fn parent() -> Workflow<i64, i64> {
    Workflow::function("parent", |cx: Cx, n: i64| async move {
        cx.transaction("row", move |transaction| {
            Box::pin(async move {
                // Through a pooler the code's statements must not be kept, either.
                let row = sqlx::query("insert into written values ($1)").bind(n).persistent(false);
                row.execute(&mut **transaction).await.map(drop)
            })
        })
        .await?;
        anyhow::Ok(cx.child(&double(), n).await?)
    })
}

fn double() -> Workflow<i64, i64> {
    Workflow::function("double", |cx: Cx, n: i64| async move {
        cx.sleep(Duration::from_millis(20)).await?;
        anyhow::Ok(n * 2)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_through_a_pooler_in_transaction_mode() {
    let Some(mut pooler) = Pooler::start().await else { return };
    let direct = pooler.direct().await;
    PostgresStore::open(direct.pool.clone(), 1, true).await.unwrap();
    direct.note_executions().await;
    direct.psql("create table written (n bigint)").await.unwrap();
    let steps = steps(&direct.pool);
    let builder = async || -> RuntimeBuilder {
        let builder = Runtime::builder(pooler.pool().await).pooler(true).lease(LEASE);
        let builder = builder.workflow(gate()).workflow(steps.clone()).workflow(parent()).workflow(double());
        builder.park_after(Duration::from_millis(50)).poll_interval(Duration::from_millis(100))
    };
    let nodes = [builder().await.start().await.unwrap(), builder().await.start().await.unwrap()];
    let client = builder().await.client().start().await.unwrap();

    let mut runs = Vec::new();
    for n in 0..60 {
        runs.push(nodes[n % 2].run(&steps, 5).start().await.unwrap());
    }
    let many = client.start_many((0..40).map(|_| client.run(&steps, 5)).collect()).await.unwrap();
    runs.extend(many.into_iter().map(|started| started.run));
    let mut parents = Vec::new();
    for n in 0..20 {
        parents.push(nodes[0].run(&parent(), n).start().await.unwrap());
    }
    let mut gates = Vec::new();
    for n in 0..20 {
        let key = format!("gate {}", n / 2);
        gates.push(nodes[n % 2].run(&gate(), n.into()).key(key).start_or_get().await.unwrap());
    }
    assert_eq!(gates.iter().filter(|started| started.created).count(), 10);
    let mut mine = pooler.pool().await.begin_with("begin; deallocate all").await.unwrap();
    runs.push(nodes[0].run(&steps, 5).start_in(&mut mine).await.unwrap().run);
    mine.commit().await.unwrap();

    let processes = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name <> 'direct'";
    let seen = direct.count(processes).await;
    assert!((1..=PROCESSES).contains(&seen), "the pooler shares out {PROCESSES} processes, not {seen}");
    nodes[1].crash();
    pooler.restart().await;

    for (n, started) in gates.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
        if n % 4 == 0 {
            client.signal(started.run.id(), "go", &"on").await.unwrap();
        } else {
            soon("the answer", client.cancel(started.run.id(), CancelOptions::default())).await.unwrap();
        }
    }
    for (n, started) in gates.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
        let status = soon("its end", client.handle(started.run.id()).wait()).await.unwrap();
        assert_eq!(status, if n % 4 == 0 { Status::Succeeded } else { Status::Cancelled });
    }
    for (n, run) in parents.iter().enumerate() {
        assert_eq!(
            soon("its output", client.handle(run.id()).wait()).await.unwrap(),
            Status::Succeeded,
            "{n}"
        );
    }
    until("all are finished", async || direct.unfinished().await == 0).await;
    assert_eq!(direct.count("select count(distinct n) from written").await, 20);
    assert_eq!(direct.count("select count(*) from written").await, 20, "a row is its step's record");
    let report = verify(&direct.pool, &Scope { grace: Duration::ZERO, ..Scope::default() }).await.unwrap();
    assert!(report.holds(), "{:?}", report.violations().collect::<Vec<_>>());
    let through = verify(&pooler.pool().await, &Scope::default()).await.unwrap();
    assert_eq!((through.runs, through.holds()), (report.runs, true));
    let succeeded = "select count(*) from runlog.runs where workflow = 'steps' and status = 'SUCCEEDED'";
    assert_eq!(direct.count(succeeded).await, runs.len() as i64);
    nodes[0].shutdown(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_nobody_spoke_of_is_refused() {
    let Some(pooler) = Pooler::start().await else { return };
    let through = pooler.pool().await;
    let open = Runtime::builder(through.clone()).start().await.err().expect("it is refused");
    assert!(matches!(open, Error::Store(StoreError::SessionsShared)), "{open:?}");
    let unmigrated = Runtime::builder(through).pooler(true).start().await.err().expect("it is refused");
    assert!(matches!(unmigrated, Error::Store(StoreError::SchemaTooOld { found: 0, .. })), "{unmigrated:?}");
}

#[tokio::test]
async fn a_pool_that_keeps_statements_is_refused_through_a_pooler() {
    let ground = <Postgres as crate::support::Ground>::new().await;
    let refused = Runtime::builder(ground.pool).pooler(true).start().await.err().expect("it is refused");
    assert!(matches!(refused, Error::Store(StoreError::StatementsKept)), "{refused:?}");
}
