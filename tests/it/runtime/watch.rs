//! Watching a run's log: nothing missed, nothing twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runlog::model::Recorded;
use runlog::runtime::{Error, Watch};
use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::testing::postgres::{Durability, Server};
use runlog::{RunId, Runtime};
use sqlx::postgres::PgPoolOptions;

use crate::support::{Ground, Memory, Postgres, gate, json, on_both, soon, steps, until};

on_both! {
    a_watch_gives_every_event_once_and_ends_after_the_last
    a_watch_of_a_run_that_has_ended_gives_its_log
    a_watch_goes_on_after_the_seq_that_the_reader_has
    a_run_that_does_not_exist_cannot_be_watched
    a_watch_goes_on_while_the_run_moves_to_another_node
    many_may_watch_one_run
}

/// Reads a watch to its end.
async fn all(mut watch: Watch) -> Vec<Recorded> {
    let mut events = Vec::new();
    while let Some(event) = soon("the next event", watch.next()).await {
        events.push(event.unwrap());
    }
    events
}

async fn log(runtime: &Runtime, run: RunId) -> Vec<Recorded> {
    let log = runtime.events(run, 0, 100_000).await.unwrap();
    assert!(log.last().unwrap().event.is_terminal(), "it ended");
    log
}

async fn a_watch_gives_every_event_once_and_ends_after_the_last(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let mut watch = runtime.watch(run.id(), 0);
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last: &Recorded| last.event.kind() != "signal_awaited") {
        seen.push(soon("an event", watch.next()).await.unwrap().unwrap());
    }
    run.signal("go", &"on").await.unwrap();

    seen.extend(all(watch).await);

    assert_eq!(seen, log(&runtime, run.id()).await);
}

async fn a_watch_of_a_run_that_has_ended_gives_its_log(ground: impl Ground) {
    let runtime = ground.builder().workflow(crate::support::echo()).start().await.unwrap();
    let run = runtime.run(&crate::support::echo(), json("1")).start().await.unwrap();
    run.wait().await.unwrap();

    assert_eq!(all(runtime.watch(run.id(), 0)).await, log(&runtime, run.id()).await);
}

async fn a_watch_goes_on_after_the_seq_that_the_reader_has(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let mut first = runtime.watch(run.id(), 0);
    let seen = soon("an event", first.next()).await.unwrap().unwrap().seq;
    drop(first);
    run.signal("go", &"on").await.unwrap();
    run.wait().await.unwrap();
    let log = log(&runtime, run.id()).await;

    let rest = all(runtime.watch(run.id(), seen)).await;

    assert_eq!(rest, log[seen as usize..]);
    let last = log.last().unwrap().seq;
    assert_eq!(all(runtime.watch(run.id(), last)).await, [], "nothing comes after the end");
    assert_eq!(all(runtime.watch(run.id(), last + 7)).await, [], "nor after what never was");
}

async fn a_run_that_does_not_exist_cannot_be_watched(ground: impl Ground) {
    let runtime = ground.builder().start().await.unwrap();
    let nobody = RunId::from_uuid("01890000-0000-7000-8000-000000000000".parse().unwrap()).unwrap();
    let mut watch = runtime.watch(nobody, 0);
    assert_eq!(watch.run_id(), nobody);
    let answer = soon("an answer", watch.next()).await;
    assert!(matches!(answer, Some(Err(Error::NotFound { run })) if run == nobody), "{answer:?}");
    assert!(soon("the end", watch.next()).await.is_none(), "an error is the last item");
}

async fn a_watch_goes_on_while_the_run_moves_to_another_node(ground: impl Ground) {
    let lease = Duration::from_millis(800);
    let builder = || ground.builder().workflow(gate()).lease(lease);
    let first = builder().start().await.unwrap();
    let run = first.run(&gate(), 1.into()).start().await.unwrap();
    let second = builder().start().await.unwrap();
    let mut watch = second.watch(run.id(), 0);
    let mut seen = vec![soon("an event", watch.next()).await.unwrap().unwrap()];
    first.crash();
    second.signal(run.id(), "go", &"on").await.unwrap();

    seen.extend(all(watch).await);

    let log = log(&second, run.id()).await;
    assert!(log.iter().any(|event| event.event.kind() == "run_claimed"), "it moved");
    assert_eq!(seen, log);
}

async fn many_may_watch_one_run(ground: impl Ground) {
    let here = ground.builder().workflow(gate()).start().await.unwrap();
    let there = ground.builder().workflow(gate()).start().await.unwrap();
    let client = ground.builder().client().poll_interval(Duration::from_millis(20)).start().await.unwrap();
    let run = here.run(&gate(), 1.into()).start().await.unwrap().id();
    let watches: Vec<_> = [&here, &here, &there, &client]
        .map(|runtime| tokio::spawn(all(runtime.watch(run, 0))))
        .into_iter()
        .collect();
    there.signal(run, "go", &"on").await.unwrap();

    for watch in watches {
        assert_eq!(watch.await.unwrap(), log(&here, run).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_a_run_tells_a_watch_on_another_node() {
    let store = MemoryStore::new("2026-01-01T00:00:00Z".parse().unwrap());
    let hours = Duration::from_secs(3_600);
    let builder =
        || Runtime::on_store(store.connect()).workflow(gate()).poll_interval(hours).park_after(hours * 9);
    let (here, there) = (builder().start().await.unwrap(), builder().start().await.unwrap());
    let run = here.run(&gate(), 1.into()).start().await.unwrap();
    let mut watch = there.watch(run.id(), 0);
    let mut kinds = Vec::new();
    while kinds.last() != Some(&"signal_awaited") {
        kinds.push(watch.next().await.unwrap().unwrap().event.kind());
    }
    // It looks less and less often: by now once in half an hour or so.
    let next = tokio::spawn(async move { watch.next().await.unwrap().unwrap().event.kind() });
    tokio::time::sleep(hours).await;
    assert!(!next.is_finished());
    let sent = tokio::time::Instant::now();

    here.signal(run.id(), "go", &"on").await.unwrap();

    assert_eq!(next.await.unwrap(), "signal_received");
    assert!(sent.elapsed() < Duration::from_secs(1), "it came after {:?}", sent.elapsed());
}

#[tokio::test]
async fn a_hole_in_the_log_is_an_error_and_not_passed_over() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(crate::support::echo()).start().await.unwrap();
    let run = runtime.run(&crate::support::echo(), json("1")).start().await.unwrap();
    run.wait().await.unwrap();
    ground
        .psql("begin; set local runlog.retention = on; delete from runlog.events where seq = 2; commit")
        .await
        .unwrap();
    let mut watch = runtime.watch(run.id(), 0);

    let answer = soon("an answer", watch.next()).await;

    assert!(
        matches!(&answer, Some(Err(Error::Quarantined { reason, .. })) if reason.contains('3')),
        "{answer:?}"
    );
}

/// Loses every third question for a log, and every third answer.
#[derive(Default)]
struct Losing {
    lost: AtomicU32,
    asked: AtomicU32,
}

impl Losing {
    fn fate(&self, call: &Call) -> Fate {
        if call.method != "log" || self.asked.fetch_add(1, Ordering::Relaxed) % 3 != 2 {
            return Fate::Passes;
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
        Fate::Lost
    }
}

impl Faults for Losing {
    fn on_call(&self, call: &Call) -> Fate {
        self.fate(call)
    }

    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        self.fate(call)
    }
}

#[tokio::test]
async fn lost_questions_and_answers_are_asked_again() {
    let ground = Memory::new().await;
    let node = ground.builder().workflow(gate()).start().await.unwrap();
    let losing = Arc::new(Losing::default());
    let far = Runtime::on_store(ground.0.connect_with(losing.clone())).client();
    let far = far.poll_interval(Duration::from_millis(10)).start().await.unwrap();
    for _ in 0..10 {
        let run = node.run(&gate(), 1.into()).start().await.unwrap();
        let watch = tokio::spawn(all(far.watch(run.id(), 0)));
        run.signal("go", &"on").await.unwrap();
        assert_eq!(watch.await.unwrap(), log(&node, run.id()).await);
    }
    assert!(losing.lost.load(Ordering::Relaxed) > 5, "nothing was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_outlives_killed_connections_and_a_crash_of_postgres() {
    let mut server = Server::temporary(Durability::Durable).await.unwrap();
    let url = server.url("postgres");
    let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.unwrap();
    let ground = Postgres { pool, url };
    ground.note_executions().await;
    let steps = steps(&ground.pool);
    let builder = || ground.builder().workflow(steps.clone()).lease(Duration::from_secs(5));
    let node = builder().start().await.unwrap();
    let client = ground.builder().client().poll_interval(Duration::from_millis(50)).start().await.unwrap();
    let runs: Vec<RunId> = node
        .start_many((0..8).map(|_| node.run(&steps, 60)).collect())
        .await
        .unwrap()
        .into_iter()
        .map(|started| started.run.id())
        .collect();
    let watches: Vec<_> = runs
        .iter()
        .flat_map(|run| [node.watch(*run, 0), client.watch(*run, 0)])
        .map(|watch| tokio::spawn(all(watch)))
        .collect();
    let recorded = "select count(*) from runlog.events where kind = 'step_completed'";
    until("steps are recorded", async || ground.count(recorded).await > 40).await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()";
    assert!(ground.count(kill).await > 3, "connections were killed");
    until("it goes on", async || {
        let steps = sqlx::query_scalar::<_, i64>(recorded).fetch_one(&ground.pool).await;
        steps.is_ok_and(|steps| steps > 120)
    })
    .await;
    server.crash().await.unwrap();
    assert!(sqlx::query("select 1").execute(&ground.pool).await.is_err(), "the server is away");
    server.resume().await.unwrap();
    until("it answers again", async || sqlx::query("select 1").execute(&ground.pool).await.is_ok()).await;
    assert!(ground.unfinished().await > 0, "the crash came too late");

    for (watch, run) in watches.into_iter().zip(runs.iter().flat_map(|run| [run, run])) {
        assert_eq!(watch.await.unwrap(), log(&node, *run).await);
    }
    server.stop().await.unwrap();
}
