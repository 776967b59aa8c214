//! Nodes that are killed on a signal's way from its sender to the log.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use runlog::store::postgres::verify;
use runlog::testing::postgres::Databases;
use runlog::{Runtime, RuntimeBuilder};
use sqlx::PgPool;

use super::*;
use crate::store::postgres::verify::{at_once, told};

/// Names the database for the process that is to be killed.
const KILLED: &str = "RUNLOG_TEST_KILLED_SIGNALLER";
/// Says that the process sends the signal itself.
const SENDS: &str = "RUNLOG_TEST_SENDS";
/// Long enough for what its server does after its death.
const LEASE_OF_THE_KILLED: Duration = Duration::from_secs(20);
const LEASE_OF_THE_HEIR: Duration = Duration::from_millis(600);
const POLL: Duration = Duration::from_millis(100);

/// Waits for two signals of the key `k`: the second wait shows whether the first signal came twice.
fn twice() -> Workflow<(), (Option<u32>, Option<u32>)> {
    Workflow::function("twice", |cx: Cx, ()| async move {
        let first = cx.signal("go").key("k").await?;
        anyhow::Ok((first, cx.signal("go").key("k").timeout(Duration::from_secs(1)).await?))
    })
}

fn once() -> SignalOptions {
    SignalOptions::default().id("event 1")
}

fn node(builder: RuntimeBuilder, lease: Duration) -> RuntimeBuilder {
    builder.workflow(twice()).lease(lease).poll_interval(POLL)
}

/// Not a test by itself: what a test runs as another process, to kill it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(url) = std::env::var(KILLED) else { return };
    let pool = PgPool::connect(&url).await.unwrap();
    let waiting = "select count(*) from runlog.signal_waits where waits = 1";
    let runtime = node(Runtime::builder(pool.clone()), LEASE_OF_THE_KILLED).start().await.unwrap();
    runtime.run(&twice(), ()).key("the run").start().await.unwrap();
    if std::env::var(SENDS).is_ok() {
        // When somebody holds the row of the wait.
        let held = "select count(*) from pg_locks where locktype = 'advisory' and objid = 7 and granted
                    and database = (select oid from pg_database where datname = current_database())";
        let count =
            async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap();
        until("it waits", async || count(waiting).await == 1).await;
        until("its wait is held", async || count(held).await == 1).await;
        let _never = runtime.signal_key_with("go", "k", &7, once()).await;
    }
    std::future::pending().await
}

fn spawn(url: &str, sends: bool) -> Child {
    let test = ["--exact", "runtime::signal_key::killed::the_process_that_is_killed", "--nocapture"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(test).env(KILLED, url).envs(sends.then_some((SENDS, "1")));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn kill(mut process: Child) {
    process.kill().unwrap();
    assert_eq!(process.wait().unwrap().signal(), Some(9));
}

/// Lets another node go on to the end, and checks that the signal came once.
async fn survive(ground: &Postgres) {
    let over = "update runlog.leases set lease_until = clock_timestamp() - interval '1 s'";
    ground.psql(over).await.unwrap();
    let heir = node(ground.builder(), LEASE_OF_THE_HEIR).start().await.unwrap();
    let run = heir.find("twice", "the run").await.unwrap().expect("it was started");
    let output = soon("its end", heir.handle(run).output()).await.unwrap();
    assert_eq!(output, serde_json::json!([7, null]));
    assert_eq!(ground.count("select count(*) from runlog.events where kind = 'signal_received'").await, 1);
    assert_eq!(ground.count("select count(*) from runlog.signals_told").await, 1);
    let again = heir.signal_key_with("go", "k", &7, once()).await.unwrap();
    assert_eq!(again, Signalled { runs: 1, kept: false }, "what its sender hears when it asks again");
    let report = verify(&ground.pool, &at_once()).await.unwrap();
    assert!(report.holds(), "{}", told(&report).join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_between_a_signals_acceptance_and_its_telling_loses_nothing() {
    // A process that is killed must not take the shared server's watchdog with it.
    Databases::shared().await.unwrap();
    let ground = Postgres::new().await;
    let killed = spawn(&ground.url, true);
    until("it waits", async || ground.count("select count(*) from runlog.signal_waits").await == 1).await;
    let mut held = ground.pool.begin().await.unwrap();
    sqlx::query("select 1 from runlog.signal_waits for update").execute(&mut *held).await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *held).await.unwrap();
    let accepted = "select count(*) from runlog.signals where state = 'NEW'";
    until("its signal is accepted", async || ground.count(accepted).await == 1).await;

    kill(killed);

    held.rollback().await.unwrap();
    assert_eq!(ground.count(accepted).await, 1, "the kill came too late");
    assert_eq!(ground.count("select count(*) from runlog.signals_told").await, 0, "the kill came too late");
    survive(&ground).await;
}

/// Kills a node while its append of the event waits for a lock; then the server carries it out, or not.
async fn killed_before_the_event(is_committed: bool) {
    Databases::shared().await.unwrap();
    let ground = Postgres::new().await;
    let killed = spawn(&ground.url, false);
    until("it waits", async || ground.count("select count(*) from runlog.signal_waits").await == 1).await;
    let mut held = ground.pool.begin().await.unwrap();
    sqlx::query("lock table runlog.events in share mode").execute(&mut *held).await.unwrap();
    let sender = ground.builder().client().start().await.unwrap();
    let sent = sender.signal_key_with("go", "k", &7, once()).await.unwrap();
    assert_eq!(sent, Signalled { runs: 1, kept: false });
    let appends = "from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
                   and pid <> pg_backend_pid()";
    until("it appends", async || ground.count(&format!("select count(*) {appends}")).await == 1).await;

    kill(killed);

    if !is_committed {
        // The server would not notice before the lock is free: as if the statement had never come.
        let ended = ground.count(&format!("select count(pg_terminate_backend(pid)) {appends}")).await;
        assert_eq!(ended, 1);
        until("it is gone", async || ground.count(&format!("select count(*) {appends}")).await == 0).await;
    }
    assert_eq!(ground.count("select count(*) from runlog.inbox").await, 1, "the kill came too late");
    held.rollback().await.unwrap();
    let came = "select count(*) from runlog.events where kind = 'signal_received'";
    match is_committed {
        true => until("the dead node's append", async || ground.count(came).await == 1).await,
        false => assert_eq!(ground.count(came).await, 0),
    }
    survive(&ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_with_a_signal_in_its_inbox_loses_nothing() {
    killed_before_the_event(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_before_it_hears_that_a_signal_is_in_the_log_repeats_nothing() {
    killed_before_the_event(true).await;
}
