//! Replays under a crash before and after every commit.

use runlog::testing::Kit;
use runlog::{Cx, ReplayOptions, Status, Workflow};

use super::Outside;
use crate::workflow::{Infallible, secs};

#[tokio::test(start_paused = true)]
async fn a_replayed_function_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let outside = Outside::default();
    let w = {
        let outside = outside.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let outside = outside.clone();
            async move {
                let mut sum = cx.step("one", || async { Ok::<_, Infallible>(1) }).await?;
                cx.sleep(secs(10)).await?;
                let raced = cx.race(cx.sleep(secs(1)), cx.signal::<u32>("never")).await;
                sum += u32::from(matches!(raced, runlog::Either::First(_)));
                sum += cx.step("ask", || std::future::ready(outside.ask())).await?;
                cx.sleep(secs(5)).await?;
                sum += cx.step("last", || async { Ok::<_, Infallible>(1) }).await?;
                anyhow::Ok(sum)
            }
        })
    };
    let report = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            outside.break_again();
            let run = kit.run(&w, &()).await.expect("it starts");
            assert_eq!(run.wait().await.expect("an end"), Status::Failed);
            outside.repair();
            let (replay, plan) = run.replay(ReplayOptions::default()).await.expect("a replay");
            (replay.output().await.expect("it succeeds"), super::ops(&plan))
        })
        .await?;
    let taken = ["one#0", "sleep#0", "sleep#1", "never#0", "race#0"].map(str::to_owned);
    assert_eq!(report.outcome, (10, taken.to_vec()));
    assert!(report.crashes > 10, "{report:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replayed_dag_survives_a_crash_at_every_commit() -> anyhow::Result<()> {
    let outside = Outside::default();
    let w =
        {
            let outside = outside.clone();
            let w = Workflow::dag("d");
            let a = w.task("a", |_, ()| async { Ok::<_, Infallible>(1) });
            let b = w.task_after("b", &a, move |cx: Cx, (), a: u32| {
                let outside = outside.clone();
                async move {
                    let first = cx.step("first", || async { Ok::<_, Infallible>(a) }).await?;
                    anyhow::Ok(first + outside.ask()?)
                }
            });
            let end = w.task_after("end", (&a, &b), |_, (), (a, b): (u32, u32)| async move {
                Ok::<_, Infallible>(a + b)
            });
            w.output(&end)
        };
    let report = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            outside.break_again();
            let run = kit.run(&w, &()).await.expect("it starts");
            assert_eq!(run.wait().await.expect("an end"), Status::Failed);
            outside.repair();
            let (replay, _) = run.replay(ReplayOptions::default()).await.expect("a replay");
            replay.output().await.expect("it succeeds")
        })
        .await?;
    assert_eq!(report.outcome, 9);
    Ok(())
}
