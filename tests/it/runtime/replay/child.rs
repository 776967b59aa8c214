//! Child runs: what they gave is served from the log.

use runlog::testing::Kit;
use runlog::{Cx, CxError, ReplayOptions, Status, Workflow};

use super::{Outside, ops};
use crate::workflow::Counter;

/// Fails until the world outside is repaired; counts its executions.
fn child(outside: &Outside, counter: &Counter) -> Workflow<u32, u32> {
    let (outside, counter) = (outside.clone(), counter.clone());
    Workflow::function("child", move |_: Cx, n: u32| {
        counter.hit();
        let asked = if n == 0 { outside.ask() } else { Ok(n) };
        std::future::ready(asked)
    })
}

#[tokio::test(start_paused = true)]
async fn a_childs_result_is_served_from_the_log_failure_included() -> anyhow::Result<()> {
    let (outside, never, counter) = (Outside::default(), Outside::default(), Counter::default());
    let child = child(&never, &counter);
    let w = {
        let (outside, child) = (outside.clone(), child.clone());
        Workflow::function("parent", move |cx: Cx, ()| {
            let (outside, child) = (outside.clone(), child.clone());
            async move {
                let good = cx.child(&child, 5).await?;
                let bad = cx.child(&child, 0).await.expect_err("it fails");
                let told = cx.step("tell", || std::future::ready(anyhow::Ok(bad.to_string()))).await?;
                outside.ask()?;
                anyhow::Ok((good, told))
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).workflow(child).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!((run.wait().await?, counter.get()), (Status::Failed, 2));
    let children = run.get().await?.children;

    outside.repair();
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    let (good, told) = replay.output().await?;
    assert_eq!((good, counter.get()), (5, 2), "no child ran again");
    assert!(told.contains(&children[1].0.to_string()), "{told}");
    assert_eq!(ops(&plan), ["child#0", "child#1", "tell#0"]);
    let view = replay.get().await?;
    assert!(view.children.is_empty(), "they remain the original's: {:?}", view.children);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_failure_ended_its_parent_is_replayed_too() -> anyhow::Result<()> {
    let (outside, counter) = (Outside::default(), Counter::default());
    let child = child(&outside, &counter);
    let w = {
        let child = child.clone();
        Workflow::function("parent", move |cx: Cx, ()| {
            let child = child.clone();
            async move {
                let both = cx.join(cx.child(&child, 0), cx.child(&child, 5)).await;
                Ok::<_, CxError>(both.0? + both.1?)
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).workflow(child).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!((run.wait().await?, counter.get()), (Status::Failed, 2));
    outside.repair();
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(replay.output().await?, 12);
    assert_eq!(ops(&plan), ["child#0", "child#1"]);
    assert_eq!(counter.get(), 3, "the child that succeeded did not run again");
    let (of, view) = (run.get().await?.children[0].0, replay.get().await?);
    assert_eq!(plan.children, [of]);
    let [(child, ..)] = view.children[..] else { panic!("one child of its own: {:?}", view.children) };
    let child = kit.find(child).get().await?;
    assert_eq!((child.replay_of, child.parent.map(|parent| parent.run)), (Some(of), Some(replay.id())));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_a_child_run_is_a_run_of_its_own() -> anyhow::Result<()> {
    let (outside, counter) = (Outside::default(), Counter::default());
    let child = child(&outside, &counter);
    let w = {
        let child = child.clone();
        Workflow::function("parent", move |cx: Cx, ()| {
            let child = child.clone();
            async move { cx.child(&child, 0).await }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).workflow(child).start().await?;
    let run = kit.run(&w, &()).await?;
    run.wait().await?;
    let of = run.get().await?.children[0].0;
    outside.repair();
    let (replay, _) = kit.find(of).replay(ReplayOptions::default()).await?;
    assert_eq!(replay.output().await?, 7);
    let view = replay.get().await?;
    assert_eq!((view.parent, view.replay_of), (None, Some(of)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failure_three_levels_deep_goes_on_there_and_nothing_above_it_runs_again() -> anyhow::Result<()> {
    let (outside, counter) = (Outside::default(), Counter::default());
    let leaf = {
        let (outside, counter) = (outside.clone(), counter.clone());
        Workflow::function("leaf", move |cx: Cx, ()| {
            let (outside, counter) = (outside.clone(), counter.clone());
            async move {
                cx.step("count", || std::future::ready(anyhow::Ok(counter.hit()))).await?;
                anyhow::Ok(outside.ask()?)
            }
        })
    };
    let above = |name: &str, below: Workflow<(), u32>| {
        let counter = counter.clone();
        Workflow::function(name, move |cx: Cx, ()| {
            let (counter, below) = (counter.clone(), below.clone());
            async move {
                cx.step("count", || std::future::ready(anyhow::Ok(counter.hit()))).await?;
                cx.child(&below, ()).await
            }
        })
    };
    let middle = above("middle", leaf.clone());
    let root = above("root", middle.clone());
    let served = Kit::builder().workflow(root.clone()).workflow(middle).workflow(leaf);
    let report = served
        .crash_everywhere(async |kit| {
            outside.break_again();
            let run = kit.run(&root, &()).await.expect("it starts");
            assert_eq!(run.wait().await.expect("an end"), Status::Failed);
            let before = counter.get();
            outside.repair();
            let (replay, plan) = run.replay(ReplayOptions::default()).await.expect("a replay");
            let output = replay.output().await.expect("it succeeds");
            (output, plan.children.len(), counter.get() - before)
        })
        .await?;
    assert_eq!(report.outcome, (7, 2, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ended_before_its_parents_replay_began_is_not_lost() -> anyhow::Result<()> {
    let (outside, counter) = (Outside::default(), Counter::default());
    let child = child(&outside, &counter);
    let w = {
        let child = child.clone();
        Workflow::function("parent", move |cx: Cx, ()| {
            let child = child.clone();
            async move { cx.child(&child, 0).await }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).workflow(child.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.wait().await?;
    outside.repair();
    kit.deploy(Kit::builder().workflow(child.clone())).await?;
    let (replay, _) = run.replay(ReplayOptions::default()).await?;
    kit.advance(crate::workflow::secs(60)).await;
    assert_eq!((replay.get().await?.status, counter.get()), (Status::Queued, 2));
    kit.deploy(Kit::builder().workflow(child).workflow(w)).await?;
    assert_eq!(replay.output().await?, 7);
    assert_eq!(counter.get(), 2);
    Ok(())
}
