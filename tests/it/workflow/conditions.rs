//! Conditions of tasks: what is refused, who begins, who is skipped, and who ends the run.

use std::fmt::Write as _;
use std::time::Duration;

use runlog::inspect::{Action, Graph, why};
use runlog::testing::{Kit, KitRun};
use runlog::workflow::BuildError;
use runlog::{Cx, Dag, ReplayOptions, Status, Task, TaskStatus, When, Workflow};

use super::{Counter, Infallible, Numbered, days, secs};

fn number(dag: &Dag<u32>, name: &str) -> Task<u32, Infallible> {
    dag.task(name, |_, n: u32| async move { Ok(n) })
}

fn refusal<O>(workflow: &Workflow<u32, O>) -> String {
    workflow.check().expect_err("it is refused").to_string()
}

/// The tasks with their statuses and, of those that a condition left out, why.
async fn tasks<O>(run: &KitRun<O>) -> anyhow::Result<String> {
    let mut text = String::new();
    for task in run.get().await?.tasks {
        let because = task.skipped.map(|skipped| format!(": {}", skipped.because)).unwrap_or_default();
        writeln!(text, "{} {}{because}", task.name, task.status)?;
    }
    Ok(text)
}

async fn waits<O>(run: &KitRun<O>) -> anyhow::Result<Vec<String>> {
    Ok(run.get().await?.waiting.iter().map(ToString::to_string).collect())
}

#[test]
fn conditions_that_make_no_sense_are_refused() {
    let w = Workflow::dag("d");
    let a = number(&w, "a").wait_for(When::elapsed(Duration::ZERO));
    assert!(refusal(&w.output(&a)).contains("a condition of task a is 0ns"));

    let w = Workflow::dag("d");
    let a = number(&w, "a").wait_for(When::signal("a\nb"));
    assert!(matches!(w.output(&a).check(), Err(BuildError::Name { .. })));

    let (w, other) = (Workflow::dag("d"), Workflow::dag("other"));
    let stranger = number(&other, "stranger");
    let a = number(&w, "a").skip_if(When::output(&stranger, |_| true));
    assert!(matches!(w.output(&a).check(), Err(BuildError::ForeignTask { .. })));

    let w = Workflow::dag("d");
    let (a, b) = (number(&w, "a"), number(&w, "b"));
    let b = b.after(&a);
    let a = a.wait_for(When::output(&b, |_| true));
    assert!(matches!(w.output(a.optional()).check(), Err(BuildError::Cycle { .. })));

    let w = Workflow::dag("d");
    let a = number(&w, "a");
    let _h = w.on_failure("h", |_, _, _| async { Ok::<_, Infallible>(()) }).skip_if(When::signal("s"));
    assert!(matches!(w.output(&a).check(), Err(BuildError::OnFailureCondition { .. })));

    let w = Workflow::dag("d");
    let many = (0..33).map(|n| When::signal(&format!("s{n}"))).reduce(When::or).expect("some");
    let a = number(&w, "a").wait_for(many);
    let refused = refusal(&w.output(&a));
    assert_eq!(
        refused,
        "workflow d: the conditions of task a have 33 terms, the limit is 32: decide in a task"
    );
}

#[test]
fn an_output_that_may_be_skipped_is_an_optional_one() {
    let refused = "workflow d: task b may be skipped: make it `b.optional()` where the output is named";
    let w = Workflow::dag("d");
    let a = number(&w, "a").skip_if(When::signal("stop"));
    let b = w.task_after("b", &a, |_, _, n| async move { Ok::<u32, Infallible>(n) });
    assert_eq!(refusal(&w.output(&b)), refused);
    let optional: Workflow<u32, Option<u32>> = w.output(b.optional());
    assert_eq!(optional.check(), Ok(()));

    let w = Workflow::dag("d");
    let a = number(&w, "a");
    let b = number(&w, "b").wait_for(When::output(&a, |_| true));
    assert_eq!(refusal(&w.output(&b)), refused);

    // Who only waits, or does without the skipped one, always has an output.
    let w = Workflow::dag("d");
    let a = number(&w, "a").skip_if(When::signal("stop"));
    let b = w.task_after("b", a.optional(), |_, n, _| async move { Ok::<u32, Infallible>(n) });
    assert_eq!(w.output(&b.wait_for(When::signal("go"))).check(), Ok(()));
}

/// `charge` is skipped for a high score, `receipt` needs it, `report` does without it.
fn checkout(judged: &Counter) -> Workflow<u32, String> {
    let judged = judged.clone();
    let w = Workflow::dag("checkout");
    let score = number(&w, "score");
    let charge = number(&w, "charge").skip_if(When::output(&score, move |score| {
        judged.hit();
        *score > 90
    }));
    let receipt = w.task_after("receipt", &charge, |_, _, n: u32| async move { Ok::<_, Infallible>(n + 1) });
    let report =
        w.task_after("report", (charge.optional(), receipt.optional()), |cx: Cx, _, both| async move {
            Ok::<_, Infallible>(format!("{both:?} {}", cx.was_skipped("charge")))
        });
    w.output(&report)
}

#[tokio::test(start_paused = true)]
async fn a_skipped_task_takes_along_those_that_need_it_and_no_others() -> anyhow::Result<()> {
    let judged = Counter::default();
    let w = checkout(&judged);
    let kit = Kit::builder().workflow(w.clone()).start().await?;

    let charged = kit.run(&w, &7).await?;
    assert_eq!(charged.output().await?, "(Some(7), Some(8)) false");
    assert_eq!(judged.get(), 1);

    let run = kit.run(&w, &91).await?;
    assert_eq!(run.output().await?, "(None, None) true");
    assert_eq!(judged.get(), 2);
    assert_eq!(
        tasks(&run).await?,
        "score SUCCEEDED\ncharge SKIPPED: skipped on output of `score`\n\
         receipt SKIPPED: `charge` was skipped\nreport SUCCEEDED\n"
    );
    let log = run.log().await?;
    assert_eq!(
        log.lines().filter(|line| line.contains("condition") || line.contains("skipped")).collect::<Vec<_>>(),
        [
            "conditions_opened charge",
            "condition_decided charge 0 true",
            "task_skipped charge skipped on output of `score`",
            "task_skipped receipt `charge` was skipped",
        ]
    );
    let view = run.get().await?;
    let charge = view.task("charge").expect("the task");
    assert!(charge.finished_at.is_some() && charge.started_at.is_none() && charge.attempts.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_graph_shows_who_was_skipped_and_why() -> anyhow::Result<()> {
    let w = checkout(&Counter::default());
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &91).await?;
    run.output().await?;
    let graph: Graph = runlog::inspect::graph(&*kit.store(), run.id()).await?.expect("a run");
    let skipped: Vec<_> = graph
        .ascii(200)
        .lines()
        .filter(|line| line.contains('–'))
        .map(|line| line.trim().to_owned())
        .collect();
    let text = skipped.join("\n");
    assert!(text.contains("– charge (skipped on output of `score`)"), "{text}");
    assert!(text.contains("– receipt (`charge` was skipped)"), "{text}");
    assert!(graph.mermaid().contains("charge (skipped on output of"), "{}", graph.mermaid());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_output_is_skipped_gives_none_to_its_parent_too() -> anyhow::Result<()> {
    let w = Workflow::dag("child");
    let a = number(&w, "a");
    let b = number(&w, "b").skip_if(When::output(&a, |n| *n > 1));
    let child = w.output(b.optional());
    let inner = child.clone();
    let parent = Workflow::function("parent", move |cx: Cx, n: u32| {
        let child = inner.clone();
        async move { anyhow::Ok((cx.child(&child, n).await?, cx.child(&child, 0).await?)) }
    });
    let kit = Kit::builder().workflow(child.clone()).workflow(parent.clone()).start().await?;
    assert_eq!(kit.run(&parent, &2).await?.output().await?, (None, Some(0)));
    assert_eq!(kit.run(&child, &2).await?.output().await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_a_signal_says_so_and_may_take_it() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let a = w.task("a", |cx: Cx, _: u32| async move { anyhow::Ok(cx.signal::<String>("approved").await?) });
    let w = w.output(&a.wait_for(When::signal("approved")));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &1).await?;
    kit.advance(days(3)).await;
    assert_eq!(waits(&run).await?, ["signal `approved`, to begin `a`"]);
    let reason = why(&*kit.store(), run.id()).await?.expect("a run");
    let headline = reason.headline();
    assert!(headline.starts_with("d: waits for signal `approved`, to begin `a` since "), "{headline}");
    assert!(matches!(&reason.actions[0], Action::Signal { name, .. } if *name == *"approved"), "{reason:?}");
    run.signal("other", &1).await?;
    kit.advance(secs(10)).await;
    assert_eq!(run.get().await?.tasks[0].status, TaskStatus::Queued);
    run.signal("approved", &"Ada").await?;
    assert_eq!(run.output().await?.as_deref(), Some("Ada"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_signal_lets_all_begin_that_wait_for_it_and_an_early_one_counts() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let a = number(&w, "a").wait_for(When::signal("go"));
    let slow = w.task("slow", |_, n: u32| async move {
        tokio::time::sleep(secs(60)).await;
        Ok::<_, Infallible>(n)
    });
    let late = number(&w, "late").after(&slow).wait_for(When::signal("go"));
    let end = w.task_after("end", (&a, &late), |_, _, (a, b)| async move { Ok::<u32, Infallible>(a + b) });
    let w = w.output(&end);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &2).await?;
    kit.advance(secs(10)).await;
    run.signal("go", &()).await?;
    assert_eq!(run.output().await?, 4);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_is_not_the_right_one_is_passed_over() -> anyhow::Result<()> {
    let judged = Counter::default();
    let counter = judged.clone();
    let w = Workflow::dag("d");
    let right = When::signal_that("amount", move |amount: &u32| {
        counter.hit();
        *amount > 10
    });
    let w = w.output(&number(&w, "a").wait_for(right));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &2).await?;
    for amount in [1, 2, 11, 3] {
        run.signal("amount", &amount).await?;
        kit.advance(days(1)).await;
        assert_eq!(run.get().await?.status.is_terminal(), amount >= 11 || amount == 3);
        if amount == 11 {
            break;
        }
    }
    assert_eq!(run.output().await?, 2);
    assert_eq!(judged.get(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn time_and_signals_are_joined_by_and_and_or() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let soon = When::elapsed(secs(60)).and(When::signal("ready"));
    let w = w.output(&number(&w, "a").wait_for(soon.or(When::elapsed(days(2)))));
    let kit = Kit::builder().workflow(w.clone()).start().await?;

    let by_both = kit.run(&w, &1).await?;
    by_both.signal("ready", &()).await?;
    kit.advance(secs(30)).await;
    assert!(waits(&by_both).await?[0].starts_with("60s or 172800s, to begin `a`, next look at "));
    kit.advance(secs(31)).await;
    assert_eq!(by_both.get().await?.status, Status::Succeeded);

    let by_time = kit.run(&w, &1).await?;
    kit.advance(days(1)).await;
    assert!(waits(&by_time).await?[0].starts_with("signal `ready` or 172800s, to begin `a`"));
    assert_eq!(by_time.output().await?, 1);
    let view = by_time.get().await?;
    let began = view.tasks[0].started_at.expect("it began") - view.started_at.expect("it started");
    assert_eq!(began.num_hours(), 48);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_what_cannot_come_is_skipped() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let flag = number(&w, "flag");
    let on = number(&w, "on").wait_for(When::output(&flag, |n| *n == 1).and(When::signal("go")));
    let off = number(&w, "off").wait_for(When::output(&flag, |n| *n == 0));
    let end = w.task_after("end", (on.optional(), off.optional()), |_, _, both| async move {
        Ok::<(Option<u32>, Option<u32>), Infallible>(both)
    });
    let w = w.output(&end);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &0).await?;
    assert_eq!(run.output().await?, (None, Some(0)));
    let told = tasks(&run).await?;
    let because = "on SKIPPED: it waits for output of `flag` and signal `go`, which cannot come";
    assert!(told.contains(because), "{told}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_condition_cancels_the_run_before_its_task_begins() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let w = w.output(&number(&w, "a").wait_for(When::signal("go")).cancel_if(When::elapsed(days(1))));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &1).await?;
    assert_eq!(run.wait().await?, Status::Cancelled);
    assert_eq!(run.log().await?.lines().last(), Some("run_cancelled"));
    let view = run.get().await?;
    assert_eq!((view.finished_at.expect("it ended") - view.created_at).num_hours(), 24);
    let end = format!("{:?}", view.end);
    assert!(end.contains("86400s") && end.contains("the condition of task `a`"), "{end}");

    let in_time = kit.run(&w, &1).await?;
    in_time.signal("go", &()).await?;
    assert_eq!(in_time.output().await?, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn code_at_work_is_told_when_a_condition_cancels_the_run() -> anyhow::Result<()> {
    let told = Counter::default();
    let hears = told.clone();
    let w = Workflow::dag("d");
    let busy = w.task("busy", move |cx: Cx, n: u32| {
        let hears = hears.clone();
        async move {
            cx.cancelled().await;
            hears.hit();
            Ok::<_, Infallible>(n)
        }
    });
    let a = number(&w, "a")
        .wait_for(When::signal("go"))
        .cancel_if(When::signal_that("stop", |sure: &bool| *sure));
    let end = number(&w, "end").after((&busy, &a));
    let w = w.output(&end);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &1).await?;
    run.signal("stop", &false).await?;
    kit.advance(secs(100)).await;
    assert_eq!(run.get().await?.status, Status::Running);
    run.signal("stop", &true).await?;
    assert_eq!(run.wait().await?, Status::Cancelled);
    assert_eq!(told.get(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_failed_ends_the_wait_of_the_others() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let bad = w.task("bad", |_, _: u32| async {
        tokio::time::sleep(secs(5)).await;
        Err::<u32, _>(Numbered(1))
    });
    let a = number(&w, "a").wait_for(When::signal("go"));
    let end = number(&w, "end").after((&bad, &a));
    let w = w.output(&end);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &1).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    assert_eq!(tasks(&run).await?, "bad FAILED\na CANCELLED\nend CANCELLED\n");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_cannot_judge_fails_its_task_and_judges_again_in_a_replay() -> anyhow::Result<()> {
    let tries = Counter::default();
    let counter = tries.clone();
    let w = Workflow::dag("d");
    let a = number(&w, "a");
    let b = number(&w, "b").skip_if(When::output(&a, move |_| {
        assert!(counter.hit() > 1, "not yet");
        false
    }));
    let w = w.output(b.optional());
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &3).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let view = run.get().await?;
    let error = view.error().expect("an error");
    assert_eq!((&*error.kind, &*error.message), ("condition", "a condition panicked: not yet"));
    let (replay, plan) = run.replay(ReplayOptions::default()).await?;
    assert_eq!(replay.output().await?, Some(3));
    assert_eq!((tries.get(), plan.reused.len(), plan.rerun.len()), (2, 1, 1));

    let w = Workflow::dag("e");
    let w = w.output(&number(&w, "a").wait_for(When::signal_that("go", |_: &u32| true)));
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &3).await?;
    run.signal("go", &"text").await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let told = format!("{:?}", run.get().await?.error());
    assert!(told.contains("a condition cannot read what it is to judge"), "{told}");
    Ok(())
}

/// `flag`, then `left` or `right`, then `pay` which waits for a signal and fails until the world is repaired.
fn branches(judged: &Counter, broken: &Counter) -> Workflow<u32, u32> {
    let (judged, broken) = (judged.clone(), broken.clone());
    let w = Workflow::dag("d");
    let flag = number(&w, "flag");
    let left = number(&w, "left").skip_if(When::output(&flag, move |_| judged.hit() == 1));
    let after_left = number(&w, "after left").after(&left);
    let pay = w.task("pay", move |_, n: u32| {
        let tried = broken.hit();
        async move { if tried == 1 { Err(Numbered(tried)) } else { Ok(n) } }
    });
    let pay = pay.after((left.optional(), after_left.optional())).wait_for(When::signal("go"));
    w.output(&pay)
}

#[tokio::test(start_paused = true)]
async fn a_replay_takes_over_who_was_skipped_and_who_had_begun() -> anyhow::Result<()> {
    let (judged, broken) = (Counter::default(), Counter::default());
    let w = branches(&judged, &broken);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &3).await?;
    run.signal("go", &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);

    let (replay, plan) = run.replay(ReplayOptions::default()).await?;

    // Nobody judges or sends a second time.
    assert_eq!(replay.output().await?, 3);
    assert_eq!((judged.get(), broken.get()), (1, 2));
    let names = |tasks: &[runlog::model::TaskName]| tasks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (names(&plan.reused), names(&plan.skipped)),
        (vec!["flag".into()], vec!["left".into(), "after left".into()])
    );
    assert_eq!(names(&plan.rerun), ["pay"]);
    assert_eq!(
        tasks(&replay).await?,
        "flag REUSED\nleft SKIPPED: skipped on output of `flag`\nafter left SKIPPED: `left` was skipped\npay SUCCEEDED\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replay_from_the_start_judges_anew_and_waits_again() -> anyhow::Result<()> {
    let (judged, broken) = (Counter::default(), Counter::default());
    let w = branches(&judged, &broken);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &3).await?;
    run.signal("go", &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);

    let (replay, _) = run.replay(ReplayOptions::default().from_start()).await?;
    kit.advance(days(1)).await;

    assert_eq!(waits(&replay).await?, ["signal `go`, to begin `pay`"]);
    assert_eq!(judged.get(), 2);
    replay.signal("go", &()).await?;
    assert_eq!(replay.output().await?, 3);
    assert!(tasks(&replay).await?.contains("left SUCCEEDED"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn conditions_survive_a_crash_at_every_commit() -> anyhow::Result<()> {
    let w = Workflow::dag("d");
    let flag = number(&w, "flag");
    let left = number(&w, "left").skip_if(When::output(&flag, |n| *n == 1));
    let right = number(&w, "right").wait_for(When::output(&flag, |n| *n == 1).and(When::elapsed(secs(100))));
    let right = right.cancel_if(When::signal("never"));
    let joined = w.task_after("joined", (left.optional(), right.optional()), |cx: Cx, _, both| async move {
        let step = cx.step("step", || async { Ok::<_, Infallible>(5) }).await?;
        anyhow::Ok((both, step, cx.was_skipped("left")))
    });
    let joined = joined.wait_for(When::signal_that("go", |n: &u32| *n > 1).or(When::elapsed(days(9))));
    let w = w.output(&joined);
    let report = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            let run = kit.run(&w, &1).await.expect("it starts");
            kit.advance(secs(50)).await;
            for n in [1, 2] {
                run.signal("go", &n).await.expect("it is taken");
            }
            let output = run.output().await.expect("it succeeds");
            let took = run.get().await.expect("a run");
            let hours = (took.finished_at.expect("it ended") - took.created_at).num_hours();
            (output, hours, tasks(&run).await.expect("tasks"))
        })
        .await?;
    let told =
        "flag SUCCEEDED\nleft SKIPPED: skipped on output of `flag`\nright SUCCEEDED\njoined SUCCEEDED\n";
    assert_eq!(report.outcome, (((None, Some(1)), 5, true), 0, told.to_owned()));
    assert!(report.commits > 5, "{report:?}");
    assert_eq!(report.crashes, 2 * report.commits);
    Ok(())
}
