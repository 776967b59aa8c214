//! The moment a call returns, every query shows what it did.

use std::time::Duration;

use futures_util::future::join_all;
use runlog::model::{RunEvent, Waiting};
use runlog::runtime::Cancelled;
use runlog::{CancelOptions, Cx, CxError, RunId, Runtime, Status, Workflow};

use crate::support::{Ground, Postgres, echo, gate, json, on_both, soon};

on_both! {
    a_started_run_is_seen_by_every_query_on_every_node
    a_cancelled_run_is_seen_as_such
    a_run_that_is_told_to_end_is_seen_as_such
}

/// Starters at the same time.
const STARTERS: usize = 8;

async fn seen(runtime: &Runtime, run: RunId, key: &str) {
    let view = runtime.get(run).await.unwrap().expect("get sees it");
    assert_ne!(view.events, 0);
    assert_eq!(runtime.find("gate", key).await.unwrap(), Some(run), "find sees it");
    assert!(!runtime.events(run, 0, 10).await.unwrap().is_empty(), "events sees it");
    assert_eq!(runtime.handle(run).get().await.unwrap().id, run);
}

async fn a_started_run_is_seen_by_every_query_on_every_node(ground: impl Ground) {
    let here = ground.builder().workflow(gate()).start().await.unwrap();
    let there = ground.builder().workflow(gate()).start().await.unwrap();
    let hammer = async |starter: usize| {
        for n in 0..12 {
            let key = format!("{starter}-{n}");
            let new = here.run(&gate(), 1.into()).key(&key);
            // One that runs here at once, one that waits in the queue, and many at once.
            let run = match n % 3 {
                0 => new.start().await.unwrap().id(),
                1 => new.delay(Duration::from_secs(3600)).start().await.unwrap().id(),
                _ => here.start_many(vec![new]).await.unwrap()[0].run.id(),
            };
            seen(&here, run, &key).await;
            seen(&there, run, &key).await;
        }
    };
    join_all((0..STARTERS).map(hammer)).await;
}

async fn a_cancelled_run_is_seen_as_such(ground: impl Ground) {
    let here = ground.builder().workflow(gate()).park_after(Duration::from_millis(5)).start().await.unwrap();
    let there = ground.builder().workflow(gate()).start().await.unwrap();
    let hammer = async |starter: usize| {
        for n in 0..6 {
            let delay = Duration::from_secs(3600);
            let new = here.run(&gate(), 1.into());
            let run = if n % 2 == 0 { new.start().await } else { new.delay(delay).start().await }.unwrap();
            let by = if starter.is_multiple_of(2) { &here } else { &there };

            let answer = by.cancel(run.id(), CancelOptions::default().by("ada")).await.unwrap();

            let view = run.get().await.unwrap();
            let other = there.get(run.id()).await.unwrap().unwrap();
            match answer {
                Cancelled::Ended => {
                    assert_eq!((view.status, other.status), (Status::Cancelled, Status::Cancelled))
                }
                Cancelled::Ending => {
                    let log = here.events(run.id(), 0, 100).await.unwrap();
                    let asked = log.iter().any(|recorded| {
                        let kind = recorded.event.kind();
                        kind == "cancel_requested" || kind == "run_cancelled"
                    });
                    assert!(asked, "{log:?}");
                }
            }
            assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Cancelled);
            let again = by.cancel(run.id(), CancelOptions::default()).await.unwrap();
            assert_eq!(again, Cancelled::Ended, "the second cancel answers the same");
            let log = here.events(run.id(), 0, 100).await.unwrap();
            let ends = log.iter().filter(|recorded| recorded.event.kind() == "run_cancelled").count();
            assert_eq!(ends, 1, "{log:?}");
        }
    };
    join_all((0..STARTERS).map(hammer)).await;
}

async fn a_run_that_is_told_to_end_is_seen_as_such(ground: impl Ground) {
    let slow = Workflow::function("slow to end", |cx: Cx, (): ()| async move {
        cx.cancelled().await;
        std::future::pending::<Result<(), CxError>>().await
    });
    let runtime = ground.builder().workflow(slow.clone()).start().await.unwrap();
    let run = runtime.run(&slow, ()).start().await.unwrap();
    let grace = Duration::from_secs(2);

    let options = || CancelOptions::default().by("ada").reason("mistake").grace(grace);
    let answer = run.cancel(options()).await.unwrap();
    let view = run.get().await.unwrap();

    assert_eq!((answer, view.status), (Cancelled::Ending, Status::Running));
    assert!(matches!(view.waiting.as_slice(), [Waiting::Cancellation { .. }, ..]), "{:?}", view.waiting);
    let asked = view.cancel.as_ref().unwrap();
    assert_eq!((asked.by.as_deref(), asked.reason.as_deref()), (Some("ada"), Some("mistake")));
    assert_eq!(run.cancel(options()).await.unwrap(), Cancelled::Ending);
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Cancelled);
    let view = run.get().await.unwrap();
    assert!(view.finished_at.unwrap() >= asked.abort_at);
    let log = runtime.events(run.id(), 0, 100).await.unwrap();
    let asks = log.iter().filter(|recorded| recorded.event.kind() == "cancel_requested").count();
    assert_eq!(asks, 1, "{log:?}");
}

/// A signal waits in the inbox or stands in the log; it is never in neither, and never in both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sent_signal_is_in_the_inbox_or_in_the_log_once() {
    let ground = Postgres::new().await;
    let counting = Workflow::function("counting", |cx: Cx, count: u32| async move {
        let mut seen = Vec::new();
        for _ in 0..count {
            seen.extend(cx.signal::<u32>("n").await?);
        }
        Ok::<_, CxError>(seen)
    });
    let here = ground
        .builder()
        .workflow(counting.clone())
        .park_after(Duration::from_millis(1))
        .start()
        .await
        .unwrap();
    let there = ground.builder().workflow(counting.clone()).start().await.unwrap();
    let run = here.run(&counting, 60).start().await.unwrap();
    let places = format!(
        "select (select count(*) from runlog.inbox where run_id = '{0}')
              + (select count(*) from runlog.events where run_id = '{0}' and kind = 'signal_received')",
        run.id()
    );

    for n in 1..=60 {
        let by = if n % 2 == 0 { &here } else { &there };
        by.signal(run.id(), "n", &n).await.unwrap();
        assert_eq!(ground.count(&places).await, n, "after signal {n}");
    }

    assert_eq!(soon("its output", run.output()).await.unwrap(), (1..=60).collect::<Vec<u32>>(), "in order");
    let log = here.events(run.id(), 0, 1_000).await.unwrap();
    let received = log
        .iter()
        .filter(|recorded| matches!(&recorded.event, runlog::model::Event::Run(RunEvent::SignalReceived(_))));
    assert_eq!(received.count(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_awaited_end_is_seen_by_every_query() {
    let ground = Postgres::new().await;
    let here = ground.builder().workflow(echo()).start().await.unwrap();
    let there = ground.builder().start().await.unwrap();
    for n in 0..20 {
        let run = here.run(&echo(), json(&n.to_string())).start().await.unwrap();
        soon("its end", run.wait()).await.unwrap();
        assert_eq!(run.get().await.unwrap().status, Status::Succeeded);
        assert_eq!(there.get(run.id()).await.unwrap().unwrap().output.unwrap().text(), n.to_string());
    }
}
