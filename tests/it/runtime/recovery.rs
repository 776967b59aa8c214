//! A process that dies or leaves loses nothing.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use runlog::testing::postgres::Databases;
use runlog::{Cx, CxError, Error, Runtime, Status, Workflow};
use sqlx::PgPool;

use crate::support::{Ground, PATIENCE, Postgres, echo, gate, json, on_both, soon, steps, until};

/// Names the database for the process that is to be killed.
const KILLED: &str = "RUNLOG_TEST_KILLED";
const LEASE: Duration = Duration::from_millis(600);
const RUNS: usize = 40;
const STEPS: u32 = 6;

/// Not a test by itself: what a test runs as another process, to kill it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(url) = std::env::var(KILLED) else { return };
    let pool = PgPool::connect(&url).await.unwrap();
    let steps = steps(&pool);
    let runtime =
        Runtime::builder(pool).workflow(steps.clone()).workflow(gate()).lease(LEASE).start().await.unwrap();
    runtime.run(&gate(), 1.into()).key("waiting").start().await.unwrap();
    for _ in 0..RUNS {
        runtime.run(&steps, STEPS).start().await.unwrap();
    }
    std::future::pending().await
}

fn spawn(url: &str) -> Child {
    let test = ["--exact", "runtime::recovery::the_process_that_is_killed", "--nocapture"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(test).env(KILLED, url).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_a_killed_process_finish_elsewhere_and_no_recorded_step_is_repeated() {
    // A process that is killed must not take the shared server's watchdog with it.
    Databases::shared().await.unwrap();
    let ground = Postgres::new().await;
    ground.note_executions().await;
    let mut killed = spawn(&ground.url);
    let at_work = "select count(*) from runlog.events where kind = 'step_completed'";
    until("the other process is at work", async || ground.count(at_work).await > 40).await;

    killed.kill().unwrap();
    let status = killed.wait().unwrap();

    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    assert!(ground.unfinished().await > 1, "the kill came too late");
    let steps = steps(&ground.pool);
    let runtime = ground.builder().workflow(steps).workflow(gate()).lease(LEASE).start().await.unwrap();
    until("all are finished but the one that waits", async || ground.unfinished().await == 1).await;

    let waiting = runtime.find("gate", "waiting").await.unwrap().expect("it was started first");
    runtime.signal(waiting, "go", &"after all").await.unwrap();
    assert_eq!(soon("its end", runtime.handle(waiting).wait()).await.unwrap(), Status::Succeeded);
    ground.psql("delete from runlog.runs where workflow = 'gate'").await.unwrap();
    let runs = ground.count("select count(*) from runlog.runs").await;
    assert!(runs > 1, "{runs}");
    ground.assert_sound(runs, STEPS.into()).await;
}

on_both! {
    a_shutdown_releases_its_runs_at_once
    a_shutdown_lets_a_step_finish
    a_shutdown_does_not_wait_for_code_beyond_its_grace
    after_a_shutdown_nothing_starts_here
}

async fn a_shutdown_releases_its_runs_at_once(ground: impl Ground) {
    let lease = Duration::from_secs(600);
    let first = ground.builder().workflow(gate()).lease(lease).start().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(first.run(&gate(), n.into()).start().await.unwrap().id());
    }
    let second = ground.builder().workflow(gate()).lease(lease).start().await.unwrap();

    let since = Instant::now();
    first.shutdown(PATIENCE).await.unwrap();
    assert!(since.elapsed() < PATIENCE / 2, "runs that only wait need no grace: {:?}", since.elapsed());

    assert_eq!(first.live_runs(), 0);
    for run in runs {
        second.signal(run, "go", &"on").await.unwrap();
        assert_eq!(soon("its output", second.handle(run).output()).await.unwrap(), "on");
    }
}

/// Takes steps of some 30 ms, and counts how often each is executed.
fn paced(executed: std::sync::Arc<std::sync::atomic::AtomicU32>) -> Workflow<u32, ()> {
    Workflow::function("paced", move |cx: Cx, count: u32| {
        let executed = executed.clone();
        async move {
            for n in 0..count {
                let executed = executed.clone();
                cx.step(&format!("s{n}"), move || {
                    executed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    async {
                        tokio::time::sleep(Duration::from_millis(30)).await;
                        Ok::<_, CxError>(())
                    }
                })
                .await?;
            }
            Ok::<_, CxError>(())
        }
    })
}

async fn a_shutdown_lets_a_step_finish(ground: impl Ground) {
    let executed = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = || executed.load(std::sync::atomic::Ordering::Relaxed);
    let paced = paced(executed.clone());
    let first = ground.builder().workflow(paced.clone()).start().await.unwrap();
    let run = first.run(&paced, 40).start().await.unwrap().id();
    until("its code is at work", async || count() > 2).await;

    first.shutdown(PATIENCE).await.unwrap();

    assert!(count() < 40, "the next checkpoint is enough");
    let second = ground.builder().workflow(paced).start().await.unwrap();
    soon("its output", second.handle(run).output_json()).await.unwrap();
    assert_eq!(count(), 40, "no step was executed twice");
}

async fn a_shutdown_does_not_wait_for_code_beyond_its_grace(ground: impl Ground) {
    let stuck = Workflow::function("stuck", |cx: Cx, (): ()| async move {
        let body = || async {
            tokio::time::sleep(PATIENCE * 10).await;
            Ok::<_, CxError>(())
        };
        cx.step("for ever", body).await
    });
    let first = ground.builder().workflow(stuck.clone()).start().await.unwrap();
    let run = first.run(&stuck, ()).start().await.unwrap().id();

    let since = Instant::now();
    first.shutdown(Duration::from_millis(150)).await.unwrap();
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(150) && took < PATIENCE, "{took:?}");

    let freed = Workflow::function("stuck", |cx: Cx, (): ()| async move {
        cx.step("for ever", || async { Ok::<_, CxError>(()) }).await
    });
    let second = ground.builder().workflow(freed).start().await.unwrap();
    assert_eq!(soon("its end", second.handle(run).wait()).await.unwrap(), Status::Succeeded);
}

async fn after_a_shutdown_nothing_starts_here(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    runtime.shutdown(Duration::ZERO).await.unwrap();

    let refused = runtime.run(&echo(), json("1")).key("k").start().await;

    assert!(matches!(refused, Err(Error::NotRunning)), "{refused:?}");
    assert_eq!(runtime.find("echo", "k").await.unwrap(), None, "nothing was written");
    runtime.shutdown(Duration::ZERO).await.unwrap();
}
