//! Task timeouts and panics.

use runlog::testing::Kit;
use runlog::{Cx, Retry, Status, TaskStatus, Workflow};

use super::{Infallible, secs};

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_timeout() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let slow = w
        .task("slow", |cx: Cx, ()| async move {
            tokio::time::sleep(secs(if cx.attempt() < 3 { 100 } else { 4 })).await;
            Ok::<_, Infallible>(cx.attempt())
        })
        .timeout(secs(5))
        .retry(Retry::fixed(secs(1)));
    let w = w.output(&slow);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, 3);
    assert_eq!(
        run.timeline().await?,
        "0.000 run_created\n0.000 run_started\n0.000 attempt_started\n5.000 attempt_failed task_timed_out\n\
         6.000 attempt_started @2\n11.000 attempt_failed @2 task_timed_out\n12.000 attempt_started @3\n\
         16.000 attempt_succeeded @3\n16.000 run_succeeded\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_last_attempt_ran_out_of_time_is_timed_out_and_fails_the_run() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let slow = w.task("slow", |_, ()| std::future::pending::<Result<u32, Infallible>>()).timeout(secs(5));
    let w = w.output(&slow);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    let error = view.error().expect("an error");
    assert_eq!((&*error.kind, &*error.message), ("task_timed_out", "attempt 1 took longer than its 5000 ms"));
    assert_eq!(view.tasks[0].status, TaskStatus::TimedOut);
    assert_eq!(view.finished_at, Some(view.created_at + secs(5)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_through_a_crash_and_a_durable_sleep() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let slow = w
        .task("slow", |cx: Cx, ()| async move {
            cx.sleep(secs(100)).await?;
            anyhow::Ok(1)
        })
        .timeout(secs(50));
    let w = w.output(&slow);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(20)).await;
    assert_eq!(kit.current()?.live_runs(), 0);
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    assert_eq!(view.finished_at, Some(view.created_at + secs(50)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn code_can_extend_its_timeout() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let slow = w
        .task("slow", |cx: Cx, ()| async move {
            for _ in 0..3 {
                tokio::time::sleep(secs(4)).await;
                cx.extend_timeout(secs(5));
            }
            tokio::time::sleep(secs(6)).await;
            Ok::<_, Infallible>(1)
        })
        .timeout(secs(5));
    let w = w.output(&slow);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    assert_eq!(view.finished_at, Some(view.created_at + secs(17)), "4 + 4 + 4 + 5");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_attempt_only() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let wild = w
        .task("wild", |cx: Cx, ()| async move {
            assert!(cx.attempt() > 1, "first attempt");
            Ok::<_, Infallible>(cx.attempt())
        })
        .retry(Retry::fixed(secs(1)));
    let calm = w.task("calm", |_, ()| async {
        tokio::time::sleep(secs(3)).await;
        Ok::<_, Infallible>(1)
    });
    let end =
        w.task_after(
            "end",
            (&wild, &calm),
            |_, (), (w, c): (u32, u32)| async move { Ok::<_, Infallible>(w + c) },
        );
    let w = w.output(&end);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, 3);
    let view = run.get().await?;
    let attempts = &view.task("wild").expect("the task").attempts;
    let error = attempts[0].error.as_ref().expect("an error");
    assert_eq!((&*error.kind, &*error.message), ("panic", "first attempt"));
    assert_eq!((attempts.len(), view.task("calm").expect("the task").attempts.len()), (2, 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_closure_itself_fails_its_attempt_only() -> anyhow::Result<()> {
    let w: Workflow<u32, u32> = Workflow::function("f", |_, n: u32| {
        assert!(n > 0, "zero");
        async move { Ok::<_, Infallible>(n) }
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let (bad, good) = (kit.run(&w, &0).await?, kit.run(&w, &1).await?);
    assert_eq!(bad.wait().await?, Status::Failed);
    assert_eq!(good.output().await?, 1);
    Ok(())
}
