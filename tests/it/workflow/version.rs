//! Several versions of a workflow, side by side.

use runlog::store::StoreError;
use runlog::testing::Kit;
use runlog::workflow::BuildError;
use runlog::{Cx, Error, Workflow};

use super::{Infallible, days, secs};

fn version(version: &'static str) -> Workflow<(), String> {
    Workflow::function("w", move |cx: Cx, ()| async move {
        cx.sleep(days(1)).await?;
        anyhow::Ok(format!("{} {version}", cx.version()))
    })
    .version(version)
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_the_version_it_started_with() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(version("1")).start().await?;
    let old = kit.run(&version("1"), &()).await?;
    kit.settle().await;
    kit.deploy(Kit::builder().workflow(version("1")).workflow(version("2"))).await?;
    let new = kit.run(&version("2"), &()).await?;
    let named = kit.current()?.run_by_name("w", "null").start().await?;
    assert_eq!(old.output().await?, "1 1");
    assert_eq!(new.output().await?, "2 2");
    assert_eq!(named.output().await?, "2 2", "the one added last");
    assert_eq!(old.get().await?.version.as_str(), "1");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_version_is_not_served_waits_for_it() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(version("1")).start().await?;
    let old = kit.run(&version("1"), &()).await?;
    kit.settle().await;
    kit.deploy(Kit::builder().workflow(version("2"))).await?;
    kit.advance(days(5)).await;
    assert_eq!(old.log().await?, "run_created\nrun_started\nattempt_started\ntimer_started sleep#0\n");
    kit.deploy(Kit::builder().workflow(version("1"))).await?;
    assert_eq!(old.output().await?, "1 1");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_name_and_version_twice_is_refused() {
    let refused = Kit::builder().workflow(version("1")).workflow(version("1")).start().await;
    let error = refused.err().expect("it is refused");
    assert_eq!(error.to_string(), "workflow w version 1 is given twice: give the second another version");
    assert!(matches!(error, Error::Workflow(BuildError::DuplicateWorkflow { .. })));
}

fn shaped(tasks: &[&str]) -> Workflow<(), u32> {
    let w = Workflow::dag("shaped");
    let tasks: Vec<_> = tasks
        .iter()
        .map(|name| {
            w.task(name, |cx: Cx, ()| async move {
                cx.sleep(days(1)).await?;
                anyhow::Ok(1)
            })
        })
        .collect();
    w.output(&tasks[0])
}

#[tokio::test(start_paused = true)]
async fn a_changed_shape_is_refused_while_runs_of_the_old_one_live() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(shaped(&["a", "b"])).start().await?;
    let run = kit.run(&shaped(&["a", "b"]), &()).await?;
    kit.settle().await;
    let refused = kit.deploy(Kit::builder().workflow(shaped(&["a", "c"]))).await;
    assert!(matches!(refused, Err(Error::Store(StoreError::ShapeChanged { .. }))), "{refused:?}");
    kit.deploy(Kit::builder().workflow(shaped(&["a", "b"]))).await?;
    assert_eq!(run.output().await?, 1);
    kit.deploy(Kit::builder().workflow(shaped(&["a", "c"]))).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_away_from_its_code_keeps_its_retries() -> anyhow::Result<()> {
    let slow = || {
        let w = Workflow::dag("slow");
        let task = w
            .task("task", |cx: Cx, ()| async move {
                if cx.attempt() == 1 {
                    cx.sleep(days(1)).await?;
                }
                anyhow::Ok(cx.attempt())
            })
            .timeout(secs(60))
            .retry(runlog::Retry::fixed(secs(1)));
        w.output(&task)
    };
    let other = Workflow::function("other", |_, ()| async { Ok::<_, Infallible>(()) });
    let kit = Kit::builder().workflow(slow()).start().await?;
    let run = kit.run(&slow(), &()).await?;
    kit.settle().await;
    kit.deploy(Kit::builder().workflow(other)).await?;
    kit.advance(secs(120)).await;
    // The message makes the node without the code take the run up.
    run.signal("hello", &1).await?;
    kit.deploy(Kit::builder().workflow(slow())).await?;
    assert_eq!(run.output().await?, 2);
    Ok(())
}
