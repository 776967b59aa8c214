//! Races: the winner is recorded and wins again.

use runlog::testing::Kit;
use runlog::{Cx, Either, Workflow};

use super::{Counter, Infallible, days, secs};

fn race(counter: &Counter) -> Workflow<(), String> {
    let counter = counter.clone();
    Workflow::function("race", move |cx: Cx, ()| {
        let counter = counter.clone();
        async move {
            let slow = cx.step("slow", || async {
                tokio::time::sleep(secs(50)).await;
                Ok::<_, Infallible>("slow".to_owned())
            });
            let quick = cx.step("quick", || async {
                tokio::time::sleep(secs(2)).await;
                counter.hit();
                Ok::<_, Infallible>("quick".to_owned())
            });
            let first = match cx.race(slow, quick).await {
                Either::First(name) | Either::Second(name) => name?,
            };
            cx.sleep(days(1)).await?;
            anyhow::Ok(first)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn the_recorded_winner_wins_again_after_a_crash() -> anyhow::Result<()> {
    let counter = Counter::default();
    let w = race(&counter);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(10)).await;
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.output().await?, "quick");
    assert_eq!(counter.get(), 1);
    assert_eq!(
        run.timeline().await?,
        "0.000 run_created\n0.000 run_started\n0.000 attempt_started\n2.000 step_completed quick#0\n\
         2.000 race_won race#0 1\n2.000 timer_started sleep#0\n86402.000 run_claimed\n\
         86402.000 timer_fired sleep#0\n86402.000 attempt_succeeded\n86402.000 run_succeeded\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_losers_timer_is_abandoned_and_wakes_nobody() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let first = cx.race(cx.signal::<u32>("n"), cx.sleep(secs(60))).await;
        let first = matches!(first, Either::First(_));
        cx.signal::<u32>("end").await?;
        anyhow::Ok(first)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.signal("n", &1).await?;
    kit.advance(days(1)).await;
    run.signal("end", &1).await?;
    assert!(run.output().await?);
    let log = run.log().await?;
    assert!(log.contains("race_won race#0 0\nwait_abandoned sleep#0\n"), "{log}");
    assert!(!log.contains("timer_fired"), "{log}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_race_of_many_gives_the_winners_place() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let (place, won) = cx.race_all([30, 10, 20].map(|wait| cx.sleep(secs(wait)))).await;
        won?;
        cx.sleep(secs(100)).await?;
        anyhow::Ok(place)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(20)).await;
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.output().await?, 1);
    Ok(())
}

/// A race whose loser builds steps of its own, and then a step of the same name.
fn with_a_busy_loser(charges: &Counter) -> Workflow<(), u32> {
    let charges = charges.clone();
    Workflow::function("f", move |cx: Cx, ()| {
        let charges = charges.clone();
        async move {
            let charge = |wait: u64| {
                let (cx, charges) = (cx.clone(), charges.clone());
                async move {
                    let step = cx.step("charge", || async {
                        tokio::time::sleep(secs(wait)).await;
                        Ok::<_, Infallible>(charges.hit())
                    });
                    step.await
                }
            };
            let loser = async {
                charge(0).await?;
                charge(3_600).await
            };
            let _won = cx.race(loser, cx.sleep(secs(60))).await;
            let charged = charge(1).await?;
            cx.sleep(days(1)).await?;
            anyhow::Ok(charged)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_a_loser_had_built_keeps_its_place_after_a_crash() -> anyhow::Result<()> {
    let charges = Counter::default();
    let w = with_a_busy_loser(&charges);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(3_000)).await;
    assert_eq!(charges.get(), 2);
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.output().await?, 2, "the third charge is answered as it was recorded");
    assert_eq!(charges.get(), 2, "and not made again");
    let log = run.log().await?;
    assert!(log.contains("race_won race#0 1\nstep_completed charge#2\n"), "{log}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_gone_after_a_race_blocks_the_run() -> anyhow::Result<()> {
    let charges = Counter::default();
    let w = with_a_busy_loser(&charges);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(3_000)).await;
    let without: Workflow<(), u32> = Workflow::function("f", |cx: Cx, ()| async move {
        let loser = async {
            cx.step("charge", || async { Ok::<_, Infallible>(0) }).await?;
            cx.step("charge", || async { Ok::<_, Infallible>(0) }).await
        };
        let _won = cx.race(loser, cx.sleep(secs(60))).await;
        cx.sleep(days(1)).await?;
        anyhow::Ok(0)
    });
    kit.deploy(Kit::builder().workflow(without)).await?;
    kit.advance(days(2)).await;
    let waits: Vec<_> = run.get().await?.waiting.iter().map(ToString::to_string).collect();
    assert!(waits.iter().any(|wait| wait.contains("`charge` #3")), "{waits:?}");
    kit.deploy(Kit::builder().workflow(w)).await?;
    assert_eq!(run.output().await?, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_loser_had_spawned_is_not_missed_after_a_crash() -> anyhow::Result<()> {
    let w: Workflow<(), u32> = Workflow::function("f", |cx: Cx, ()| async move {
        let loser = async {
            let spawned = cx.clone();
            let step =
                tokio::spawn(
                    async move { spawned.step("spawned", || async { Ok::<_, Infallible>(1) }).await },
                );
            let _done = step.await;
            cx.sleep(days(1)).await
        };
        let _won = cx.race(loser, cx.sleep(secs(60))).await;
        cx.sleep(days(2)).await?;
        anyhow::Ok(cx.step("after", || async { Ok::<_, Infallible>(2) }).await?)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(3_000)).await;
    kit.crash();
    kit.recover().await?;
    kit.advance(days(3)).await;
    assert_eq!(run.get().await?.waiting, []);
    assert_eq!(run.output().await?, 2);
    Ok(())
}
