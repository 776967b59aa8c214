//! A durable function goes on where it failed.

use runlog::testing::Kit;
use runlog::{CancelOptions, Cx, CxError, Either, ReplayOptions, Retry, Status, Workflow};

use super::{Outside, ops};
use crate::workflow::{Counter, Infallible, Numbered, days, secs};

/// Three steps, of which the last fails until the world outside is repaired; counts the executions of each.
fn checkout(outside: &Outside, counters: &[Counter; 3]) -> Workflow<String, String> {
    let (outside, counters) = (outside.clone(), counters.clone());
    Workflow::function("checkout", move |cx: Cx, order: String| {
        let (outside, [reserve, charge, ship]) = (outside.clone(), counters.clone());
        async move {
            let stock = cx.step("reserve", || async { Ok::<_, Infallible>(reserve.hit()) }).await?;
            let paid = cx.step("charge", || async { Ok::<_, Infallible>(charge.hit()) }).await?;
            let ask = || {
                ship.hit();
                std::future::ready(outside.ask())
            };
            let parcel = cx.step("ship", ask).await?;
            anyhow::Ok(format!("{order}: {stock} {paid} {parcel}"))
        }
    })
}

fn counts(counters: &[Counter; 3]) -> [u32; 3] {
    counters.each_ref().map(Counter::get)
}

#[tokio::test(start_paused = true)]
async fn a_replay_from_what_failed_executes_no_completed_step_again() -> anyhow::Result<()> {
    let (outside, counters) = (Outside::default(), Default::default());
    let w = checkout(&outside, &counters);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &"lamp".to_owned()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    assert_eq!(counts(&counters), [1, 1, 1]);

    outside.repair();
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(replay.output().await?, "lamp: 1 1 7");
    assert_eq!(counts(&counters), [1, 1, 2], "what was completed did not run again");
    assert_eq!(ops(&plan), ["reserve#0", "charge#0"]);
    assert_eq!(
        replay.log().await?,
        "run_created\ntask_resumed\nop_reused reserve#0\nop_reused charge#0\nrun_started\nattempt_started\n\
         step_completed ship#0\nattempt_succeeded\nrun_succeeded\n"
    );
    let view = replay.get().await?;
    let steps = view.tasks[0].steps.iter().map(|step| (&*step.op.name, step.reused));
    assert_eq!(steps.collect::<Vec<_>>(), [("charge", true), ("reserve", true), ("ship", false)]);
    assert_eq!(run.get().await?.status, Status::Failed, "a run that ended stays as it is");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replay_from_the_start_executes_everything_again() -> anyhow::Result<()> {
    let (outside, counters) = (Outside::default(), Default::default());
    let w = checkout(&outside, &counters);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &"lamp".to_owned()).await?;
    run.wait().await?;
    outside.repair();
    let (replay, plan) = run.replay(ReplayOptions::default().from_start()).await?;
    assert_eq!(replay.output().await?, "lamp: 2 2 7");
    assert_eq!(counts(&counters), [2, 2, 2]);
    assert_eq!(super::reasons(&plan), ["checkout: it was asked to run again"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_edited_input_reuses_nothing_and_the_same_input_everything() -> anyhow::Result<()> {
    let (outside, counters) = (Outside::default(), Default::default());
    let w = checkout(&outside, &counters);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &"lamp".to_owned()).await?;
    run.wait().await?;
    outside.repair();

    let (edited, plan) = run.replay(ReplayOptions::default().input(&"desk")).await?;
    assert_eq!(edited.output().await?, "desk: 2 2 7");
    assert_eq!(counts(&counters), [2, 2, 2]);
    assert!(plan.input_edited);
    assert_eq!(super::reasons(&plan), ["checkout: the input was edited"]);

    let (same, plan) = run.replay(ReplayOptions::default().input_json("\"lamp\"")).await?;
    assert_eq!(same.output().await?, "lamp: 1 1 7");
    assert_eq!(counts(&counters), [2, 2, 3]);
    assert!(!plan.input_edited && plan.not_reused.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_a_replay_takes_over_what_both_did() -> anyhow::Result<()> {
    let (first, second) = (Outside::default(), Outside::default());
    let counter = Counter::default();
    let w = {
        let (first, second, counter) = (first.clone(), second.clone(), counter.clone());
        Workflow::function("f", move |cx: Cx, ()| {
            let (first, second, counter) = (first.clone(), second.clone(), counter.clone());
            async move {
                let done = cx.step("count", || async { Ok::<_, Infallible>(counter.hit()) }).await?;
                cx.step("first", || std::future::ready(first.ask().map(|_| counter.hit()))).await?;
                cx.step("second", || std::future::ready(second.ask())).await?;
                Ok::<_, CxError>(done)
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let original = kit.run(&w, &()).await?;
    original.wait().await?;
    first.repair();
    let (replay, _) = original.replay(ReplayOptions::default()).await?;
    assert_eq!(replay.wait().await?, Status::Failed);
    second.repair();
    let (last, plan) = replay.replay(ReplayOptions::default()).await?;
    assert_eq!(last.output().await?, 1);
    assert_eq!(ops(&plan), ["count#0", "first#0"]);
    assert_eq!(counter.get(), 2, "each ran once in all three runs");
    assert_eq!(last.get().await?.replay_of, Some(replay.id()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn signals_sleeps_races_and_readings_of_the_clock_are_taken_over() -> anyhow::Result<()> {
    let outside = Outside::default();
    let w = {
        let outside = outside.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let outside = outside.clone();
            async move {
                let began = cx.now();
                let approved = cx.signal::<Option<u32>>("approved").await? == Some(None);
                cx.sleep(days(3)).await?;
                let missed = cx.signal::<u32>("missed").timeout(days(1)).await?;
                let won = cx.race(cx.sleep(days(9)), cx.sleep(secs(1))).await;
                outside.ask()?;
                let first = matches!(won, Either::First(_));
                anyhow::Ok((began, approved, missed, first))
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(60)).await;
    run.signal("approved", &None::<u32>).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let began = run.get().await?.created_at;

    outside.repair();
    let before = kit.now();
    let (replay, _) = run.replay(ReplayOptions::default()).await?;
    let (read, approved, missed, first) = replay.output().await?;
    assert_eq!((approved, missed, first), (true, None, false), "`null` is a signal's payload, too");
    assert!(read - began < chrono::TimeDelta::seconds(1), "the clock was read in the original");
    assert!(kit.now() - before < chrono::TimeDelta::seconds(1), "nothing was waited for again");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_did_not_come_is_waited_for_again_if_that_was_the_end() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let approved = cx.signal::<u32>("approved").timeout(days(1)).await?;
        approved.ok_or(Numbered(1)).map_err(anyhow::Error::from)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(ops(&plan), [""; 0]);
    replay.signal("approved", &5).await?;
    assert_eq!(replay.output().await?, 5);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_step_that_runs_at_most_once_does_not_run_in_a_replay() -> anyhow::Result<()> {
    let counter = Counter::default();
    let w = {
        let counter = counter.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let counter = counter.clone();
            async move {
                let wire = || std::future::ready(Err::<(), _>(Numbered(counter.hit())));
                cx.step("wire", wire).at_most_once().await
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.wait().await?;
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(replay.wait().await?, Status::Failed);
    assert_eq!((ops(&plan), counter.get()), (vec!["wire#0".to_owned()], 1));

    let (anew, _) = replay.replay(ReplayOptions::default().from_start()).await?;
    anew.wait().await?;
    assert_eq!(counter.get(), 2, "unless everything is to run again");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_keeps_its_random_numbers_and_idempotency_keys() -> anyhow::Result<()> {
    let outside = Outside::default();
    let w = {
        let outside = outside.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let outside = outside.clone();
            async move {
                let drawn = cx.random();
                let noted = cx.step("note", || async { Ok::<_, Infallible>(drawn) }).input(&drawn).await?;
                outside.ask()?;
                anyhow::Ok((noted, drawn, cx.idempotency_key()))
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.wait().await?;
    outside.repair();
    let (replay, _) = run.replay(ReplayOptions::default()).await?;
    let (noted, drawn, key) = replay.output().await?;
    assert_eq!((noted, key), (drawn, format!("{}:f", run.id())));

    let (anew, _) = run.replay(ReplayOptions::default().from_start()).await?;
    let (_, other, key) = anew.output().await?;
    assert_ne!(other, drawn);
    assert_eq!(key, format!("{}:f", anew.id()), "what begins anew is another piece of work");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_timed_out_goes_on_with_all_of_its_time() -> anyhow::Result<()> {
    let (slow, counter) = (Outside::default(), Counter::default());
    let w = {
        let (slow, counter) = (slow.clone(), counter.clone());
        Workflow::function("f", move |cx: Cx, ()| {
            let (slow, counter) = (slow.clone(), counter.clone());
            async move {
                cx.step("quick", || async { Ok::<_, Infallible>(counter.hit()) }).await?;
                if slow.ask().is_err() {
                    tokio::time::sleep(days(1)).await;
                }
                tokio::time::sleep(secs(50)).await;
                Ok::<_, CxError>(())
            }
        })
        .timeout(secs(60))
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::TimedOut);
    slow.repair();
    let (replay, _) = run.replay(ReplayOptions::default()).await?;
    replay.output().await?;
    assert_eq!(counter.get(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_retried_attempt_did_is_taken_over_whatever_way_the_code_goes() -> anyhow::Result<()> {
    let outside = Outside::default();
    let w = {
        let outside = outside.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let outside = outside.clone();
            async move {
                let name = if cx.attempt() == 1 { "by ship" } else { "by plane" };
                let sent = cx.step(name, || async { Ok::<_, Infallible>(name.to_owned()) }).await?;
                outside.ask()?;
                anyhow::Ok(sent)
            }
        })
        .retry(Retry::fixed(secs(1)).max_attempts(2))
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.wait().await?;
    outside.repair();
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(ops(&plan), ["by ship#0", "by plane#0"]);
    assert_eq!(replay.output().await?, "by ship", "the second attempt's step is not missed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_code_decided_because_it_was_cancelled_is_not_taken_over() -> anyhow::Result<()> {
    let steps = Counter::default();
    let counted = steps.clone();
    let w = Workflow::function("waits", move |cx: Cx, (): ()| {
        let steps = counted.clone();
        async move {
            cx.step("before", || async { Ok::<_, Infallible>(steps.hit()) }).await?;
            let won = cx.race(cx.signal::<u32>("go"), cx.sleep(days(1))).await;
            let _seen = cx.now();
            Ok::<_, CxError>(match won {
                Either::First(signal) => format!("signal {:?}", signal?),
                Either::Second(slept) => {
                    slept?;
                    "slept".to_owned()
                }
            })
        }
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(10)).await;
    run.cancel(CancelOptions::default()).await?;
    assert_eq!(run.wait().await?, Status::Cancelled);
    assert!(run.log().await?.contains("race_won"), "the cancellation answered the wait for the signal");

    let (replay, plan) = run.replay(ReplayOptions::default().force()).await?;
    assert_eq!(ops(&plan), ["before#0"]);
    assert_eq!(replay.output().await?, "slept", "nobody sends the signal: the sleep ends the race");
    assert_eq!(steps.get(), 1);
    Ok(())
}
