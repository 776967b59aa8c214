//! The database goes away and comes back; answers are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::testing::postgres::{Durability, Server};
use runlog::{Cx, CxError, Runtime, Status, Workflow};
use sqlx::postgres::PgPoolOptions;

use crate::support::{Ground, Memory, Postgres, gate, soon, steps, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_lose_and_repeat_nothing() {
    let ground = Postgres::new().await;
    ground.note_executions().await;
    let steps = steps(&ground.pool);
    let runtime = ground.builder().workflow(steps.clone()).start().await.unwrap();
    runtime.start_many((0..40).map(|_| runtime.run(&steps, 25)).collect()).await.unwrap();
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()";
    let mut killed = 0;
    for _ in 0..12 {
        killed += ground.count_again(kill).await;
        let recorded = ground.count_again("select count(*) from runlog.events").await;
        until("the work goes on", async || {
            ground.count_again("select count(*) from runlog.events").await > recorded + 15
                || ground.count_again(UNFINISHED).await == 0
        })
        .await;
    }
    assert!(killed > 20, "{killed} connections were killed");

    until("all are finished", async || ground.count_again(UNFINISHED).await == 0).await;
    ground.assert_sound(40, 25).await;
    assert_eq!(ground.count("select count(*) from runlog.nodes").await, 1, "nobody had to join anew");
}

const UNFINISHED: &str = "select count(*) from runlog.runs where status in ('QUEUED', 'RUNNING')";

impl Postgres {
    /// As `count`, on whatever connection still lives.
    async fn count_again(&self, sql: &str) -> i64 {
        loop {
            let answer = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await;
            match answer {
                Ok(count) => return count,
                Err(sqlx::Error::Io(_) | sqlx::Error::Database(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_postgres_loses_and_repeats_nothing() {
    let mut server = Server::temporary(Durability::Durable).await.unwrap();
    let url = server.url("postgres");
    let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.unwrap();
    let ground = Postgres { pool, url };
    ground.note_executions().await;
    let (steps, lease) = (steps(&ground.pool), Duration::from_secs(2));
    let runtime =
        ground.builder().workflow(steps.clone()).workflow(gate()).lease(lease).start().await.unwrap();
    runtime.start_many((0..40).map(|_| runtime.run(&steps, 25)).collect()).await.unwrap();
    let at_work = "select count(*) from runlog.events where kind = 'step_completed'";
    for crash in 1..=2 {
        until("steps are recorded", async || ground.count(at_work).await > crash * 100).await;
        assert!(ground.unfinished().await > 0, "the crash came too late");
        server.crash().await.unwrap();
        assert!(
            runtime.run(&gate(), 1.into()).delay(lease).start().await.is_err(),
            "nothing is acknowledged now"
        );
        server.resume().await.unwrap();
        until("it answers again", async || sqlx::query("select 1").execute(&ground.pool).await.is_ok()).await;
    }

    until("all are finished", async || ground.unfinished().await <= 2).await;
    until("all steps are", async || {
        ground
            .count("select count(*) from runlog.runs where workflow = 'steps' and status = 'SUCCEEDED'")
            .await
            == 40
    })
    .await;
    ground.psql("delete from runlog.runs where workflow = 'gate'").await.unwrap();
    ground.assert_sound(40, 25).await;
    server.stop().await.unwrap();
}

/// Loses every n-th call or answer of one method.
struct Losing {
    method: &'static str,
    every: u32,
    answers: bool,
    calls: AtomicU32,
    lost: AtomicU32,
}

impl Losing {
    fn new(method: &'static str, every: u32, answers: bool) -> Arc<Losing> {
        Arc::new(Losing { method, every, answers, calls: AtomicU32::new(0), lost: AtomicU32::new(0) })
    }

    fn fate(&self, call: &Call, answers: bool) -> Fate {
        if call.method != self.method || answers != self.answers {
            return Fate::Passes;
        }
        match (self.calls.fetch_add(1, Ordering::Relaxed) + 1) % self.every {
            0 => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                Fate::Lost
            }
            _ => Fate::Passes,
        }
    }
}

impl Faults for Losing {
    fn on_call(&self, call: &Call) -> Fate {
        self.fate(call, false)
    }

    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        self.fate(call, true)
    }
}

/// Counts the executions of its steps.
fn counted(executed: &Arc<AtomicU32>) -> Workflow<u32, ()> {
    let executed = Arc::clone(executed);
    Workflow::function("counted", move |cx: Cx, count: u32| {
        let executed = Arc::clone(&executed);
        async move {
            for n in 0..count {
                let executed = Arc::clone(&executed);
                let body = move || {
                    executed.fetch_add(1, Ordering::Relaxed);
                    std::future::ready(Ok::<_, CxError>(()))
                };
                cx.step(&format!("s{n}"), body).await?;
            }
            Ok::<_, CxError>(())
        }
    })
}

/// Runs 20 runs of 5 steps while `method` loses calls or answers, and says that each step was executed once.
async fn lose(method: &'static str, every: u32, answers: bool) {
    let ground = Memory::new().await;
    let executed = Arc::new(AtomicU32::new(0));
    let counted = counted(&executed);
    // Long runs come out of the queue, and one waits for a signal while it is parked.
    let client = Runtime::on_store(ground.0.connect()).start().await.unwrap();
    let runs = client.start_many((0..20).map(|_| client.run(&counted, 5)).collect()).await.unwrap();
    let waiting = client.run(&gate(), 1.into()).start().await.unwrap();
    let losing = Losing::new(method, every, answers);
    let node = Runtime::on_store(ground.0.connect_with(losing.clone())).workflow(counted).workflow(gate());
    let short = Duration::from_millis(5);
    let node = node.park_after(short).poll_interval(Duration::from_millis(20)).start().await.unwrap();

    for started in &runs {
        assert_eq!(soon("its end", started.run.wait()).await.unwrap(), Status::Succeeded);
    }
    until("the one that waits is parked", async || node.live_runs() == 0).await;
    client.signal(waiting.id(), "go", &"on").await.unwrap();
    assert_eq!(soon("its output", waiting.output()).await.unwrap(), "on");

    assert!(losing.lost.load(Ordering::Relaxed) > 0, "nothing was lost");
    assert_eq!(executed.load(Ordering::Relaxed), 100, "each step was executed once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_appends_are_sent_again() {
    lose("append", 3, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_answer_was_lost_is_recognised() {
    lose("append", 3, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_whose_claim_was_lost_are_claimed_again() {
    lose("claim", 2, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_whose_claim_had_no_answer_are_not_forgotten() {
    lose("claim", 2, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claimed_runs_that_could_not_be_loaded_are_not_forgotten() {
    lose("load", 2, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_could_not_be_read_is_read_later() {
    let ground = Memory::new().await;
    let losing = Losing::new("inbox", 2, false);
    let node = Runtime::on_store(ground.0.connect_with(losing.clone())).workflow(gate());
    let node = node.poll_interval(Duration::from_millis(20)).start().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..10 {
        runs.push(node.run(&gate(), n.into()).start().await.unwrap());
    }
    for run in &runs {
        run.signal("go", &"on").await.unwrap();
        assert_eq!(soon("its output", run.output()).await.unwrap(), "on");
    }
    assert!(losing.lost.load(Ordering::Relaxed) > 0, "nothing was lost");
}

/// Two claims in doubt, the second of which gives the node a run; and the second load takes long to be answered.
#[derive(Default)]
struct InDoubt {
    claims: AtomicU32,
    lists: AtomicU32,
    loads: AtomicU32,
}

impl Faults for InDoubt {
    fn on_call(&self, call: &Call) -> Fate {
        let is_first = |calls: &AtomicU32| calls.fetch_add(1, Ordering::Relaxed) == 0;
        match call.method {
            "claim" if is_first(&self.claims) => Fate::Lost,
            // Time for a run to be started, and for the node to hear of it.
            "claim" if self.claims.load(Ordering::Relaxed) == 2 => Fate::Delayed(Duration::from_secs(1)),
            "held" if is_first(&self.lists) => Fate::Lost,
            "held_back" => Fate::Delayed(Duration::from_secs(1)),
            _ => Fate::Passes,
        }
    }

    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        match call.method {
            "load" if self.loads.fetch_add(1, Ordering::Relaxed) == 1 => {
                Fate::Delayed(Duration::from_secs(5))
            }
            _ => Fate::Passes,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_parked_while_its_log_was_loaded_again_repeats_nothing() {
    let world = MemoryStore::seeded("2026-01-01T00:00:00Z".parse().unwrap(), 7);
    let executed = Arc::new(AtomicU32::new(0));
    let workflow = {
        let executed = Arc::clone(&executed);
        Workflow::function("works and sleeps", move |cx: Cx, ()| {
            let executed = Arc::clone(&executed);
            async move {
                let body = || async {
                    executed.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    Ok::<_, CxError>(())
                };
                cx.step("work", body).await?;
                cx.sleep(Duration::from_hours(1)).await
            }
        })
    };
    let faults = Arc::new(InDoubt::default());
    let node = Runtime::on_store(world.connect_with(faults.clone())).workflow(workflow.clone());
    let node = node.start().await.unwrap();
    let client = Runtime::on_store(world.connect()).client().start().await.unwrap();
    while faults.claims.load(Ordering::Relaxed) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let run = client.run(&workflow, ()).start().await.unwrap();

    assert_eq!(run.wait().await.unwrap(), Status::Succeeded);
    assert!(faults.lists.load(Ordering::Relaxed) > 1, "the node never looked for what it had been given");
    assert_eq!(executed.load(Ordering::Relaxed), 1);
    node.shutdown(Duration::ZERO).await.unwrap();
}
