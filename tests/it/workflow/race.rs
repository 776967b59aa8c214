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
