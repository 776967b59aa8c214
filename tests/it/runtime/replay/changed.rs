//! Replaying onto changed code: it works, or says what does not fit.

use runlog::model::Waiting;
use runlog::testing::Kit;
use runlog::{Cx, ReplayOptions, Status, Workflow};

use super::{names, reasons};
use crate::workflow::{Counter, Infallible, Numbered, secs};

/// Executes the steps named, each counted in its output, and fails after them if it is `broken`.
fn steps(
    version: &str,
    steps: &'static [&'static str],
    broken: bool,
    counter: &Counter,
) -> Workflow<(), Vec<u32>> {
    let counter = counter.clone();
    let code = move |cx: Cx, ()| {
        let counter = counter.clone();
        async move {
            let mut done = Vec::new();
            for name in steps {
                done.push(cx.step(name, || async { Ok::<_, Infallible>(counter.hit()) }).await?);
            }
            if broken { Err(Numbered(1).into()) } else { anyhow::Ok(done) }
        }
    };
    Workflow::function("steps", code).version(version)
}

#[tokio::test(start_paused = true)]
async fn steps_added_after_what_is_recorded_run() -> anyhow::Result<()> {
    let counter = Counter::default();
    let old = steps("1", &["a", "b"], true, &counter);
    let kit = Kit::builder().workflow(old.clone()).start().await?;
    let run = kit.run(&old, &()).await?;
    run.wait().await?;
    kit.deploy(Kit::builder().workflow(old).workflow(steps("2", &["a", "b", "c"], false, &counter))).await?;
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(plan.version.as_str(), "2", "the newest that is served");
    assert_eq!(replay.output().await?, [1, 2, 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_recorded_step_that_the_code_does_not_ask_for_blocks_the_run_until_code_does() -> anyhow::Result<()>
{
    let counter = Counter::default();
    let old = steps("1", &["a", "b"], true, &counter);
    let kit = Kit::builder().workflow(old.clone()).start().await?;
    let run = kit.run(&old, &()).await?;
    run.wait().await?;
    let renamed = steps("2", &["a", "renamed"], false, &counter);
    kit.deploy(Kit::builder().workflow(old.clone()).workflow(renamed)).await?;
    let (replay, _) = run.replay(ReplayOptions::default()).await?;
    kit.advance(secs(5)).await;
    let view = replay.get().await?;
    let told = "task `steps`: the log has a step `b` where the code asks for a step `renamed`";
    assert_eq!((view.status, counter.get()), (Status::Running, 2), "nothing ran under another name");
    let says = |wait: &Waiting| matches!(wait, Waiting::Blocked { report } if report.starts_with(told));
    assert!(view.waiting.iter().any(says), "{:?}", view.waiting);

    let fits = steps("2", &["a", "b", "renamed"], false, &counter);
    kit.deploy(Kit::builder().workflow(old).workflow(fits)).await?;
    assert_eq!(replay.output().await?, [1, 2, 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_may_be_named() -> anyhow::Result<()> {
    let counter = Counter::default();
    let (old, new) = (steps("1", &["a"], true, &counter), steps("2", &["z"], false, &counter));
    let kit = Kit::builder().workflow(old.clone()).start().await?;
    let run = kit.run(&old, &()).await?;
    run.wait().await?;
    let repaired = steps("1", &["a"], false, &counter);
    kit.deploy(Kit::builder().workflow(repaired).workflow(new)).await?;
    let (replay, plan) = run.replay(ReplayOptions::default().version("1")).await?;
    assert_eq!((replay.output().await?, plan.version.as_str()), (vec![1], "1"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_others_now_runs_again_and_a_task_that_is_gone_is_told() -> anyhow::Result<()> {
    let counter = Counter::default();
    let count = |name: &'static str| {
        let counter = counter.clone();
        move |_: Cx, ()| std::future::ready(Ok::<_, Infallible>(format!("{name}{}", counter.hit())))
    };
    let after = |name: &'static str| {
        let counter = counter.clone();
        move |_: Cx, (), before: String| {
            std::future::ready(Ok::<_, Infallible>(format!("{before}{name}{}", counter.hit())))
        }
    };
    let old = {
        let w = Workflow::dag("moves");
        let (a, b) = (w.task("a", count("a")), w.task("b", count("b")));
        let c = w.task_after("c", &a, after("c"));
        let gone = w.task("gone", count("gone"));
        let end = w.task_after("end", (&b, &c, &gone), |_, (), _| async { Err::<String, _>(super::Broken) });
        w.output(&end)
    };
    let new = {
        let w = Workflow::dag("moves").version("2");
        let (_a, b) = (w.task("a", count("a")), w.task("b", count("b")));
        let c = w.task_after("c", &b, after("c"));
        let end = w.task_after("end", &c, after("end"));
        w.output(&end)
    };
    let kit = Kit::builder().workflow(old.clone()).start().await?;
    let run = kit.run(&old, &()).await?;
    run.wait().await?;
    assert_eq!(counter.get(), 4);
    kit.deploy(Kit::builder().workflow(old).workflow(new)).await?;
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!((names(&plan.reused), names(&plan.rerun)), (vec!["a", "b"], vec!["c", "end"]));
    let told = [
        "c: the code has it wait for other tasks",
        "end: the code has it wait for other tasks",
        "gone: the code has no such task any more",
    ];
    assert_eq!(reasons(&plan), told);
    let output = replay.output().await?;
    assert!(output.ends_with("c5end6"), "{output}");
    Ok(())
}
