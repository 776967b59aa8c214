//! At-most-once steps: begun and unfinished is never run again.

use runlog::testing::Kit;
use runlog::{Cx, CxError, Retry, Workflow};

use super::{Counter, Numbered, secs};

/// A function that pays at most once, slowly; its step fails if told to. Retried at most 3 times on `Failed`.
fn pays(paid: &Counter, fails: bool) -> Workflow<(), String> {
    let paid = paid.clone();
    Workflow::function("pays", move |cx: Cx, ()| {
        let paid = paid.clone();
        async move {
            let pay = cx.step("pay", || async {
                let times = paid.hit();
                tokio::time::sleep(secs(10)).await;
                if fails { Err(Numbered(times)) } else { Ok(times) }
            });
            match pay.at_most_once().await {
                Ok(times) => anyhow::Ok(format!("paid {times}")),
                Err(CxError::Interrupted { .. }) if cx.attempt() == 3 => Ok("interrupted".to_owned()),
                Err(error) if cx.attempt() == 3 => Ok(error.to_string()),
                Err(error) => Err(error.into()),
            }
        }
    })
    .retry(Retry::fixed(secs(1)).max_attempts(3))
}

#[tokio::test(start_paused = true)]
async fn its_beginning_is_committed_before_its_body_runs() -> anyhow::Result<()> {
    let paid = Counter::default();
    let w = pays(&paid, false);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, "paid 1");
    assert_eq!(
        run.timeline().await?,
        "0.000 run_created\n0.000 run_started\n0.000 attempt_started\n0.000 step_started pay#0\n\
         10.000 step_completed pay#0\n10.000 attempt_succeeded\n10.000 run_succeeded\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_its_body_interrupts_it_for_every_later_attempt() -> anyhow::Result<()> {
    let paid = Counter::default();
    let w = pays(&paid, false);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(5)).await;
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.output().await?, "interrupted");
    assert_eq!(paid.get(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn its_failure_is_final_for_every_later_attempt() -> anyhow::Result<()> {
    let paid = Counter::default();
    let w = pays(&paid, true);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, "step `pay` failed: Numbered: number 1");
    assert_eq!(paid.get(), 1);
    Ok(())
}
