//! Signals by key on a real database: races, crashes, and what a sender is told.

mod killed;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runlog::model::Payload;
use runlog::store::KeyedSignal;
use runlog::store::Signals;
use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::store::postgres::PostgresStore;
use runlog::{Cx, Error, Runtime, SignalOptions, Signalled, Workflow};

use crate::support::{Ground, Postgres, on_both, soon, until};

fn waits() -> Workflow<String, Option<u32>> {
    Workflow::function("waits", |cx: Cx, key: String| async move {
        anyhow::Ok(cx.signal::<u32>("go").key(key).await?)
    })
}

/// Counts questions that wait for a lock.
const ASKS: &str =
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%signals%'
     and datname = current_database()";

const KEPT: Signalled = Signalled { runs: 0, kept: true };

/// Counts the looks for signals that nobody told.
#[derive(Default)]
struct Looks(AtomicUsize);

impl Faults for Looks {
    fn on_call(&self, call: &Call) -> Fate {
        if call.method == "untold_signals" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Fate::Passes
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_node_seldom_looks_for_signals_that_nobody_told() {
    const POLL: Duration = Duration::from_secs(1);
    let world = MemoryStore::seeded("2026-01-01T00:00:00Z".parse().unwrap(), 7);
    let looks = Arc::new(Looks::default());
    let node = Runtime::on_store(world.connect_with(looks.clone())).poll_interval(POLL).workflow(waits());
    let node = node.start().await.unwrap();

    tokio::time::sleep(100 * POLL).await;

    let looks = looks.0.load(Ordering::Relaxed);
    assert!((15..=20).contains(&looks), "{looks}");
    node.shutdown(POLL).await.unwrap();
}

on_both! {
    a_sender_that_repeats_itself_is_answered_as_the_first_time
    runs_of_two_nodes_get_one_signal
}

async fn a_sender_that_repeats_itself_is_answered_as_the_first_time(ground: impl Ground) {
    let runtime = ground.builder().workflow(waits()).start().await.unwrap();
    let once = || SignalOptions::default().id("event 1");
    assert_eq!(runtime.signal_key_with("go", "k", &1, once()).await.unwrap(), KEPT);
    assert_eq!(runtime.signal_key_with("go", "k", &1, once()).await.unwrap(), KEPT);
    let run = runtime.run(&waits(), "k".to_owned()).start().await.unwrap();
    assert_eq!(soon("its end", run.output()).await.unwrap(), Some(1));
    let told = Signalled { runs: 1, kept: false };
    assert_eq!(runtime.signal_key_with("go", "k", &1, once()).await.unwrap(), told);
    let other = runtime.signal_key_with("go", "k", &2, once()).await;
    assert!(matches!(&other, Err(Error::SignalId { id }) if id == "event 1"), "{other:?}");
    let elsewhere = once().namespace("elsewhere");
    assert_eq!(runtime.signal_key_with("go", "k", &2, elsewhere).await.unwrap(), KEPT);
    for id in [String::new(), "x".repeat(256), "a\nb".to_owned()] {
        let refused = runtime.signal_key_with("go", "k", &2, SignalOptions::default().id(id)).await;
        assert!(matches!(refused, Err(Error::Field { field: "id", .. })), "{refused:?}");
    }
    assert!(matches!(runtime.signal_key("go", "", &2).await, Err(Error::Name(_))));
}

async fn runs_of_two_nodes_get_one_signal(ground: impl Ground) {
    let (a, b) = (ground.builder().workflow(waits()), ground.builder().workflow(waits()));
    let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
    let mut runs = Vec::new();
    for runtime in [&a, &b, &a, &b] {
        runs.push(runtime.run(&waits(), "k".to_owned()).start().await.unwrap());
    }
    let all_wait = async || {
        for run in &runs {
            if a.get(run.id()).await.unwrap().unwrap().waiting.is_empty() {
                return false;
            }
        }
        true
    };
    until("all wait", all_wait).await;
    assert_eq!(a.signal_key("go", "k", &7).await.unwrap(), Signalled { runs: 4, kept: false });
    for run in runs {
        assert_eq!(soon("its end", run.output()).await.unwrap(), Some(7));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_whose_sender_died_after_it_was_accepted_is_brought_by_a_node() {
    let ground = Postgres::new().await;
    let poll = Duration::from_millis(100);
    let runtime = ground.builder().workflow(waits()).poll_interval(poll).start().await.unwrap();
    let run = runtime.run(&waits(), "k".to_owned()).start().await.unwrap();
    let waiting = "select count(*) from runlog.signal_waits where waits = 1";
    until("it waits", async || ground.count(waiting).await == 1).await;
    let sender = PostgresStore::open(ground.pool.clone(), 1, false).await.unwrap();
    let signal = KeyedSignal {
        namespace: Default::default(),
        sent_as: "1".to_owned(),
        name: runlog::model::SignalName::new("go").unwrap(),
        key: runlog::model::Key::new("k").unwrap(),
        payload: Payload::of(&7).unwrap(),
    };
    sender.post_signal(&signal).await.unwrap();
    assert_eq!(soon("its end", run.output()).await.unwrap(), Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_between_its_wait_and_its_question_loses_nothing() {
    let ground = Postgres::new().await;
    let lease = Duration::from_millis(600);
    let first = ground.builder().workflow(waits()).lease(lease).start().await.unwrap();
    assert_eq!(first.signal_key("go", "k", &7).await.unwrap(), KEPT);
    // Whoever asks for the kept signal stands still: the wait is committed, its question is not answered.
    let mut held = ground.pool.begin().await.unwrap();
    sqlx::query("select id from runlog.signals for update").execute(&mut *held).await.unwrap();
    let run = first.run(&waits(), "k".to_owned()).start().await.unwrap().id();
    until("it asks", async || ground.count(ASKS).await == 1).await;
    first.crash();
    // The server would not notice before the lock is free: with the process dead, its statement never began.
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where wait_event_type = 'Lock' and query like '%signals%' and datname = current_database()",
    )
    .execute(&mut *held)
    .await
    .unwrap();
    held.rollback().await.unwrap();
    let second = ground.builder().workflow(waits()).lease(lease).start().await.unwrap();
    let handle = second.handle(run);
    assert_eq!(soon("its end", handle.output()).await.unwrap(), serde_json::json!(7));
    assert_eq!(ground.count("select count(*) from runlog.events where kind = 'signal_received'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_waits_for_a_lock_holds_up_no_other() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(waits()).start().await.unwrap();
    for (key, payload) in [("held", 1), ("free", 2)] {
        assert_eq!(runtime.signal_key("go", key, &payload).await.unwrap(), KEPT);
    }
    let mut held = ground.pool.begin().await.unwrap();
    let lock = "select id from runlog.signals where key = 'held' for update";
    sqlx::query(lock).execute(&mut *held).await.unwrap();
    let first = runtime.run(&waits(), "held".to_owned()).start().await.unwrap();
    until("it asks", async || ground.count(ASKS).await == 1).await;
    let second = runtime.run(&waits(), "free".to_owned()).start().await.unwrap();
    assert_eq!(soon("its end", second.output()).await.unwrap(), Some(2));
    held.rollback().await.unwrap();
    assert_eq!(soon("its end", first.output()).await.unwrap(), Some(1));
}
