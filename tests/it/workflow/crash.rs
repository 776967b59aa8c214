//! Every kind of durable operation under a crash before and after every commit.

use std::fmt::Debug;

use runlog::testing::{Kit, KitBuilder};
use runlog::{Cx, CxError, Either, Retry, Status, Workflow};

use super::{Counter, Infallible, Numbered, days, secs};

/// Plays one run of `w` to its end under every crash; its outcome must be `expected` each time.
async fn survives<O>(w: Workflow<(), O>, with: KitBuilder, expected: O) -> anyhow::Result<()>
where
    O: serde::de::DeserializeOwned + PartialEq + Debug + Send + 'static,
{
    let report = with
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            let run = kit.run(&w, &()).await.expect("it starts");
            run.output().await.expect("it succeeds")
        })
        .await?;
    assert_eq!(report.outcome, expected);
    assert!(report.commits > 1, "there was something to crash at");
    assert_eq!(report.crashes, 2 * report.commits);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn steps_survive_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let mut sum = 0;
        for n in 1..=4 {
            sum += cx.step("add", || async { Ok::<_, Infallible>(n) }).await?;
            tokio::time::sleep(secs(1)).await;
        }
        anyhow::Ok(sum)
    });
    survives(w, Kit::builder(), 10).await
}

#[tokio::test(start_paused = true)]
async fn joined_steps_survive_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let steps = [3, 1, 2].map(|n| {
            cx.step("leg", move || async move {
                tokio::time::sleep(secs(n)).await;
                Ok::<_, Infallible>(n)
            })
        });
        let done: Vec<u64> = cx.join_all(steps).await.into_iter().collect::<Result<_, CxError>>()?;
        anyhow::Ok(done)
    });
    survives(w, Kit::builder(), vec![3, 1, 2]).await
}

#[tokio::test(start_paused = true)]
async fn branches_keep_their_sleeps_and_clocks_under_a_crash_at_every_commit() -> anyhow::Result<()> {
    /// Begins its sleep sooner or later than its neighbour; gives how long that took.
    async fn nap(cx: Cx, begins: u64, takes: u64) -> anyhow::Result<i64> {
        let body = || async {
            tokio::time::sleep(secs(begins)).await;
            Ok::<_, Infallible>(())
        };
        cx.step("begin", body).await?;
        let from = cx.now();
        cx.sleep(secs(takes)).await?;
        Ok((cx.now() - from).num_seconds())
    }
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        // The second gets to its sleep first; once all steps are recorded, the first would.
        let (late, soon) = (nap(cx.branch("late"), 3, 50), nap(cx.branch("soon"), 1, 500));
        let (late, soon) = cx.join(late, soon).await;
        anyhow::Ok((late?, soon?))
    });
    survives(w, Kit::builder(), (50, 500)).await
}

#[tokio::test(start_paused = true)]
async fn a_race_in_a_race_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let inner = cx.race(cx.signal::<u32>("never"), cx.sleep(secs(1)));
        let outer = match cx.race(inner, cx.sleep(secs(1))).await {
            Either::First(_inner) => 1,
            Either::Second(_slept) => 2,
        };
        cx.step("after", || async { Ok::<_, Infallible>(()) }).await?;
        anyhow::Ok(outer)
    });
    survives(w, Kit::builder(), 1).await
}

#[tokio::test(start_paused = true)]
async fn a_branch_without_a_fit_name_blocks_the_run() -> anyhow::Result<()> {
    for (name, why) in [("", "empty"), ("a\nb", "control"), (&"x".repeat(97) as &str, "97")] {
        let called = name.to_owned();
        let w = Workflow::function("f", move |cx: Cx, ()| {
            let branch = cx.branch("outer").branch(&called);
            async move {
                branch.sleep(secs(1)).await?;
                anyhow::Ok(())
            }
        });
        let kit = Kit::builder().workflow(w.clone()).start().await?;
        let run = kit.run(&w, &()).await?;
        kit.advance(secs(2)).await;
        let waiting = format!("{:?}", run.get().await?.waiting);
        assert!(waiting.contains("branch") && waiting.contains(why), "{name:?}: {waiting}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_sleep_of_thirty_days_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let from = cx.now();
        cx.sleep(days(30)).await?;
        let slept = cx.now() - from;
        anyhow::Ok(slept.num_days())
    });
    survives(w, Kit::builder(), 30).await
}

#[tokio::test(start_paused = true)]
async fn retried_steps_and_tasks_survive_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let flaky = cx.step("flaky", || {
            let now = cx.attempt();
            async move { if now < 3 { Err(Numbered(now)) } else { Ok(now) } }
        });
        let flaky = flaky.retry(Retry::fixed(secs(5)).max_attempts(2));
        anyhow::Ok((flaky.await?, cx.attempt()))
    })
    .retry(Retry::fixed(secs(60)).max_attempts(3));
    survives(w, Kit::builder(), (3, 3)).await
}

#[tokio::test(start_paused = true)]
async fn signals_survive_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let early = cx.signal::<u32>("early").await?;
        cx.sleep(secs(100)).await?;
        let buffered = cx.signal::<u32>("buffered").await?;
        let never = cx.signal::<u32>("never").timeout(days(1)).await?;
        anyhow::Ok((early, buffered, never))
    });
    let report = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            let run = kit.run(&w, &()).await.expect("it starts");
            kit.advance(secs(10)).await;
            run.signal("early", &1).await.expect("it is taken");
            run.signal("buffered", &2).await.expect("it is kept");
            run.output().await.expect("it succeeds")
        })
        .await?;
    assert_eq!(report.outcome, (Some(1), Some(2), None));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let child = Workflow::function("child", |cx: Cx, n: u32| async move {
        let n = cx.step("double", || async { Ok::<_, Infallible>(2 * n) }).await?;
        cx.sleep(days(1)).await?;
        if n == 4 { Err(Numbered(n).into()) } else { anyhow::Ok(n) }
    });
    let w = {
        let child = child.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let child = child.clone();
            async move {
                let (one, two) = cx.join(cx.child(&child, 1), cx.child(&child, 2)).await;
                let last = cx.child(&child, one?).await;
                anyhow::Ok((two.is_err(), last.is_err()))
            }
        })
    };
    survives(w, Kit::builder().workflow(child), (true, true)).await
}

#[tokio::test(start_paused = true)]
async fn a_race_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let quick = cx.race(cx.sleep(days(2)), cx.sleep(days(1))).await;
        let quick = matches!(quick, Either::Second(_));
        let step = cx.step("step", || async { Ok::<_, Infallible>(1) });
        let second = matches!(cx.race(cx.signal::<u32>("never"), step).await, Either::Second(_));
        cx.sleep(secs(1)).await?;
        anyhow::Ok((quick, second))
    });
    survives(w, Kit::builder(), (true, true)).await
}

#[tokio::test(start_paused = true)]
async fn an_at_most_once_step_survives_a_crash_at_every_commit_and_never_runs_twice() -> anyhow::Result<()> {
    let runs = Counter::default();
    let w = {
        let runs = runs.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let runs = runs.clone();
            async move {
                let paid = cx.step("pay", || async { Ok::<_, Infallible>(runs.hit()) }).at_most_once().await;
                cx.sleep(secs(5)).await?;
                match paid {
                    Ok(_) | Err(CxError::Interrupted { .. }) => anyhow::Ok("known".to_owned()),
                    Err(other) => Err(other.into()),
                }
            }
        })
    };
    let report = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            let before = runs.get();
            let run = kit.run(&w, &()).await.expect("it starts");
            let output = run.output().await.expect("it succeeds");
            (output, runs.get() - before <= 1)
        })
        .await?;
    assert_eq!(report.outcome, ("known".to_owned(), true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dag_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::dag("dag");
    let source = w.task("source", |_, ()| async { Ok::<_, Infallible>(1) });
    let left = w
        .task_after("left", &source, |cx: Cx, (), n: u32| async move {
            if cx.attempt() < 2 { Err(Numbered(n)) } else { Ok(n + 10) }
        })
        .retry(Retry::fixed(secs(9)));
    let right = w.task_after("right", &source, |cx: Cx, (), n: u32| async move {
        cx.sleep(days(1)).await?;
        anyhow::Ok(n + 100)
    });
    let sink = w.task_after("sink", (&left, &right), |_, (), (l, r): (u32, u32)| async move {
        Ok::<_, Infallible>(l + r)
    });
    survives(w.output(&sink), Kit::builder(), 112).await
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_its_handler_survive_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::dag("dag");
    let bad = w
        .task("bad", |_, ()| async {
            tokio::time::sleep(secs(5)).await;
            Err::<u32, _>(Numbered(1))
        })
        .retry(Retry::fixed(secs(5)).max_attempts(2));
    w.on_failure("handle", |cx: Cx, (), errors| async move {
        let text = cx
            .step("tell", || async { Ok::<_, Infallible>(format!("{:?}", errors.of("bad").is_some())) })
            .await?;
        cx.sleep(secs(5)).await?;
        anyhow::Ok(text)
    });
    let w = w.output(&bad);
    let report = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            let run = kit.run(&w, &()).await.expect("it starts");
            let status = run.wait().await.expect("it ends");
            let view = run.get().await.expect("it is there");
            let handled = view.task("handle").and_then(|task| task.output.clone());
            (status, handled.map(|output| output.text().to_owned()), view.retries)
        })
        .await?;
    assert_eq!(report.outcome, (Status::Failed, Some("\"true\"".to_owned()), 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancel_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let child = Workflow::function("child", |cx: Cx, ()| async move { anyhow::Ok(cx.sleep(days(9)).await?) });
    let w = {
        let child = child.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let child = child.clone();
            async move { anyhow::Ok(cx.child(&child, ()).await?) }
        })
    };
    let report = Kit::builder()
        .workflow(w.clone())
        .workflow(child)
        .crash_everywhere(async |kit| {
            let run = kit.run(&w, &()).await.expect("it starts");
            kit.advance(secs(10)).await;
            run.cancel(runlog::CancelOptions::default()).await.expect("it is accepted");
            let status = run.wait().await.expect("it ends");
            kit.advance(secs(10)).await;
            let children = run.get().await.expect("it is there").children;
            (status, children.iter().map(|child| child.2).collect::<Vec<_>>())
        })
        .await?;
    assert_eq!(report.outcome, (Status::Cancelled, vec![Status::Cancelled]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_crash_test_tells_of_code_whose_outcome_depends_on_a_crash() {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let live = cx.random() ^ 1;
        static LIVES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let lives = LIVES.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        cx.step("a", || async { Ok::<_, Infallible>(live) }).await?;
        anyhow::Ok(lives)
    });
    let failed = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            kit.run(&w, &()).await.expect("it starts").output().await.expect("it ends")
        })
        .await
        .expect_err("it counts its lives");
    assert!(
        failed.to_string().starts_with("a crash before commit 1: the outcome is 1, without a crash it is 0"),
        "{failed}"
    );
}
