//! Exporters that die, at every point between a commit and the end of its export.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::support::steps;
use crate::telemetry::receiver::Manners;
use runlog::testing::postgres::Databases;
use sqlx::PgPool;

/// Names the database for the process that is to be killed, and the backend.
const KILLED: &str = "RUNLOG_TEST_KILLED_EXPORTER";
const BACKEND: &str = "RUNLOG_TEST_BACKEND";
/// Says that it executes nothing.
const CLIENT: &str = "RUNLOG_TEST_CLIENT";
const RUNS: u32 = 12;
const STEPS: u32 = 200;

/// Not a test by itself: what a test runs as another process, to kill it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exporter_that_is_killed() {
    let (Ok(url), Ok(backend)) = (std::env::var(KILLED), std::env::var(BACKEND)) else { return };
    let pool = PgPool::connect(&url).await.unwrap();
    let steps = steps(&pool);
    let otlp = Otlp::http(backend).timeout(Duration::from_secs(60));
    let builder = node(Runtime::builder(pool)).node_name("killed").workflow(steps.clone());
    let builder = builder.export(Export::otlp(otlp).interval(INTERVAL));
    if std::env::var(CLIENT).is_ok() {
        let _exports = builder.client().start().await.unwrap();
        return std::future::pending().await;
    }
    let runtime = builder.start().await.unwrap();
    for _ in 0..RUNS {
        runtime.run(&steps, STEPS).start().await.unwrap();
    }
    std::future::pending().await
}

fn spawn(url: &str, backend: &Receiver, client: Option<&str>) -> Child {
    let test = ["--exact", "telemetry::export::killed::the_exporter_that_is_killed", "--nocapture"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(test).env(KILLED, url).env(BACKEND, backend.http());
    command.envs(client.map(|client| (CLIENT, client)));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills a process that exports to a backend of such manners once `is_time`, and lets another one go on to the end.
async fn survive(manners: Manners, is_time: impl AsyncFn(&Receiver, &Postgres) -> bool) -> (Receiver, usize) {
    // A process that is killed must not take the shared server's watchdog with it.
    Databases::shared().await.unwrap();
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    ground.note_executions().await;
    backend.manners(manners);
    let mut killed = spawn(&ground.url, &backend, None);
    let all = i64::from(RUNS);
    until("it is time", async || {
        let started = ground.count("select count(*) from runlog.runs").await;
        started == all && is_time(&backend, &ground).await
    })
    .await;

    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().signal(), Some(9));

    assert!(ground.unfinished().await > 0, "the kill came too late");
    assert!(ground.count("select count(*) from runlog.outbox").await > 0, "nothing was waiting");
    let before = backend.spans().len();
    backend.manners(Manners::default());
    let steps = steps(&ground.pool);
    let runtime = node(ground.builder())
        .node_name("heir")
        .workflow(steps)
        .export(export(&backend))
        .start()
        .await
        .unwrap();
    finished(&ground).await;
    let runs = all_runs(&ground).await;
    assert_eq!(runs.len(), RUNS as usize);
    assert_shown(&backend, &runtime, &runs).await;
    assert_eq!(runtime.export_lag().await.unwrap().exporter.expect("an exporter").0, "heir");
    (backend, before)
}

/// Counts the steps that are in the logs.
async fn recorded(ground: &Postgres) -> i64 {
    ground.count("select count(*) from runlog.events where kind = 'step_completed'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_commit_and_the_export_loses_nothing() {
    let hangs = Manners { hangs: true, ..Manners::default() };
    let is_time = async |backend: &Receiver, ground: &Postgres| {
        !backend.requests().is_empty() && recorded(ground).await > 60
    };
    let (_backend, before) = survive(hangs, is_time).await;
    assert_eq!(before, 0, "nothing was exported when it died");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_sending_and_the_cursor_shows_nothing_twice() {
    // It takes what it is sent, and never says so.
    let silent = Manners { cuts: u32::MAX, ..Manners::default() };
    let is_time = async |backend: &Receiver, ground: &Postgres| {
        backend.spans().len() > 3 && recorded(ground).await > 60
    };
    let (backend, before) = survive(silent, is_time).await;
    assert!(before > 0, "something was sent when it died");
    assert!(backend.spans().len() > by_id(backend.spans()).len(), "and came again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exporter_that_takes_over_in_the_middle_of_runs_goes_on_with_them() {
    let is_time = async |backend: &Receiver, ground: &Postgres| {
        let waits = ground.count("select count(*) from runlog.outbox").await > 0;
        waits && backend.spans().len() > 60 && recorded(ground).await > 60
    };
    let (_backend, before) = survive(Manners::default(), is_time).await;
    assert!(before > 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exporter_that_lost_its_lease_removes_nothing() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let hasty = Otlp::http(backend.http()).timeout(Duration::from_millis(400));
    let hasty = Export::otlp(hasty).interval(INTERVAL);
    let runtime = node(ground.builder()).node_name("slow").export(hasty).start().await.unwrap();
    exported(&runtime).await;
    backend.manners(Manners { hangs: true, ..Manners::default() });
    orders(&runtime, 4).await;
    backend.until_requests(1).await;

    // As if it had stood still for longer than its lease.
    let taken = "update runlog.exporter
                 set holder = 1, held_by = 'other', held_until = clock_timestamp() + interval '1 hour'";
    ground.psql(taken).await.unwrap();
    backend.manners(Manners::default());
    finished(&ground).await;
    assert!(ground.count("select count(*) from runlog.outbox").await > 0);
    ground.psql("update runlog.exporter set held_until = clock_timestamp() where holder = 1").await.unwrap();

    assert_shown(&backend, &runtime, &all_runs(&ground).await).await;
    assert_eq!(runtime.export_lag().await.unwrap().exporter.expect("an exporter").0, "slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_when_the_process_that_exports_its_runs_is_killed_and_another_takes_over() {
    Databases::shared().await.unwrap();
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    ground.note_executions().await;
    let steps = steps(&ground.pool);
    let builder = node(ground.builder()).lease(Duration::from_secs(10)).workflow(steps.clone());
    let executes = builder.start().await.unwrap();
    let mut killed = spawn(&ground.url, &backend, Some("client"));
    exported(&executes).await;
    let stands_by = node(ground.builder()).client().node_name("heir").export(export(&backend));
    let stands_by = stands_by.start().await.unwrap();
    for _ in 0..RUNS {
        executes.run(&steps, STEPS).start().await.unwrap();
    }
    until("runs are half exported", async || backend.spans().len() > 60).await;
    assert_eq!(executes.export_lag().await.unwrap().exporter.expect("an exporter").0, "killed");

    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().signal(), Some(9));

    assert!(ground.unfinished().await > 0, "the kill came too late");
    finished(&ground).await;
    let runs = all_runs(&ground).await;
    assert_eq!(runs.len(), RUNS as usize);
    until("the other one exports", async || {
        let exporter = executes.export_lag().await.unwrap().exporter;
        exporter.is_some_and(|(name, _)| name == "heir")
    })
    .await;
    assert_shown(&backend, &stands_by, &runs).await;
}
