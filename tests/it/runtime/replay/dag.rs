//! Tasks of a DAG: outputs are taken over, the others run.

use runlog::testing::Kit;
use runlog::{ReplayOptions, Status, TaskErrors, TaskStatus, Workflow};

use super::{Outside, names, reasons};
use crate::workflow::{Counter, Infallible};

/// `a` and `b`, then `c` after both, then `d`; `c` fails until the world outside is repaired.
fn diamond(outside: &Outside, counters: &[Counter; 4]) -> Workflow<u32, u32> {
    let [a, b, c, d] = counters.clone();
    let outside = outside.clone();
    let w = Workflow::dag("diamond");
    let count =
        |counter: Counter| move |_, n: u32| std::future::ready(Ok::<_, Infallible>(n + counter.hit()));
    let a = w.task("a", count(a));
    let b = w.task("b", count(b));
    let c = w.task_after("c", (&a, &b), move |_, _, (a, b): (u32, u32)| {
        c.hit();
        std::future::ready(outside.ask().map(|asked| asked + a + b))
    });
    let end = w.task_after("d", &c, move |_, _, c: u32| std::future::ready(Ok::<_, Infallible>(c + d.hit())));
    w.on_failure("sorry", |_, _, _: TaskErrors| async { Ok::<_, Infallible>(()) });
    w.output(&end)
}

fn counts(counters: &[Counter; 4]) -> [u32; 4] {
    counters.each_ref().map(Counter::get)
}

#[tokio::test(start_paused = true)]
async fn a_replay_from_what_failed_reuses_the_outputs_of_tasks() -> anyhow::Result<()> {
    let (outside, counters) = (Outside::default(), Default::default());
    let w = diamond(&outside, &counters);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &10).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    outside.repair();
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(replay.output().await?, 30);
    assert_eq!(counts(&counters), [1, 1, 2, 1]);
    assert_eq!((names(&plan.reused), names(&plan.rerun)), (vec!["a", "b"], vec!["c", "d"]));
    assert_eq!(reasons(&plan), ["sorry: it ran because the run failed"]);
    let view = replay.get().await?;
    let statuses: Vec<_> = view.tasks.iter().map(|task| task.status).collect();
    use TaskStatus::{Reused, Skipped, Succeeded};
    assert_eq!(statuses, [Reused, Reused, Succeeded, Succeeded, Skipped]);
    let inputs = view.task("c").expect("c").inputs.iter().map(|(task, json)| (task.as_str(), json.text()));
    assert_eq!(inputs.collect::<Vec<_>>(), [("a", "11"), ("b", "11")]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replay_from_a_task_runs_it_and_what_comes_after_it() -> anyhow::Result<()> {
    let (outside, counters) = (Outside::default(), Default::default());
    let w = diamond(&outside, &counters);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    outside.repair();
    let run = kit.run(&w, &10).await?;
    assert_eq!(run.output().await?, 30);
    let (replay, plan) = run.replay(ReplayOptions::default().from_task("b")).await?;
    assert_eq!(replay.output().await?, 32);
    assert_eq!(counts(&counters), [1, 2, 2, 2]);
    assert_eq!(names(&plan.reused), ["a"]);
    let told = [
        "b: it was asked to run again",
        "c: it comes after `b`, which runs again",
        "d: it comes after `c`, which runs again",
    ];
    assert_eq!(reasons(&plan)[..3], told);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_never_started_keeps_what_it_took_over() -> anyhow::Result<()> {
    let (outside, counters) = (Outside::default(), Default::default());
    let w = diamond(&outside, &counters);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &10).await?;
    run.wait().await?;
    let (unserved, _) = run.replay(ReplayOptions::default()).await?;
    unserved.wait().await?;
    kit.deploy(Kit::builder()).await?;
    let (queued, _) = unserved.replay(ReplayOptions::default()).await?;
    queued.cancel(Default::default()).await?;
    assert_eq!(queued.get().await?.started_at, None);

    outside.repair();
    kit.deploy(Kit::builder().workflow(w)).await?;
    let (replay, _) = queued.replay(ReplayOptions::default().force()).await?;
    assert_eq!(replay.output().await?, 30);
    assert_eq!(counts(&counters), [1, 1, 3, 1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_lost_its_failed_successor_needs_no_code_at_all() -> anyhow::Result<()> {
    let counter = Counter::default();
    let version = |version: &str, with_end: bool| {
        let counter = counter.clone();
        let w = Workflow::dag("shrinks").version(version);
        let a = w.task("a", move |_, ()| std::future::ready(Ok::<_, Infallible>(counter.hit())));
        if !with_end {
            return w.output(&a);
        }
        let end = w.task_after("end", &a, |_, (), _: u32| async { Err::<u32, _>(super::Broken) });
        w.output(&end)
    };
    let old = version("1", true);
    let kit = Kit::builder().workflow(old.clone()).start().await?;
    let run = kit.run(&old, &()).await?;
    run.wait().await?;
    kit.deploy(Kit::builder().workflow(old).workflow(version("2", false))).await?;
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(replay.output().await?, 1);
    assert_eq!((counter.get(), plan.version.as_str()), (1, "2"));
    assert_eq!(reasons(&plan), ["end: the code has no such task any more"]);
    Ok(())
}
