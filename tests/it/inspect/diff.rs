//! Two runs side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runlog::inspect::{Change, RunDiff};
use runlog::runtime::ReplayOptions;
use runlog::{Cx, CxError, Retry, RunHandle, Status, TaskStatus, Workflow};
use serde_json::value::RawValue;

use crate::support::{Ground, gate, json, on_both, soon};

on_both! {
    a_run_does_not_differ_from_itself
    runs_of_the_same_input_do_not_differ
    steps_beside_each_other_may_end_in_any_order
    inputs_differ_by_path_with_their_numbers_as_they_are
    the_first_step_with_another_outcome_is_where_runs_part
    a_step_that_only_one_run_made_is_where_they_part
    an_output_that_differs_is_no_other_course
    versions_metadata_and_tasks_are_compared
    runs_of_different_workflows_are_compared
    a_replay_parts_from_its_original_where_that_failed
}

async fn end<O>(run: &RunHandle<O>) -> Status {
    soon("its end", run.wait()).await.unwrap()
}

/// Makes steps `a`, `b`, … up to the input; a step fails whose number is a multiple of 100.
fn stair() -> Workflow<Vec<u32>, u32> {
    Workflow::function("stair", |cx: Cx, steps: Vec<u32>| async move {
        let mut sum = 0;
        for (n, name) in steps.iter().zip(["a", "b", "c", "d", "e"]) {
            let body = || {
                std::future::ready(if n % 100 == 0 { Err(anyhow::anyhow!("{n} is round")) } else { Ok(*n) })
            };
            sum += cx.step(name, body).await?;
        }
        Ok::<_, CxError>(sum)
    })
}

async fn compare(ground: &impl Ground, a: Vec<u32>, b: Vec<u32>) -> RunDiff {
    let runtime = ground.builder().workflow(stair()).start().await.unwrap();
    let (a, b) =
        (runtime.run(&stair(), a).start().await.unwrap(), runtime.run(&stair(), b).start().await.unwrap());
    end(&a).await;
    end(&b).await;
    runtime.diff(a.id(), b.id()).await.unwrap().expect("both")
}

async fn a_run_does_not_differ_from_itself(ground: impl Ground) {
    let runtime = ground.builder().workflow(stair()).start().await.unwrap();
    let run = runtime.run(&stair(), vec![1, 100]).start().await.unwrap();
    end(&run).await;
    let diff = runtime.diff(run.id(), run.id()).await.unwrap().unwrap();
    assert!(diff.start.is_empty() && diff.output.is_empty(), "{diff:#?}");
    assert_eq!((diff.first, diff.course, &diff.a), (None, None, &diff.b));
}

async fn runs_of_the_same_input_do_not_differ(ground: impl Ground) {
    let diff = compare(&ground, vec![1, 2, 3], vec![1, 2, 3]).await;
    assert_eq!((diff.first, diff.course), (None, None));
    assert!(diff.start.is_empty() && diff.output.is_empty());
    assert_ne!(diff.a.run, diff.b.run);
}

async fn steps_beside_each_other_may_end_in_any_order(ground: impl Ground) {
    let dag = Workflow::dag::<bool>("race");
    let first = dag.task("first", |cx: Cx, _: bool| async move { cx.signal::<u32>("first").await });
    let second = dag.task("second", |cx: Cx, _: bool| async move { cx.signal::<u32>("second").await });
    let both = dag.task_after(
        "both",
        (&first, &second),
        |_: Cx, _: bool, (a, b): (Option<u32>, Option<u32>)| async move {
            Ok::<_, CxError>(a.unwrap_or_default() + b.unwrap_or_default())
        },
    );
    let race = dag.output(&both);
    let runtime = ground.builder().workflow(race.clone()).start().await.unwrap();
    let mut runs = Vec::new();
    for order in [["first", "second"], ["second", "first"]] {
        let run = runtime.run(&race, true).start().await.unwrap();
        for signal in order {
            run.signal(signal, &1).await.unwrap();
            crate::support::until("the task ended", async || {
                run.get().await.unwrap().task(signal).is_some_and(|task| task.status == TaskStatus::Succeeded)
            })
            .await;
        }
        end(&run).await;
        runs.push(run.id());
    }
    let diff = runtime.diff(runs[0], runs[1]).await.unwrap().unwrap();
    assert_eq!((diff.first, diff.course), (None, None));
}

async fn inputs_differ_by_path_with_their_numbers_as_they_are(ground: impl Ground) {
    let keep = Workflow::function("keep", |_: Cx, _: Box<RawValue>| async move { Ok::<_, CxError>(()) });
    let runtime = ground.builder().workflow(keep.clone()).start().await.unwrap();
    let one =
        r#"{"order":"o","n":123456789012345678901,"list":[1,{"deep/er":2.50}],"gone":null,"same":"\u0041"}"#;
    let two =
        r#"{"same":"A","order":"o","n":123456789012345678902,"list":[1,{"deep/er":2.5},3],"new~":true}"#;
    let mut runs = Vec::new();
    for text in [one, two] {
        let run = runtime.run(&keep, json(text)).start().await.unwrap();
        end(&run).await;
        runs.push(run.id());
    }
    let diff = runtime.diff(runs[0], runs[1]).await.unwrap().unwrap();

    let change = |path: &str, before: Option<&str>, after: Option<&str>| Change {
        path: path.to_owned(),
        before: before.map(ToOwned::to_owned),
        after: after.map(ToOwned::to_owned),
    };
    assert_eq!(
        diff.start.input.listed,
        [
            change("/n", Some("123456789012345678901"), Some("123456789012345678902")),
            change("/list/1/deep~1er", Some("2.50"), Some("2.5")),
            change("/list/2", None, Some("3")),
            change("/gone", Some("null"), None),
            change("/new~0", None, Some("true")),
        ]
    );
}

async fn the_first_step_with_another_outcome_is_where_runs_part(ground: impl Ground) {
    let diff = compare(&ground, vec![1, 2, 3, 4], vec![1, 2, 300, 4]).await;
    let parted = diff.course.unwrap();
    let (a, b) = (parted.a.unwrap(), parted.b.unwrap());
    assert_eq!((a.kind, b.kind), ("step_completed", "step_failed"));
    assert_eq!((a.op.unwrap().name.as_ref(), b.op.unwrap().name.as_ref()), ("c", "c"));
    assert_eq!(a.seq, b.seq);
    assert!(b.text.contains("# is round"), "ids and numbers are left out: {}", b.text);
    assert_eq!((diff.a.status, diff.b.status), (Status::Succeeded, Status::Failed));
    assert!(diff.b.error.is_some() && diff.a.error.is_none());
}

async fn a_step_that_only_one_run_made_is_where_they_part(ground: impl Ground) {
    let diff = compare(&ground, vec![1, 2], vec![1, 2, 3]).await;
    let parted = diff.course.unwrap();
    assert_eq!(parted.a, None);
    assert_eq!(parted.b.unwrap().op.unwrap().name.as_ref(), "c");
}

async fn an_output_that_differs_is_no_other_course(ground: impl Ground) {
    let diff = compare(&ground, vec![1, 2, 3], vec![1, 7, 3]).await;
    assert_eq!(diff.course, None);
    let first = diff.first.unwrap();
    assert_eq!(first.a.unwrap().op.unwrap().name.as_ref(), "b");
    let output = &diff.output.listed[0];
    assert_eq!((output.before.as_deref(), output.after.as_deref()), (Some("6"), Some("11")));
    assert_eq!(diff.start.input.listed[0].path, "/1");
}

async fn versions_metadata_and_tasks_are_compared(ground: impl Ground) {
    let shop = |version: &str, fails: bool| {
        let dag = Workflow::dag::<u32>("shop").version(version);
        let reserve = dag.task("reserve", |_: Cx, n: u32| async move { Ok::<_, CxError>(n) });
        let charge = dag.task_after("charge", &reserve, move |_: Cx, n: u32, _: u32| async move {
            if fails { Err(anyhow::anyhow!("declined")) } else { Ok(n) }
        });
        dag.output(&charge.retry(Retry::fixed(Duration::from_millis(1)).max_attempts(2)))
    };
    let (good, bad) = (shop("1", false), shop("2", true));
    let runtime = ground.builder().workflow(good.clone()).workflow(bad.clone()).start().await.unwrap();
    let a = runtime.run(&good, 1).metadata([("team", "x"), ("same", "s")]).start().await.unwrap();
    let b =
        runtime.run(&bad, 1).metadata([("same", "s"), ("tenant", "t")]).priority(2).start().await.unwrap();
    end(&a).await;
    end(&b).await;

    let diff = runtime.diff(a.id(), b.id()).await.unwrap().unwrap();

    let fields: Vec<_> = diff
        .start
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.a.as_deref(), field.b.as_deref()))
        .collect();
    assert_eq!(fields, [("version", Some("1"), Some("2")), ("priority", Some("0"), Some("2"))]);
    let tags: Vec<_> = diff
        .start
        .metadata
        .iter()
        .map(|tag| (tag.name.as_str(), tag.a.as_deref(), tag.b.as_deref()))
        .collect();
    assert_eq!(tags, [("team", Some("x"), None), ("tenant", None, Some("t"))]);
    let [reserve, charge] = &diff.tasks[..] else { panic!("{:?}", diff.tasks) };
    assert!(reserve.output.is_empty());
    let side = |side: &Option<runlog::inspect::TaskSide>| {
        let side = side.clone().unwrap();
        (side.status, side.attempts, side.execution.is_some())
    };
    assert_eq!(side(&charge.a), (TaskStatus::Succeeded, 1, true));
    assert_eq!(side(&charge.b), (TaskStatus::Failed, 2, true));
    let output = &charge.output.listed[0];
    assert_eq!(
        (output.path.as_str(), output.before.as_deref(), output.after.as_ref()),
        ("", Some("1"), None)
    );
}

async fn runs_of_different_workflows_are_compared(ground: impl Ground) {
    let runtime = ground.builder().workflow(stair()).workflow(gate()).start().await.unwrap();
    let a = runtime.run(&stair(), vec![1]).start().await.unwrap();
    let b = runtime.run(&gate(), 1.into()).start().await.unwrap();
    end(&a).await;
    let diff = runtime.diff(a.id(), b.id()).await.unwrap().unwrap();
    assert_eq!(diff.start.fields[0].name, "workflow");
    let tasks: Vec<_> =
        diff.tasks.iter().map(|task| (task.name.as_str(), task.a.is_some(), task.b.is_some())).collect();
    assert_eq!(tasks, [("stair", true, false), ("gate", false, true)]);
    assert_eq!(diff.course.unwrap().a.unwrap().kind, "run_started", "their plans differ");
}

async fn a_replay_parts_from_its_original_where_that_failed(ground: impl Ground) {
    let repaired = Arc::new(AtomicBool::new(false));
    let shop = {
        let dag = Workflow::dag::<u32>("shop");
        let reserve = dag.task("reserve", |cx: Cx, n: u32| async move {
            cx.step("stock", || std::future::ready(Ok::<_, CxError>(n))).await
        });
        let repaired = Arc::clone(&repaired);
        let charge = dag.task_after("charge", &reserve, move |cx: Cx, n: u32, _: u32| {
            let fails = !repaired.load(Ordering::SeqCst);
            async move {
                cx.signal::<u32>("go").await?;
                cx.step("book", || std::future::ready(Ok::<_, CxError>(n))).await?;
                let body = || std::future::ready(if fails { Err(std::fmt::Error) } else { Ok(n) });
                cx.step("card", body).await
            }
        });
        dag.output(&charge)
    };
    let runtime = ground.builder().workflow(shop.clone()).start().await.unwrap();
    let run = runtime.run(&shop, 1).start().await.unwrap();
    run.signal("go", &1).await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);
    repaired.store(true, Ordering::SeqCst);
    let replay = runtime.replay(run.id(), ReplayOptions::default()).await.unwrap();
    assert_eq!(end(&replay.run).await, Status::Succeeded);

    let diff = runtime.diff(run.id(), replay.run.id()).await.unwrap().unwrap();

    let fields: Vec<_> = diff.start.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(fields, ["trigger"]);
    let parted = diff.course.unwrap();
    let (a, b) = (parted.a.unwrap(), parted.b.unwrap());
    assert_eq!((a.kind, b.kind), ("step_failed", "step_completed"));
    assert_eq!(a.op.unwrap().name.as_ref(), "card");
    assert_eq!(diff.first.unwrap().a.unwrap().seq, a.seq, "what was taken over is the same");
    let status = |side: &Option<runlog::inspect::TaskSide>| side.as_ref().unwrap().status;
    assert_eq!(
        (status(&diff.tasks[0].a), status(&diff.tasks[0].b)),
        (TaskStatus::Succeeded, TaskStatus::Reused)
    );
    assert!(diff.tasks[0].output.is_empty());
}
