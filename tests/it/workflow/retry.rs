//! Retries of tasks and steps: when, how often, for which errors.

use runlog::testing::Kit;
use runlog::{Cx, Retry, Status, Verdict, Workflow};

use super::{Counter, Infallible, Numbered, secs};

/// A function that fails until its attempt number `until`.
fn until(until: u32, retry: Retry) -> Workflow<(), u32> {
    Workflow::function("flaky", move |cx: Cx, ()| async move {
        if cx.attempt() < until { Err(Numbered(cx.attempt())) } else { Ok(cx.retry_count()) }
    })
    .retry(retry)
}

#[tokio::test(start_paused = true)]
async fn delays_double_up_to_the_cap() -> anyhow::Result<()> {
    let w = until(6, Retry::exponential(secs(1)).max_attempts(6).cap(secs(5)).jitter(0.0));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, 5);
    assert_eq!(
        run.timeline().await?,
        "0.000 run_created\n0.000 run_started\n0.000 attempt_started\n0.000 attempt_failed Numbered\n\
         1.000 attempt_started @2\n1.000 attempt_failed @2 Numbered\n\
         3.000 run_claimed\n3.000 attempt_started @3\n3.000 attempt_failed @3 Numbered\n\
         7.000 run_claimed\n7.000 attempt_started @4\n7.000 attempt_failed @4 Numbered\n\
         12.000 run_claimed\n12.000 attempt_started @5\n12.000 attempt_failed @5 Numbered\n\
         17.000 run_claimed\n17.000 attempt_started @6\n17.000 attempt_succeeded @6\n17.000 run_succeeded\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn jitter_takes_away_at_most_its_share() -> anyhow::Result<()> {
    let w = until(40, Retry::exponential(secs(100)).factor(1.0).max_attempts(40).jitter(0.5));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.output().await?;
    let view = run.get().await?;
    let attempts = &view.tasks[0].attempts;
    let waits: Vec<_> = attempts.windows(2).map(|two| two[1].started_at - two[0].started_at).collect();
    let (least, most) = (waits.iter().min().expect("39"), waits.iter().max().expect("39"));
    assert!(*least >= chrono_seconds(50) && *most <= chrono_seconds(101), "{least} {most}");
    assert!(*most - *least > chrono_seconds(30), "39 draws spread: {least} {most}");
    Ok(())
}

fn chrono_seconds(seconds: i64) -> chrono::TimeDelta {
    chrono::TimeDelta::seconds(seconds)
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_fails_the_run() -> anyhow::Result<()> {
    let w = until(9, Retry::fixed(secs(2)).max_attempts(3));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    assert_eq!((view.retries, view.tasks[0].attempts.len()), (2, 3));
    assert_eq!(view.error().expect("an error").message, "number 3");
    assert_eq!(view.finished_at, Some(view.created_at + secs(4)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_predicate_decides_by_the_error() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let picky = w
        .task("picky", |cx: Cx, stop: u32| async move {
            if cx.attempt() == stop { Err(Numbered(99)) } else { Err::<u32, _>(Numbered(cx.attempt())) }
        })
        .retry(Retry::fixed(secs(10)).max_attempts(4))
        .retry_if(|error: &Numbered| match error.0 {
            99 => Verdict::Stop,
            2 => Verdict::After(secs(3_600)),
            _ => Verdict::Retry,
        });
    let w = w.output(&picky);
    let kit = Kit::builder().workflow(w.clone()).start().await?;

    let stopped = kit.run(&w, &3).await?;
    assert_eq!(stopped.wait().await?, Status::Failed);
    let view = stopped.get().await?;
    let starts: Vec<_> =
        view.tasks[0].attempts.iter().map(|one| (one.started_at - view.created_at).num_seconds()).collect();
    assert_eq!(starts, [0, 10, 3_610]);
    assert_eq!(view.error().expect("an error").message, "number 99");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn attempts_and_their_times_survive_a_crash() -> anyhow::Result<()> {
    let w = until(4, Retry::fixed(secs(60)).max_attempts(4));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(90)).await;
    kit.crash();
    kit.advance(secs(10)).await;
    kit.recover().await?;
    assert_eq!(run.output().await?, 3);
    let view = run.get().await?;
    let starts: Vec<_> =
        view.tasks[0].attempts.iter().map(|one| (one.started_at - view.created_at).num_seconds()).collect();
    assert_eq!(starts, [0, 60, 120, 180]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn recorded_steps_are_not_done_again_in_the_next_attempt() -> anyhow::Result<()> {
    let (done, tried) = (Counter::default(), Counter::default());
    let w = {
        let (done, tried) = (done.clone(), tried.clone());
        Workflow::function("f", move |cx: Cx, ()| {
            let (done, tried) = (done.clone(), tried.clone());
            async move {
                let first = cx.step("once", || async { Ok::<_, Infallible>(done.hit()) }).await?;
                let second = cx.step("flaky", || async { fail_until(3, tried.hit()) }).await?;
                anyhow::Ok((first, second))
            }
        })
        .retry(Retry::fixed(secs(1)))
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, (1, 3));
    assert_eq!((done.get(), tried.get()), (1, 3));
    Ok(())
}

fn panics() -> Result<u32, Numbered> {
    panic!("oh no")
}

fn fail_until(until: u32, count: u32) -> Result<u32, Numbered> {
    if count < until { Err(Numbered(count)) } else { Ok(count) }
}

#[tokio::test(start_paused = true)]
async fn a_step_is_tried_again_as_its_policy_and_predicate_say() -> anyhow::Result<()> {
    let tries = Counter::default();
    let w = {
        let tries = tries.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let tries = tries.clone();
            async move {
                let step = cx
                    .step("pay", || async { fail_until(4, tries.hit()) })
                    .retry(Retry::exponential(secs(1)).jitter(0.0))
                    .retry_if(|error: &Numbered| match error.0 {
                        2 => Verdict::After(secs(7_200)),
                        _ => Verdict::Retry,
                    });
                anyhow::Ok(step.await?)
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(60)).await;
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.output().await?, 4);
    assert_eq!(
        run.timeline().await?,
        "0.000 run_created\n0.000 run_started\n0.000 attempt_started\n0.000 step_failed pay#0 Numbered\n\
         1.000 step_failed pay#0 Numbered\n7201.000 run_claimed\n7201.000 step_failed pay#0 Numbered\n\
         7205.000 run_claimed\n7205.000 step_completed pay#0\n7205.000 attempt_succeeded\n7205.000 run_succeeded\n"
    );
    let view = run.get().await?;
    assert_eq!(view.tasks[0].steps[0].tries, 4);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_step_without_a_policy_fails_at_once_and_its_error_is_the_codes_to_handle() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let failed = cx.step("pay", || async { Err::<u32, _>(Numbered(5)) }).await;
        let panicked = cx.step("oops", || async { panics() }).await;
        anyhow::Ok(format!("{} / {}", failed.unwrap_err(), panicked.unwrap_err()))
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, "step `pay` failed: Numbered: number 5 / step `oops` panicked: oh no");
    Ok(())
}
