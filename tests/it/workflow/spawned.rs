//! Contexts in spawned futures: their checkpoints work, or are refused loudly.

use runlog::testing::Kit;
use runlog::{Cx, CxError, Workflow};

use super::{Counter, Infallible, days, secs};

#[tokio::test(start_paused = true)]
async fn a_cx_clone_works_in_a_spawned_future() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let inner = cx.clone();
        let spawned = tokio::spawn(async move {
            let one = inner.step("one", || async { Ok::<_, Infallible>(1_u32) }).await?;
            inner.sleep(secs(60)).await?;
            let signal = inner.signal::<u32>("n").await?.unwrap_or_default();
            let two = inner.step("two", || async { Ok::<_, Infallible>(2_u32) }).await?;
            Ok::<_, CxError>(one + two + signal)
        });
        anyhow::Ok(spawned.await??)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(30)).await;
    assert_eq!(
        run.log().await?,
        "run_created\nrun_started\nattempt_started\nstep_completed one#0\ntimer_started sleep#0\n"
    );
    kit.crash();
    kit.recover().await?;
    kit.advance(secs(60)).await;
    run.signal("n", &10).await?;
    assert_eq!(run.output().await?, 13);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_an_attempt_that_is_over_is_refused() -> anyhow::Result<()> {
    let (ran, refused) = (Counter::default(), Counter::default());
    let w = {
        let (ran, refused) = (ran.clone(), refused.clone());
        Workflow::function("f", move |cx: Cx, ()| {
            let (ran, refused, late) = (ran.clone(), refused.clone(), cx.clone());
            async move {
                tokio::spawn(async move {
                    tokio::time::sleep(secs(5)).await;
                    let step = late.step("late", || async { Ok::<_, Infallible>(ran.hit()) }).await;
                    let sleep = late.sleep(secs(1)).await;
                    if step.is_err() && sleep.is_err() {
                        refused.hit();
                    }
                });
                anyhow::Ok(())
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    kit.run(&w, &()).await?.output().await?;
    kit.advance(days(1)).await;
    assert_eq!((ran.get(), refused.get()), (0, 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_not_durable_keeps_its_run_in_memory() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let (durable, plain) = cx.join(cx.sleep(days(1)), tokio::time::sleep(secs(3_600))).await;
        durable?;
        anyhow::Ok(plain)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(1_800)).await;
    assert_eq!(kit.current()?.live_runs(), 1);
    kit.advance(secs(3_600)).await;
    assert_eq!(kit.current()?.live_runs(), 0);
    run.output().await?;
    Ok(())
}
