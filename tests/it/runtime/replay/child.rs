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
async fn a_child_whose_failure_ended_its_parent_is_started_anew() -> anyhow::Result<()> {
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
    assert_eq!((ops(&plan), counter.get()), (vec!["child#1".to_owned()], 3));
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
