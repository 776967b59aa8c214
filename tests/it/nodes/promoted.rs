//! A replica that lacks the last commits and takes over.

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runlog::store::postgres::{Scope, verify};
use runlog::testing::postgres::{Durability, Server};
use runlog::{Cx, CxError, Error, Runtime, Status, Workflow};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{PATIENCE, gate, soon, until};

const LEASE: Duration = Duration::from_secs(2);

/// The address that stays the same when another server takes over.
struct Address {
    port: u16,
    socket: Arc<Mutex<PathBuf>>,
}

impl Address {
    async fn of(server: &Server) -> Address {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = Arc::new(Mutex::new(socket(server)));
        let to = Arc::clone(&socket);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let socket = to.lock().unwrap().clone();
                tokio::spawn(async move {
                    // Nobody there: the client finds its connection closed.
                    let Ok(mut server) = UnixStream::connect(socket).await else { return };
                    let _closed = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Address { port, socket }
    }

    fn moves_to(&self, server: &Server) {
        *self.socket.lock().unwrap() = socket(server);
    }

    async fn pool(&self) -> PgPool {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port);
        PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect(&url).await.unwrap()
    }
}

fn socket(server: &Server) -> PathBuf {
    let options: PgConnectOptions = server.url("postgres").parse().unwrap();
    options.get_socket().expect("a server with a socket").join(format!(".s.PGSQL.{}", options.get_port()))
}

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Subscriber for Said {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("runlog") && *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

impl Visit for Said {
    fn record_debug(&mut self, _field: &Field, value: &dyn fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{value:?}").unwrap();
    }
}

/// Makes a step once it is let, counts it, and then waits to go on.
fn counted(may: &Arc<Notify>, ran: &Arc<AtomicU32>) -> Workflow<(), u32> {
    let (may, ran) = (Arc::clone(may), Arc::clone(ran));
    Workflow::function("counted", move |cx: Cx, ()| {
        let (may, ran) = (Arc::clone(&may), Arc::clone(&ran));
        async move {
            let body = || async {
                may.notified().await;
                anyhow::Ok(ran.fetch_add(1, Ordering::Relaxed) + 1)
            };
            let at = cx.step("count", body).await?;
            cx.signal::<()>("go").await?;
            Ok::<_, CxError>(at)
        }
    })
}

async fn number(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap_or(-1)
}

/// Waits until the replica holds all that the primary has committed, and then keeps it from getting any more.
async fn cut_the_stream(primary: &PgPool, replica: &PgPool) {
    let written: String =
        sqlx::query_scalar("select pg_current_wal_flush_lsn()::text").fetch_one(primary).await.unwrap();
    let replayed = "select (pg_last_wal_replay_lsn() >= $1::pg_lsn)::int::int8";
    until("the replica is level", async || {
        sqlx::query_scalar::<_, i64>(replayed).bind(&written).fetch_one(replica).await.unwrap() == 1
    })
    .await;
    sqlx::raw_sql("alter system set primary_conninfo = ''").execute(replica).await.unwrap();
    sqlx::raw_sql("select pg_reload_conf()").execute(replica).await.unwrap();
    let receivers = "select count(*) from pg_stat_wal_receiver";
    until("the stream is cut", async || number(replica, receivers).await == 0).await;
}

// On one thread: what is logged is heard on this one only.
#[tokio::test]
async fn a_promoted_replica_that_lacks_commits_goes_on_from_what_it_holds_and_the_node_says_so() {
    let said = Said::default();
    // Where there is but one subscriber, a thread without it may decide for all that nobody listens.
    let _another = tracing::Dispatch::new(Said::default());
    let _heard = tracing::subscriber::set_default(said.clone());
    let mut primary = Server::temporary(Durability::Durable).await.unwrap();
    let replica = primary.replica().await.unwrap();
    let address = Address::of(&primary).await;
    let (pool, beside) = (address.pool().await, PgPool::connect(&replica.url("postgres")).await.unwrap());
    let (may, ran) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let counted = counted(&may, &ran);
    let builder = Runtime::builder(pool.clone()).workflow(gate()).workflow(counted.clone());
    let node = builder.lease(LEASE).start().await.unwrap();
    let (again, ended) =
        (node.run(&counted, ()).start().await.unwrap(), node.run(&gate(), 1.into()).start().await.unwrap());

    cut_the_stream(&pool, &beside).await;
    may.notify_one();
    until("the step is recorded", async || {
        number(&pool, "select count(*) from runlog.events where kind = 'step_completed'").await == 1
    })
    .await;
    ended.signal("go", &"on").await.unwrap();
    assert_eq!(soon("its output", ended.output()).await.unwrap(), "on");
    let lost = node.run(&gate(), 1.into()).start().await.unwrap();
    assert_eq!((ran.load(Ordering::Relaxed), said.0.lock().unwrap().as_str()), (1, ""));

    primary.crash().await.unwrap();
    let promoted: bool = sqlx::query_scalar("select pg_promote()").fetch_one(&beside).await.unwrap();
    assert!(promoted);
    address.moves_to(&replica);

    until("it joined anew", async || number(&pool, "select count(*) from runlog.nodes").await == 2).await;
    assert_eq!(number(&pool, "select count(distinct timeline) from runlog.leases").await, 2);
    until("it says so", async || said.0.lock().unwrap().contains("the database has lost this node")).await;
    assert!(matches!(soon("its end", lost.wait()).await, Err(Error::NotFound { .. })));
    assert_eq!(ended.get().await.unwrap().status, Status::Running, "its end was lost");
    ended.signal("go", &"once more").await.unwrap();
    assert_eq!(soon("its output", ended.output()).await.unwrap(), "once more");
    may.notify_one();
    again.signal("go", &()).await.unwrap();
    assert_eq!(
        soon("its output", again.output()).await.unwrap(),
        2,
        "a step whose record was lost ran again"
    );

    let new = node.run(&gate(), 1.into()).start().await.unwrap();
    new.signal("go", &"new").await.unwrap();
    assert_eq!(soon("its output", new.output()).await.unwrap(), "new");
    let report = verify(&pool, &Scope { grace: Duration::ZERO, ..Scope::default() }).await.unwrap();
    assert!(report.holds(), "{:?}", report.violations().collect::<Vec<_>>());
    assert_eq!(report.runs, 3);
}
