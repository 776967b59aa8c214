//! Parking: a run that only waits is a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runlog::model::{MessageBody, Payload, SignalName, Waiting};
use runlog::store::Store;
use runlog::store::memory::{Call, Fate, Faults, MemoryStore, Transaction};
use runlog::testing::Kit;
use runlog::{Cx, Runtime, Workflow};

use super::{days, secs};

fn sleeper() -> Workflow<u64, u64> {
    Workflow::function("sleeper", |cx: Cx, seconds: u64| async move {
        cx.sleep(secs(seconds)).await?;
        anyhow::Ok(seconds)
    })
}

#[tokio::test(start_paused = true)]
async fn a_sleep_of_thirty_days_holds_no_actor() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(sleeper()).start().await?;
    let run = kit.run(&sleeper(), &(30 * 24 * 3_600)).await?;
    kit.settle().await;
    assert_eq!(kit.current()?.live_runs(), 0);
    let row = kit.store().row(run.id()).await?.expect("a row");
    let due = run.get().await?.created_at + days(30);
    assert_eq!((row.owner, row.wake_at), (None, Some(due)));
    assert!(matches!(&run.get().await?.waiting[..], [Waiting::Timer { until, .. }] if *until == due));
    run.output().await?;
    let view = run.get().await?;
    assert_eq!(view.finished_at, Some(due));
    assert_eq!(view.claims, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_sleep_shorter_than_the_rest_before_parking_stays_in_memory() -> anyhow::Result<()> {
    let w = Workflow::function("nap", |cx: Cx, ()| async move {
        cx.sleep(Duration::from_millis(500)).await?;
        anyhow::Ok(())
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(Duration::from_millis(400)).await;
    assert_eq!(kit.current()?.live_runs(), 1);
    run.output().await?;
    assert_eq!(run.get().await?.claims, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_hundred_sleepers_are_rows_and_each_wakes_at_its_time() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(sleeper()).start().await?;
    let mut runs = Vec::new();
    for n in 0..200 {
        runs.push(kit.run(&sleeper(), &(3_600 + n * 7_919 % 100_000)).await?);
    }
    kit.settle().await;
    assert_eq!(kit.current()?.live_runs(), 0);
    kit.advance(days(2)).await;
    for run in runs {
        let slept = run.output().await?;
        let view = run.get().await?;
        assert_eq!(view.finished_at, Some(view.started_at.expect("started") + secs(slept)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_crash_does_not_wake_a_parked_run() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(sleeper()).start().await?;
    let run = kit.run(&sleeper(), &86_400).await?;
    kit.settle().await;
    kit.crash();
    kit.recover().await?;
    kit.advance(secs(3_600)).await;
    assert_eq!(kit.current()?.live_runs(), 0);
    run.output().await?;
    assert_eq!(run.get().await?.claims, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_step_beside_a_long_sleep_does_not_wait_for_its_end() -> anyhow::Result<()> {
    let w = Workflow::function("both", |cx: Cx, ()| async move {
        let steps = async {
            for name in ["first", "second", "third"] {
                cx.step(name, || async { anyhow::Ok(()) }).await?;
            }
            anyhow::Ok(())
        };
        let (slept, stepped) = tokio::join!(cx.sleep(days(30)), steps);
        slept?;
        stepped
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(60)).await;
    let done = run.log().await?.matches("step_completed").count();
    assert_eq!(done, 3, "{}", run.log().await?);
    assert_eq!(kit.current()?.live_runs(), 0, "nothing but the sleep is left");
    run.output().await?;
    Ok(())
}

/// Lets every append take two seconds.
struct SlowCommits;

impl Faults for SlowCommits {
    fn on_commit(&self, call: &Call) -> Transaction {
        let lasts = if call.method == "append" { secs(2) } else { Duration::ZERO };
        Transaction { lasts, outlives_caller: true }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_timer_goes_off_while_it_is_being_parked_writes_nothing_after_it() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        anyhow::Ok(cx.signal::<u32>("never").timeout(Duration::from_millis(4_500)).await?)
    });
    let memory = MemoryStore::simulated("2026-01-01T00:00:00Z".parse()?, 1, None, Box::new(|_| {}));
    let slow =
        Runtime::on_store(memory.connect_with(Arc::new(SlowCommits))).workflow(w.clone()).start().await?;
    let run = slow.run(&w, ()).start().await?;
    assert_eq!(run.output().await?, None);
    assert!(memory.row(run.id()).await?.is_some_and(|row| row.claims == 1), "it was parked");
    assert_eq!(memory.noticed().breaches, Vec::<String>::new());
    Ok(())
}

/// Lets the answer to every append come three seconds late.
struct LateAnswers;

impl Faults for LateAnswers {
    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        if call.method == "append" { Fate::Delayed(secs(3)) } else { Fate::Passes }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_due_before_its_node_knows_it_parked_goes_on() -> anyhow::Result<()> {
    let memory = MemoryStore::new("2026-01-01T00:00:00Z".parse()?).connect_with(Arc::new(LateAnswers));
    let runtime = Runtime::on_store(memory.clone()).workflow(sleeper()).start().await?;
    let run = runtime.run(&sleeper(), 2).start().await?;
    let output = tokio::time::timeout(secs(60), run.output()).await;
    assert_eq!(output.expect("it goes on")?, 2);
    assert!(memory.row(run.id()).await?.is_some_and(|row| row.claims == 1), "it was parked");
    Ok(())
}

/// Counts appends, each of which takes a millisecond, and loses every reading of an inbox.
#[derive(Default)]
struct DeafNode {
    appends: AtomicU32,
}

impl Faults for DeafNode {
    fn on_call(&self, call: &Call) -> Fate {
        match call.method {
            "append" => {
                self.appends.fetch_add(1, Ordering::Relaxed);
                Fate::Delayed(Duration::from_millis(1))
            }
            "inbox" => Fate::Lost,
            _ => Fate::Passes,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_may_not_be_parked_for_its_mail_reads_that_before_it_tries_again() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        anyhow::Ok(cx.signal::<u32>("never").timeout(days(1)).await?)
    });
    let (memory, deaf) = (MemoryStore::new("2026-01-01T00:00:00Z".parse()?), Arc::new(DeafNode::default()));
    let runtime = Runtime::on_store(memory.connect_with(deaf.clone())).workflow(w.clone()).start().await?;
    let run = runtime.run(&w, ()).start().await?;
    let other = MessageBody::Signal { name: SignalName::new("other")?, key: None, payload: Payload::of(&1)? };
    memory.send(run.id(), &other).await?;
    tokio::time::sleep(secs(10)).await;
    let appends = deaf.appends.load(Ordering::Relaxed);
    assert!((3..200).contains(&appends), "{appends} appends");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_at_work_is_not_parked_for_a_rest_that_is_over() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, n: u64| async move {
        cx.signal::<u32>("never").timeout(secs(5)).await?;
        let body = || async {
            tokio::time::sleep(secs(3)).await;
            anyhow::Ok(())
        };
        cx.step("work", body).await?;
        anyhow::Ok(n)
    });
    let memory = MemoryStore::seeded("2026-01-01T00:00:00Z".parse()?, 1);
    let runtime = Runtime::on_store(memory).lanes(1).workflow(w.clone()).start().await?;
    let mut runs = Vec::new();
    for n in 0..8 {
        runs.push(runtime.run(&w, n).start().await?);
    }
    for run in runs {
        let output = tokio::time::timeout(secs(60), run.output()).await;
        output.expect("it is taken up again")?;
    }
    Ok(())
}
