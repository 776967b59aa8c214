//! DAGs: what is refused when they are built, and how their tasks run.

use std::sync::Arc;
use std::time::Duration;

use runlog::testing::Kit;
use runlog::workflow::BuildError;
use runlog::{Dag, Status, TaskErrors, TaskStatus, Workflow};
use tokio::sync::Barrier;

use super::{Infallible, Numbered, secs};

fn one(dag: &Dag<()>, name: &str) -> runlog::Task<u32, Infallible> {
    dag.task(name, |_, ()| async { Ok(1) })
}

fn refusal(workflow: &Workflow<(), u32>) -> String {
    workflow.check().expect_err("it is refused").to_string()
}

#[test]
fn two_tasks_of_one_name_are_refused() {
    let w = Workflow::dag("d");
    let (first, _second) = (one(&w, "a"), one(&w, "a"));
    assert_eq!(refusal(&w.output(&first)), "workflow d: two tasks are called \"a\": give each its own name");
}

#[test]
fn tasks_that_wait_for_each_other_are_refused() {
    let w = Workflow::dag("d");
    let (a, b, c) = (one(&w, "a"), one(&w, "b"), one(&w, "c"));
    let a = a.after(&c);
    let b = b.after(&a);
    let c = c.after(&b);
    let end = one(&w, "end").after(&c);
    assert_eq!(
        refusal(&w.output(&end)),
        "workflow d: the tasks a → c → b wait for each other in a circle: remove one edge"
    );
}

#[test]
fn a_task_that_waits_for_itself_is_refused() {
    let w = Workflow::dag("d");
    let a = one(&w, "a");
    let twin = one(&w, "b").after(&a);
    let b = twin.after(&one(&w, "c"));
    let own = w.task_after("own", &b, |_, (), _| async { Ok::<_, Infallible>(1) });
    let own = own.after(&b);
    assert!(w.output(&own).check().is_ok(), "two edges to one task are one");
}

#[test]
fn a_handle_of_another_dag_is_refused() {
    let (w, other) = (Workflow::dag("d"), Workflow::dag("other"));
    let stranger = one(&other, "stranger");
    let own = w.task_after("own", &stranger, |_, (), _| async { Ok::<_, Infallible>(1) });
    let expected = "workflow d: own names a task of another workflow: use this workflow's own handles";
    assert_eq!(refusal(&w.output(&own)), expected);

    let w = Workflow::dag("d");
    let own = one(&w, "own").after(&stranger);
    assert_eq!(refusal(&w.output(&own)), expected);

    let w = Workflow::dag("d");
    let _own = one(&w, "own");
    assert!(matches!(w.output(&stranger).check(), Err(BuildError::ForeignTask { .. })));
}

#[test]
fn an_on_failure_task_has_no_edges_and_no_second() {
    let handler = |w: &Dag<()>, name: &str| w.on_failure(name, |_, (), _| async { Ok::<_, Infallible>(1) });
    let edge = "workflow d: the on-failure task h can be neither the output nor an end of an edge";

    let w = Workflow::dag("d");
    let _a = one(&w, "a");
    let h = handler(&w, "h");
    assert_eq!(refusal(&w.output(&h)), edge);

    let w = Workflow::dag("d");
    let h = handler(&w, "h");
    let a = one(&w, "a").after(&h);
    assert_eq!(refusal(&w.output(&a)), edge);

    let w = Workflow::dag("d");
    let a = one(&w, "a");
    let _h = handler(&w, "h").after(&a);
    assert_eq!(refusal(&w.output(&a)), edge);

    let w = Workflow::dag("d");
    let a = one(&w, "a");
    let _two = (handler(&w, "h"), handler(&w, "i"));
    assert_eq!(refusal(&w.output(&a)), "workflow d has two on-failure tasks: handle every failure in one");
}

#[test]
fn bad_names_are_refused() {
    let long = "n".repeat(129);
    for (workflow, version, task) in [
        ("", "1", "a"),
        ("d", "", "a"),
        ("d", "1", ""),
        (&*long, "1", "a"),
        ("d", &*long, "a"),
        ("d", "1", &*long),
        ("d\n", "1", "a"),
        ("d", "\0", "a"),
        ("d", "1", "a\t"),
    ] {
        let w = Workflow::dag(workflow).version(version);
        let a = one(&w, task);
        let refused = w.output(&a).check();
        assert!(matches!(refused, Err(BuildError::Name { .. })), "{workflow:?} {version:?} {task:?}");
    }
    let fits = "n".repeat(128);
    let w = Workflow::dag(&fits).version(&fits);
    let a = one(&w, &fits);
    assert_eq!(w.output(&a).check(), Ok(()));
}

#[test]
fn zero_and_over_long_timeouts_are_refused() {
    let years = |years: u64| Duration::from_secs(years * 365 * 24 * 3_600);
    for bad in [Duration::ZERO, years(101), Duration::MAX] {
        let w = Workflow::dag("d").timeout(bad);
        let a = one(&w, "a");
        assert!(refusal(&w.output(&a)).contains("its timeout"));
        let w = Workflow::dag("d").start_timeout(bad);
        let a = one(&w, "a");
        assert!(refusal(&w.output(&a)).contains("its start_timeout"));
        let w = Workflow::dag("d");
        let a = one(&w, "a").timeout(bad);
        assert!(refusal(&w.output(&a)).contains("the timeout of task a"));
        let f = Workflow::function("f", |_, ()| async { Ok::<_, Infallible>(1_u32) }).timeout(bad);
        assert!(refusal(&f).contains("its timeout"));
    }
    let w = Workflow::dag("d").timeout(years(100));
    let a = one(&w, "a").timeout(Duration::from_nanos(1));
    assert_eq!(w.output(&a).check(), Ok(()));
}

#[test]
fn too_many_tasks_are_refused() {
    let w = Workflow::dag("d");
    let tasks: Vec<_> = (0..513).map(|n| one(&w, &format!("t{n}"))).collect();
    assert_eq!(
        refusal(&w.output(&tasks[0])),
        "workflow d has 513 tasks, the limit is 512: move some into child runs"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_workflow_is_refused_by_the_runtime_too() {
    let w = Workflow::dag("d");
    let (first, _second) = (one(&w, "a"), one(&w, "a"));
    let refused = Kit::builder().workflow(w.output(&first)).start().await;
    assert!(matches!(refused.err(), Some(runlog::Error::Workflow(BuildError::DuplicateTask { .. }))));
}

#[tokio::test(start_paused = true)]
async fn parallel_tasks_overlap_and_a_fan_in_sees_their_typed_outputs() -> anyhow::Result<()> {
    let w = Workflow::dag("diamond");
    let meeting = Arc::new(Barrier::new(2));
    let source = w.task("source", |_, n: u32| async move { Ok::<_, Infallible>(n + 1) });
    // Both wait for the other one to be at work: one after the other would never end.
    let (left, right) = (Arc::clone(&meeting), meeting);
    let left = w.task_after("left", &source, move |_, _, n: u32| {
        let meeting = Arc::clone(&left);
        async move {
            meeting.wait().await;
            Ok::<_, Infallible>(format!("left {n}"))
        }
    });
    let right = w.task_after("right", &source, move |_, _, n: u32| {
        let meeting = Arc::clone(&right);
        async move {
            meeting.wait().await;
            Ok::<_, Infallible>(vec![n, n])
        }
    });
    let sink = w.task_after("sink", (&left, &right, &source), |_, order: u32, (l, r, s)| async move {
        Ok::<_, Infallible>(format!("{order}: {l}, {r:?}, {s}"))
    });
    let diamond = w.output(&sink);
    let kit = Kit::builder().workflow(diamond.clone()).start().await?;
    let run = kit.run(&diamond, &7).await?;
    assert_eq!(run.output().await?, "7: left 8, [8, 8], 8");
    let view = run.get().await?;
    let sink = view.task("sink").expect("the task");
    let inputs: Vec<_> = sink.inputs.iter().map(|(task, value)| format!("{task}={}", value.text())).collect();
    assert_eq!(inputs, ["left=\"left 8\"", "right=[8,8]", "source=8"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_edge_without_data_only_waits() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let slow = w.task("slow", |_, ()| async {
        tokio::time::sleep(secs(5)).await;
        Ok::<_, Infallible>(())
    });
    let quick = w.task("quick", |_, ()| async { Ok::<_, Infallible>(1_u32) });
    let end = w.task_after("end", &quick, |_, (), n: u32| async move { Ok::<_, Infallible>(n) }).after(&slow);
    let w = w.output(&end);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, 1);
    assert_eq!(
        run.timeline().await?,
        "0.000 run_created\n0.000 run_started\n0.000 attempt_started slow\n0.000 attempt_started quick\n\
         0.000 attempt_succeeded quick\n5.000 attempt_succeeded slow\n5.000 attempt_started end\n\
         5.000 attempt_succeeded end\n5.000 run_succeeded\n"
    );
    Ok(())
}

/// A DAG whose tasks `bad` and `worse` fail, with an on-failure task that gives `handled`.
fn failing(handled: fn(&TaskErrors) -> Result<String, Numbered>) -> Workflow<(), u32> {
    let w = Workflow::dag("failing");
    let good = w.task("good", |_, ()| async { Ok::<_, Numbered>(1_u32) });
    let bad = w.task("bad", |_, ()| async { Err::<u32, _>(Numbered(1)) });
    let worse = w.task("worse", |_, ()| async {
        tokio::time::sleep(secs(3)).await;
        Err::<u32, _>(Numbered(2))
    });
    let _never = w.task_after("never", (&bad, &good), |_, (), _| async { Ok::<_, Numbered>(1_u32) });
    let end = w.task_after("end", (&good, &worse), |_, (), _| async { Ok::<_, Numbered>(1_u32) });
    w.on_failure("handle", move |cx, (), errors: TaskErrors| async move {
        assert_eq!(&errors, cx.task_errors());
        handled(&errors)
    });
    w.output(&end)
}

#[tokio::test(start_paused = true)]
async fn the_on_failure_task_sees_which_tasks_failed_and_why_once_all_came_to_rest() -> anyhow::Result<()> {
    let w = failing(|errors| {
        Ok(errors.iter().map(|(task, error)| format!("{task}: {error}; ")).collect::<String>())
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    let handle = view.task("handle").expect("the task");
    assert_eq!(
        handle.output.as_ref().expect("an output").text(),
        "\"bad: Numbered: number 1; worse: Numbered: number 2; \""
    );
    assert_eq!(handle.started_at, Some(view.created_at + secs(3)));
    let error = run.output().await.expect_err("it failed");
    assert_eq!(error.to_string(), format!("run {} failed in task bad: Numbered: number 1", run.id()));
    let statuses: Vec<_> = view.tasks.iter().map(|task| (task.name.to_string(), task.status)).collect();
    assert_eq!(
        statuses.iter().map(|(name, status)| format!("{name} {status}")).collect::<Vec<_>>(),
        [
            "good SUCCEEDED",
            "bad FAILED",
            "worse FAILED",
            "never CANCELLED",
            "end CANCELLED",
            "handle SUCCEEDED"
        ]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failing_on_failure_task_does_not_change_the_runs_error() -> anyhow::Result<()> {
    let w = failing(|_| Err(Numbered(9)));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    assert_eq!(view.error().expect("an error").message, "number 1");
    let handle = view.task("handle").expect("the task");
    assert_eq!(
        (handle.status, handle.error.as_ref().expect("an error").message.as_str()),
        (TaskStatus::Failed, "number 9")
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_on_failure_task_is_skipped_when_nothing_fails() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let a = one(&w, "a");
    w.on_failure("handle", |_, (), _| async { Ok::<_, Infallible>(()) });
    let w = w.output(&a);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, 1);
    assert_eq!(run.get().await?.task("handle").expect("the task").status, TaskStatus::Skipped);
    Ok(())
}
