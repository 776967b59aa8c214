//! Child runs: linked both ways, bounded, and ended with their parent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::testing::Kit;
use runlog::{Cx, CxError, Runtime, Status, Workflow};

use super::{Counter, Infallible, Numbered, days, secs};

fn double() -> Workflow<u32, u32> {
    Workflow::function("double", |cx: Cx, n: u32| async move {
        cx.sleep(days(1)).await?;
        if n == 13 { Err(Numbered(13).into()) } else { anyhow::Ok(2 * n) }
    })
}

fn parent() -> Workflow<u32, u32> {
    let w = Workflow::dag("parent");
    let first = w.task("first", |_, n: u32| async move { Ok::<_, Infallible>(n) });
    let call = w.task_after("call", &first, |cx: Cx, _, n: u32| async move {
        let child = cx.child(&double(), n).metadata("of", "parent");
        anyhow::Ok(child.await?)
    });
    w.output(&call)
}

#[tokio::test(start_paused = true)]
async fn parent_and_child_know_each_other_and_share_the_namespace() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(parent()).workflow(double()).start().await?;
    let run = kit.run_with(&parent(), &4, |run| run.namespace("tenant")).await?;
    kit.settle().await;
    let view = run.get().await?;
    let [(child, workflow, status)] = &view.children[..] else { panic!("{:?}", view.children) };
    assert_eq!((workflow.as_str(), *status), ("double", Status::Running));
    assert_eq!(
        view.waiting.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [format!("child run {child}")]
    );
    let child = kit.find(*child).get().await?;
    let of = child.parent.as_ref().expect("a parent");
    assert_eq!(
        (of.run, of.task.as_str(), of.op.to_string().as_str(), of.depth),
        (run.id(), "call", "`double`", 1)
    );
    assert_eq!((child.namespace.as_str(), child.trigger.kind()), ("tenant", "parent"));
    assert_eq!(child.metadata.get("of").map(String::as_str), Some("parent"));
    assert_eq!(run.output().await?, 8);
    assert_eq!(run.get().await?.children[0].2, Status::Succeeded);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn both_are_parked_while_the_child_sleeps() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(parent()).workflow(double()).start().await?;
    let run = kit.run(&parent(), &4).await?;
    kit.advance(secs(60)).await;
    assert_eq!(kit.current()?.live_runs(), 0);
    assert_eq!(run.output().await?, 8);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_childs_failure_is_its_parents_to_handle() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(parent()).workflow(double()).start().await?;
    let run = kit.run(&parent(), &13).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let message = run.get().await?.error().expect("an error").message.clone();
    assert!(message.ends_with("ended as FAILED: Error: number 13"), "{message}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_node_does_not_serve_its_workflow_waits_for_one_that_does() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(parent()).start().await?;
    let run = kit.run(&parent(), &4).await?;
    kit.advance(secs(5)).await;
    assert_eq!(run.get().await?.children[0].2, Status::Queued);
    kit.deploy(Kit::builder().workflow(parent()).workflow(double())).await?;
    assert_eq!(run.output().await?, 8);
    Ok(())
}

fn deeper() -> Workflow<u32, u32> {
    Workflow::function("deeper", |cx: Cx, n: u32| async move {
        match cx.child(&deeper(), n + 1).await {
            Err(CxError::Limit { limit, .. }) => anyhow::Ok(n * 100 + u32::try_from(limit)?),
            other => Ok(other?),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn children_of_children_end_at_a_limit() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(deeper()).start().await?;
    assert_eq!(kit.run(&deeper(), &0).await?.output().await?, 3232);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_fails_or_times_out_cancels_its_children() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, fails: bool| async move {
        let child = cx.child(&double(), 1);
        let waited = cx.race(child, cx.sleep(secs(60))).await;
        drop(waited);
        if fails { Err(Numbered(1).into()) } else { anyhow::Ok(cx.sleep(days(9)).await?) }
    })
    .timeout(secs(3_600));
    let kit = Kit::builder().workflow(w.clone()).workflow(double()).start().await?;
    for (fails, ends) in [(true, Status::Failed), (false, Status::TimedOut)] {
        let run = kit.run(&w, &fails).await?;
        assert_eq!(run.wait().await?, ends);
        kit.advance(secs(10)).await;
        assert_eq!(run.get().await?.children[0].2, Status::Cancelled);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dropped_child_goes_on_and_a_parent_that_succeeds_leaves_it_alone() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let _first = cx.race(cx.child(&double(), 1), cx.sleep(secs(60))).await;
        anyhow::Ok(())
    });
    let kit = Kit::builder().workflow(w.clone()).workflow(double()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.output().await?;
    kit.advance(days(2)).await;
    assert_eq!(run.get().await?.children[0].2, Status::Succeeded);
    Ok(())
}

/// Tells of every append three seconds late, and of every second claim never.
#[derive(Default)]
struct HardOfHearing {
    claims: AtomicU32,
}

impl Faults for HardOfHearing {
    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        match call.method {
            "append" => Fate::Delayed(secs(3)),
            "claim" if self.claims.fetch_add(1, Ordering::Relaxed) % 2 == 1 => Fate::Lost,
            _ => Fate::Passes,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_found_before_its_parent_hears_of_it_has_one_actor() -> anyhow::Result<()> {
    let ran = Counter::default();
    let child = {
        let ran = ran.clone();
        Workflow::function("child", move |cx: Cx, ()| {
            let ran = ran.clone();
            async move {
                let body = || async {
                    tokio::time::sleep(secs(20)).await;
                    Ok::<_, Infallible>(ran.hit())
                };
                anyhow::Ok(cx.step("work", body).await?)
            }
        })
    };
    let w = {
        let child = child.clone();
        Workflow::function("parent", move |cx: Cx, ()| {
            let child = child.clone();
            async move { anyhow::Ok(cx.child(&child, ()).await?) }
        })
    };
    let memory = MemoryStore::seeded("2026-01-01T00:00:00Z".parse()?, 1);
    let store = memory.connect_with(Arc::new(HardOfHearing::default()));
    let runtime = Runtime::on_store(store).workflow(child).workflow(w.clone()).start().await?;
    runtime.run(&w, ()).start().await?.output().await?;
    assert_eq!(ran.get(), 1);
    Ok(())
}
