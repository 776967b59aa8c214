//! Signals: waited for, buffered, timed out, and never lost.

use runlog::model::Waiting;
use runlog::testing::Kit;
use runlog::{Cx, Either, Error, Retry, Status, Workflow};

use super::{Numbered, days, secs};

fn waits() -> Workflow<(), Option<String>> {
    Workflow::function("waits", |cx: Cx, ()| async move {
        anyhow::Ok(cx.signal::<String>("go").timeout(days(7)).await?)
    })
}

#[tokio::test(start_paused = true)]
async fn a_signal_wakes_a_parked_run() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    let run = kit.run(&waits(), &()).await?;
    kit.advance(days(3)).await;
    assert_eq!(kit.current()?.live_runs(), 0);
    let view = run.get().await?;
    let deadline = view.created_at + days(7);
    assert!(matches!(&view.waiting[..], [Waiting::Signal { deadline: Some(at), .. }] if *at == deadline));
    run.signal("go", &"now").await?;
    assert_eq!(run.output().await?.as_deref(), Some("now"));
    assert_eq!(kit.now().signed_duration_since(view.created_at).num_days(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_signal_times_out_with_none() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    let run = kit.run(&waits(), &()).await?;
    assert_eq!(run.output().await?, None);
    let view = run.get().await?;
    assert_eq!(view.finished_at, Some(view.created_at + days(7)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn signals_that_came_before_the_wait_are_taken_in_their_order() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        cx.sleep(days(1)).await?;
        let mut got = Vec::new();
        for name in ["a", "b", "a"] {
            got.extend(cx.signal::<u32>(name).timeout(secs(60)).await?);
        }
        anyhow::Ok(got)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.signal("a", &1).await?;
    run.signal("a", &2).await?;
    run.signal("other", &9).await?;
    kit.crash();
    kit.recover().await?;
    run.signal("b", &3).await?;
    assert_eq!(run.output().await?, [1, 3, 2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_of_another_type_is_the_codes_error() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    let run = kit.run(&waits(), &()).await?;
    run.signal("go", &17).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_to_a_run_that_ended_is_refused() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    let run = kit.run(&waits(), &()).await?;
    run.signal("go", &"now").await?;
    run.wait().await?;
    let late = run.signal("go", &"late").await;
    assert!(matches!(late, Err(Error::Finished { status: Status::Succeeded, .. })), "{late:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_survives_the_failure_of_the_attempt_that_took_it() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let got = cx.signal::<u32>("n").await?.unwrap_or_default();
        if cx.attempt() == 1 { Err(Numbered(1).into()) } else { anyhow::Ok(got) }
    })
    .retry(Retry::fixed(secs(1)));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.signal("n", &5).await?;
    assert_eq!(run.output().await?, 5);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_for_a_dropped_wait_goes_to_the_next_one() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let early = cx.race(cx.sleep(secs(5)), cx.signal::<u32>("n")).await;
        assert!(matches!(early, Either::First(_)));
        anyhow::Ok(cx.signal::<u32>("n").timeout(days(1)).await?)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(6)).await;
    run.signal("n", &5).await?;
    assert_eq!(run.output().await?, Some(5));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_is_not_swallowed_by_the_wait_of_a_task_that_ended() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let gone = w
        .task("gone", |cx: Cx, ()| async move {
            cx.signal::<u32>("n").await?;
            anyhow::Ok(1)
        })
        .timeout(secs(5));
    w.on_failure("handle", |cx: Cx, (), _| async move {
        anyhow::Ok(cx.signal::<u32>("n").timeout(days(1)).await?)
    });
    let w = w.output(&gone);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(60)).await;
    run.signal("n", &5).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    let output = view.task("handle").and_then(|task| task.output.clone()).expect("an output");
    assert_eq!(output.text(), "5");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_reaches_a_wait_as_it_is_dropped_goes_to_the_next_one() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        // Both are there at once, and the first one wins.
        let first = cx.race(cx.signal::<u32>("a"), cx.signal::<u32>("b")).await;
        assert!(matches!(first, Either::First(_)));
        anyhow::Ok(cx.signal::<u32>("b").timeout(days(1)).await?)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(60)).await;
    let runtime = kit.current()?;
    runtime.signal(run.id(), "a", &1).await?;
    runtime.signal(run.id(), "b", &2).await?;
    assert_eq!(run.output().await?, Some(2));
    Ok(())
}
