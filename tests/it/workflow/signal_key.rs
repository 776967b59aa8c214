//! Signals by key: to all runs that wait, kept while none does.

use runlog::model::Recorded;
use runlog::store::Store;
use runlog::testing::Kit;
use runlog::{Cx, Either, ReplayOptions, Signalled, Workflow};

use super::days;

fn waits() -> Workflow<String, Option<String>> {
    Workflow::function("waits", |cx: Cx, key: String| async move {
        anyhow::Ok(cx.signal::<String>("approved").key(key).timeout(days(7)).await?)
    })
}

const TOLD_ONE: Signalled = Signalled { runs: 1, kept: false };
const KEPT: Signalled = Signalled { runs: 0, kept: true };

#[tokio::test(start_paused = true)]
async fn a_signal_reaches_every_run_that_waits_for_its_key_parked_or_not() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    let parked = kit.run(&waits(), &"order-7".to_owned()).await?;
    kit.advance(days(2)).await;
    assert_eq!(kit.current()?.live_runs(), 0);
    let fresh = kit.run(&waits(), &"order-7".to_owned()).await?;
    let other = kit.run(&waits(), &"order-8".to_owned()).await?;
    kit.settle().await;
    let told = kit.current()?.signal_key("approved", "order-7", &"yes").await?;
    assert_eq!(told, Signalled { runs: 2, kept: false });
    assert_eq!(parked.output().await?.as_deref(), Some("yes"));
    assert_eq!(fresh.output().await?.as_deref(), Some("yes"));
    let waits = other.get().await?.waiting[0].to_string();
    assert!(waits.starts_with("signal `approved` of key `order-8` until "), "{waits}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_early_signal_is_kept_for_one_run_and_survives_a_crash() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    assert_eq!(kit.current()?.signal_key("approved", "order-7", &"early").await?, KEPT);
    kit.crash();
    kit.recover().await?;
    let first = kit.run(&waits(), &"order-7".to_owned()).await?;
    kit.settle().await;
    let second = kit.run(&waits(), &"order-7".to_owned()).await?;
    assert_eq!(first.output().await?.as_deref(), Some("early"));
    assert_eq!(second.output().await?, None, "it was the first one's");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_timed_out_leaves_the_signal_to_others() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    let late = kit.run(&waits(), &"order-7".to_owned()).await?;
    assert_eq!(late.output().await?, None);
    assert_eq!(kit.current()?.signal_key("approved", "order-7", &"yes").await?, KEPT);
    assert_eq!(kit.run(&waits(), &"order-7".to_owned()).await?.output().await?.as_deref(), Some("yes"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_signals_of_a_key_one_by_one_in_their_order() -> anyhow::Result<()> {
    let w = Workflow::function("all", |cx: Cx, ()| async move {
        let mut got = Vec::new();
        for _ in 0..4 {
            got.extend(cx.signal::<u32>("n").key("k").await?);
        }
        anyhow::Ok(got)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    for n in 1..3_u32 {
        kit.current()?.signal_key("n", "k", &n).await?;
    }
    let run = kit.run(&w, &()).await?;
    kit.settle().await;
    assert_eq!(kit.current()?.signal_key("n", "k", &3).await?, TOLD_ONE);
    kit.crash();
    kit.recover().await?;
    kit.settle().await;
    assert_eq!(kit.current()?.signal_key("n", "k", &4).await?, TOLD_ONE);
    assert_eq!(run.output().await?, [1, 2, 3, 4]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_by_key_is_another_than_one_to_the_run() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(waits()).start().await?;
    let run = kit.run(&waits(), &"order-7".to_owned()).await?;
    kit.settle().await;
    run.signal("approved", &"to the run").await?;
    kit.settle().await;
    assert_eq!(run.get().await?.waiting.len(), 1, "it waits for the key");
    kit.current()?.signal_key("approved", "order-7", &"to the key").await?;
    assert_eq!(run.output().await?.as_deref(), Some("to the key"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_loser_of_a_race_waits_no_more() -> anyhow::Result<()> {
    let w = Workflow::function("race", |cx: Cx, ()| async move {
        let (go, stop) = (cx.signal::<u32>("go").key("k"), cx.signal::<u32>("stop").key("k"));
        let won = match cx.race(go, stop).await {
            Either::First(go) => go?,
            Either::Second(stop) => stop?,
        };
        cx.sleep(days(1)).await?;
        anyhow::Ok(won)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.settle().await;
    assert_eq!(kit.current()?.signal_key("stop", "k", &1).await?, TOLD_ONE);
    kit.settle().await;
    assert_eq!(kit.current()?.signal_key("go", "k", &2).await?, KEPT);
    assert_eq!(run.output().await?, Some(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replay_takes_over_what_a_wait_got() -> anyhow::Result<()> {
    let w = Workflow::function("twice", |cx: Cx, ()| async move {
        let got = cx.signal::<u32>("n").key("k").await?;
        let more = cx.signal::<u32>("more").key("k").timeout(days(1)).await?;
        anyhow::ensure!(more.is_some(), "there is no more");
        anyhow::Ok((got, more))
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.settle().await;
    kit.current()?.signal_key("n", "k", &1).await?;
    assert!(run.output().await.is_err());
    kit.current()?.signal_key("more", "k", &2).await?;
    let (replay, _) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(
        replay.output().await?,
        (Some(1), Some(2)),
        "the first is the original's, the second was kept"
    );
    Ok(())
}

/// Waits for two signals of one key: the second shows whether the first came twice.
fn waits_twice() -> Workflow<(), (Option<u32>, Option<u32>)> {
    Workflow::function("twice", |cx: Cx, ()| async move {
        let first = cx.signal("n").key("k").timeout(days(7)).await?;
        anyhow::Ok((first, cx.signal("n").key("k").timeout(days(1)).await?))
    })
}

/// Plays a run that gets one signal, under a crash before and after each commit of its node and of the sender's, which are
/// one process here.
async fn comes_once_under_every_crash(is_early: bool) -> anyhow::Result<()> {
    let w = waits_twice();
    let send = async |kit: &Kit| kit.signal_key("n", "k", &1).await.expect("it is accepted");
    let report = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            if is_early {
                send(&kit).await;
            }
            let run = kit.run(&w, &()).await.expect("it starts");
            if !is_early {
                kit.settle().await;
                send(&kit).await;
            }
            let output = run.output().await.expect("it succeeds");
            let log = kit.store().log(run.id(), 0, u32::MAX).await.expect("its log");
            let came = |recorded: &&Recorded| recorded.event.kind() == "signal_received";
            (output, log.iter().filter(came).count())
        })
        .await?;
    assert_eq!(report.outcome, ((Some(1), None), 1));
    assert_eq!(report.crashes, 2 * report.commits);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_kept_signal_comes_once_under_a_crash_at_every_commit() -> anyhow::Result<()> {
    comes_once_under_every_crash(true).await
}

#[tokio::test(start_paused = true)]
async fn an_awaited_signal_comes_once_under_a_crash_at_every_commit() -> anyhow::Result<()> {
    comes_once_under_every_crash(false).await
}

#[tokio::test(start_paused = true)]
async fn a_sender_may_crash_before_and_after_it_is_accepted_and_told() -> anyhow::Result<()> {
    let send = async |kit: Kit| kit.signal_key("n", "k", &1).await.expect("it is accepted");
    let report = Kit::builder().workflow(waits()).crash_everywhere(send).await?;
    assert_eq!((report.outcome, report.commits, report.crashes), (KEPT, 2, 4));
    Ok(())
}
