//! One action on many runs: one answer for each, and none twice.

use std::collections::HashSet;
use std::time::Duration;

use runlog::model::RunId;
use runlog::runtime::{BulkDone, BulkIntent, BulkReport, Cancelled};
use runlog::testing::Kit;
use runlog::{CancelOptions, Cx, Error, ReplayOptions, Runtime, Status, Workflow};

use crate::support::{Ground, Memory, Postgres, gate, on_both, until};
use crate::workflow::{Counter, Infallible, Numbered, days};

/// Counts in a step, and fails in its first run only: a replay goes on from the step.
fn once_broken(counter: &Counter) -> Workflow<u32, u32> {
    let counter = counter.clone();
    Workflow::function("once broken", move |cx: Cx, n: u32| {
        let counter = counter.clone();
        async move {
            cx.step("count", || async { Ok::<_, Infallible>(counter.hit()) }).await?;
            let own = cx.idempotency_key().starts_with(&cx.run_id().to_string());
            if own { Err(Numbered(n).into()) } else { anyhow::Ok(n) }
        }
    })
}

/// A runtime with `count` failed runs.
async fn failed<G: Ground>(ground: &G, count: u32, counter: &Counter) -> (Runtime, Vec<RunId>) {
    let w = once_broken(counter);
    let builder =
        ground.builder().workflow(w.clone()).workflow(gate()).poll_interval(Duration::from_millis(100));
    let runtime = builder.start().await.expect("a runtime");
    let runs = runtime.start_many((0..count).map(|n| runtime.run(&w, n)).collect()).await.expect("runs");
    let runs: Vec<RunId> = runs.iter().map(|started| started.run.id()).collect();
    ended(&runtime, &runs, Status::Failed).await;
    (runtime, runs)
}

async fn ended(runtime: &Runtime, runs: &[RunId], status: Status) {
    for run in runs {
        let handle = runtime.handle(*run);
        let end = tokio::time::timeout(Duration::from_secs(120), handle.wait()).await;
        assert_eq!(end.expect("in time").expect("an end"), status);
    }
}

/// The new runs, after a look at the answers: one for each of `runs`, each a replay of its own.
fn new_runs(report: &BulkReport, runs: &[RunId]) -> Vec<RunId> {
    let answered: HashSet<RunId> = report.answers.iter().map(|answer| answer.run).collect();
    assert_eq!((report.answers.len(), answered.len()), (runs.len(), runs.len()), "one answer a run");
    assert_eq!(answered, runs.iter().copied().collect());
    let new = report.answers.iter().map(|answer| match &answer.outcome {
        Ok(BulkDone::Replayed { run, .. }) => *run,
        other => panic!("{}: {other:?}", answer.run),
    });
    let new: Vec<RunId> = new.collect();
    assert_eq!(new.iter().collect::<HashSet<_>>().len(), runs.len(), "a new run each");
    new
}

async fn replay_all<G: Ground>(ground: G, count: u32) {
    let counter = Counter::default();
    let (runtime, runs) = failed(&ground, count, &counter).await;
    let bulk = runtime.bulk_replay(runs.clone(), ReplayOptions::default()).at_once(16);
    let running = bulk.start().await.expect("it starts");
    assert_eq!(running.total(), u64::from(count));
    let report = running.finish().await;
    let new = new_runs(&report, &runs);
    ended(&runtime, &new, Status::Succeeded).await;
    assert_eq!(counter.get(), count, "no step ran again");
    runtime.shutdown(Duration::ZERO).await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_replays_in_memory_leave_no_gap() {
    replay_all(Memory::new().await, 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_replays_in_postgres_leave_no_gap() {
    replay_all(Postgres::new().await, 2_000).await;
}

async fn each_run_has_its_own_answer(ground: impl Ground) {
    let (runtime, runs) = failed(&ground, 2, &Counter::default()).await;
    let live = runtime.run(&gate(), 1.into()).start().await.unwrap();
    // A start answers before a node takes the run, and a cancel before the run ends.
    until("the run is live", async || live.get().await.unwrap().status == Status::Running).await;
    let live = live.id();
    let cancelled = runtime.run(&gate(), 1.into()).start().await.unwrap();
    cancelled.cancel(CancelOptions::default()).await.unwrap();
    ended(&runtime, &[cancelled.id()], Status::Cancelled).await;
    let unknown = RunId::from_tick(1, 1);
    let all = [runs[0], live, cancelled.id(), unknown, runs[1], runs[0]];

    let report = runtime.bulk_replay(all, ReplayOptions::default()).at_once(1).start().await.unwrap();
    let report = report.finish().await;
    assert_eq!(report.refused(), 3);
    let told = |run| {
        let answer = report.answers.iter().find(|answer| answer.run == run).expect("an answer");
        answer.outcome.as_ref().map(|_| "replayed".to_owned()).unwrap_or_else(|error| error.to_string())
    };
    assert_eq!(report.answers.len(), 5, "a run that is named twice is one");
    assert_eq!((told(runs[0]), told(runs[1])), ("replayed".into(), "replayed".into()));
    assert!(told(live).contains("it is RUNNING"));
    assert!(told(cancelled.id()).contains("it was cancelled"));
    assert!(told(unknown).contains("there is no run"));

    let cancels = [live, cancelled.id(), runs[0], unknown];
    let report =
        runtime.bulk_cancel(cancels, CancelOptions::default().reason("enough")).start().await.unwrap();
    let report = report.finish().await;
    let of = |run| &report.answers.iter().find(|answer| answer.run == run).expect("an answer").outcome;
    for run in [live, cancelled.id()] {
        assert!(
            matches!(of(run), Ok(BulkDone::Cancelled(Cancelled::Ended | Cancelled::Ending))),
            "{report:?}"
        );
    }
    assert!(matches!(of(runs[0]), Err(Error::Finished { status: Status::Failed, .. })));
    assert!(matches!(of(unknown), Err(Error::NotFound { .. })));
    ended(&runtime, &[live], Status::Cancelled).await;
    let events = runtime.events(cancelled.id(), 0, 100).await.unwrap();
    let cancels = events.iter().filter(|recorded| recorded.event.kind().contains("cancel"));
    assert!(cancels.count() <= 2, "a second cancel is no second event: {events:?}");
    runtime.shutdown(Duration::ZERO).await.unwrap();
}

async fn an_action_that_is_repeated_with_its_id_does_nothing_twice(ground: impl Ground) {
    let counter = Counter::default();
    let (runtime, runs) = failed(&ground, 30, &counter).await;
    let bulk = || runtime.bulk_replay(runs.clone(), ReplayOptions::default());
    let mut first = bulk().rate(200).start().await.unwrap();
    let id = first.id();
    for _ in 0..5 {
        first.next().await.expect("an answer");
    }
    // As a crash in the middle does: some are done, and some of those unanswered.
    drop(first);
    let second = bulk().id(id).start().await.unwrap().finish().await;
    let new = new_runs(&second, &runs);
    let old = |answer: &&runlog::runtime::BulkAnswer| {
        matches!(answer.outcome, Ok(BulkDone::Replayed { created: false, .. }))
    };
    let old = second.answers.iter().filter(old).count();
    assert!((5..30).contains(&old), "{old} of 30 were there before");
    let third = bulk().id(id).start().await.unwrap().finish().await;
    assert_eq!(
        new.iter().collect::<HashSet<_>>(),
        new_runs(&third, &runs).iter().collect::<HashSet<_>>(),
        "the same runs"
    );
    ended(&runtime, &new, Status::Succeeded).await;
    assert_eq!(counter.get(), 30);
    runtime.shutdown(Duration::ZERO).await.unwrap();
}

on_both! {
    each_run_has_its_own_answer
    an_action_that_is_repeated_with_its_id_does_nothing_twice
}

#[tokio::test(start_paused = true)]
async fn a_preview_says_what_would_be_done_and_does_nothing() -> anyhow::Result<()> {
    let counter = Counter::default();
    let w = once_broken(&counter);
    let kit = Kit::builder().workflow(w.clone()).workflow(gate()).start().await?;
    let failed = kit.run(&w, &1).await?;
    failed.wait().await?;
    let live = kit.run(&gate(), &1.into()).await?;
    let runtime = kit.current()?;
    let runs = [failed.id(), live.id()];

    let preview = runtime.bulk_replay(runs, ReplayOptions::default()).preview().await?;
    assert_eq!(preview.count, 2);
    let [(_, Ok(BulkIntent::Replay(plan))), (_, Err(Error::NotReplayable { .. }))] = &preview.sample[..]
    else {
        panic!("{preview:?}")
    };
    assert_eq!((plan.of, plan.resumed.len()), (failed.id(), 1));
    let preview = runtime.bulk_cancel(runs, CancelOptions::default()).preview().await?;
    let [(_, Err(Error::Finished { .. })), (_, Ok(BulkIntent::Cancel { status: Status::Running }))] =
        &preview.sample[..]
    else {
        panic!("{preview:?}")
    };
    kit.advance(days(1)).await;
    assert_eq!(kit.store().runs().len(), 2);
    assert_eq!(live.get().await?.status, Status::Running);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_action_keeps_to_its_rate() -> anyhow::Result<()> {
    let w = once_broken(&Counter::default());
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let mut runs = Vec::new();
    for n in 0..41 {
        runs.push(kit.run(&w, &n).await?.id());
    }
    kit.settle().await;
    let before = kit.now();
    let report =
        kit.current()?.bulk_replay(runs, ReplayOptions::default()).rate(20).start().await?.finish().await;
    let took = kit.now() - before;
    assert_eq!(report.refused(), 0);
    assert!((2_000..2_100).contains(&took.num_milliseconds()), "41 at 20 a second took {took}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_is_dropped_stops() {
    let (runtime, runs) = failed(&Memory::new().await, 50, &Counter::default()).await;
    let mut bulk = runtime.bulk_replay(runs, ReplayOptions::default()).rate(50).start().await.unwrap();
    bulk.next().await.expect("an answer");
    drop(bulk);
    until("nothing is under way", async || runtime.live_runs() == 0).await;
    let replayed = runtime.bulk_replay([], ReplayOptions::default()).preview().await.unwrap();
    assert_eq!(replayed.count, 0);
    runtime.shutdown(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn an_action_that_would_never_do_anything_is_refused() {
    let runtime = Memory::new().await.builder().start().await.unwrap();
    let bulk = || runtime.bulk_cancel([RunId::from_tick(1, 1)], CancelOptions::default());
    for (bulk, told) in [(bulk().rate(0), "rate: 0"), (bulk().at_once(0), "at_once: 0")] {
        let refused = bulk.start().await.expect_err(told).to_string();
        assert!(refused.starts_with(told), "{refused}");
    }
    runtime.shutdown(Duration::ZERO).await.unwrap();
}
