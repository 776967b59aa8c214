//! Divergence: code that does not fit its log blocks the run and never loses it.

use runlog::testing::{Kit, KitBuilder};
use runlog::{Cx, Status, Workflow};

use super::{Infallible, days, secs};

/// The code as it was: two steps, a sleep, a third step.
fn original() -> Workflow<(), u32> {
    Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        let b = cx.step("b", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        let c = cx.step("c", || async { Ok::<_, Infallible>(3) }).await?;
        anyhow::Ok(a + b + c)
    })
}

fn builder(w: &Workflow<(), u32>) -> KitBuilder {
    Kit::builder().workflow(w.clone())
}

/// Leaves out where the code is.
fn unplaced(text: &str) -> String {
    match text.split_once(" (tests/") {
        Some((before, after)) => format!("{before}{}", after.split_once(')').map_or("", |(_, after)| after)),
        None => text.to_owned(),
    }
}

/// Starts a run of the original, deploys `changed`, and expects `report`; then deploys the original again.
async fn blocks(changed: Workflow<(), u32>, report: &str) -> anyhow::Result<()> {
    let kit = builder(&original()).start().await?;
    let run = kit.run(&original(), &()).await?;
    kit.advance(secs(10)).await;
    kit.deploy(builder(&changed)).await?;
    kit.advance(secs(25 * 3_600)).await;
    let view = run.get().await?;
    assert_eq!(view.status, Status::Running);
    let waits: Vec<_> = view.waiting.iter().map(|wait| unplaced(&wait.to_string())).collect();
    assert_eq!(waits, [format!("code that fits its log: task `w`: {report}")]);
    assert_eq!(kit.current()?.live_runs(), 0, "a blocked run is parked");
    let blocked = run.log().await?.matches("run_blocked").count();
    assert_eq!(blocked, 1, "one report is recorded once");
    kit.deploy(builder(&original())).await?;
    assert_eq!(run.output().await?, 6);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_renamed_step_blocks_the_run() -> anyhow::Result<()> {
    let changed = Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        let b = cx.step("B", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(a + b)
    });
    blocks(changed, "the log has a step `b` where the code asks for a step `B`").await
}

#[tokio::test(start_paused = true)]
async fn a_changed_kind_blocks_the_run() -> anyhow::Result<()> {
    let changed = Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        let b = cx.signal::<u32>("b").await?.unwrap_or_default();
        cx.sleep(days(1)).await?;
        anyhow::Ok(a + b)
    });
    blocks(changed, "the log has a step `b` where the code asks for a signal `b`").await
}

#[tokio::test(start_paused = true)]
async fn a_changed_input_blocks_the_run() -> anyhow::Result<()> {
    let changed = Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("y").await?;
        let b = cx.step("b", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(a + b)
    });
    let hash = |value: &str| {
        use sha2::{Digest, Sha256};
        Sha256::digest(value).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (ours, logs) = (hash("\"y\""), hash("\"x\""));
    let report = format!("the code gives the step `a` another input: {ours}, the log has {logs}");
    blocks(changed, &report).await
}

#[tokio::test(start_paused = true)]
async fn a_removed_step_blocks_the_run() -> anyhow::Result<()> {
    let changed = Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(a)
    });
    blocks(changed, "the log has a step `b` that the code does not ask for").await
}

#[tokio::test(start_paused = true)]
async fn an_added_step_blocks_the_run() -> anyhow::Result<()> {
    let changed = Workflow::function("w", |cx: Cx, ()| async move {
        let new = cx.step("new", || async { Ok::<_, Infallible>(9) }).await?;
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        let b = cx.step("b", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(new + a + b)
    });
    blocks(changed, "the code asks for a step `new` that the log does not have").await
}

#[tokio::test(start_paused = true)]
async fn a_clock_reading_or_a_race_in_the_place_of_a_step_blocks_the_run() -> anyhow::Result<()> {
    let named = |name: &'static str| {
        Workflow::function("w", move |cx: Cx, ()| async move {
            let a = cx.step(name, || async { Ok::<_, Infallible>(1) }).await?;
            cx.sleep(days(1)).await?;
            anyhow::Ok(a)
        })
    };
    let reads = Workflow::function("w", |cx: Cx, ()| async move {
        let _now = cx.now();
        cx.sleep(days(1)).await?;
        anyhow::Ok(1)
    });
    let races = Workflow::function("w", |cx: Cx, ()| async move {
        let _won = cx.race(cx.sleep(days(1)), cx.sleep(days(2))).await;
        anyhow::Ok(1)
    });
    for (name, changed) in [("now", reads), ("race", races)] {
        let kit = builder(&named(name)).start().await?;
        let run = kit.run(&named(name), &()).await?;
        kit.advance(secs(10)).await;
        kit.deploy(builder(&changed)).await?;
        kit.advance(secs(25 * 3_600)).await;
        let waits = run.get().await?.waiting.iter().map(ToString::to_string).collect::<Vec<_>>();
        let report = format!("code that fits its log: task `w`: the log has a step `{name}`");
        assert!(waits.len() == 1 && waits.iter().all(|wait| wait.starts_with(&report)), "{waits:?}");
        kit.deploy(builder(&named(name))).await?;
        assert_eq!(run.output().await?, 1);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_blocked_run_can_be_cancelled_and_times_out() -> anyhow::Result<()> {
    let changed = Workflow::function("w", |cx: Cx, ()| async move {
        anyhow::Ok(cx.step("other", || async { Ok::<_, Infallible>(1) }).await?)
    });
    let kit = builder(&original()).start().await?;
    let run = kit.run(&original(), &()).await?;
    let late = kit.run_with(&original(), &(), |run| run.timeout(secs(26 * 3_600))).await?;
    kit.advance(secs(10)).await;
    kit.deploy(builder(&changed)).await?;
    kit.advance(secs(25 * 3_600)).await;
    run.cancel(runlog::CancelOptions::default()).await?;
    assert_eq!(run.wait().await?, Status::Cancelled);
    assert_eq!(late.wait().await?, Status::TimedOut);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_report_shows_both_sides_with_source_lines() -> anyhow::Result<()> {
    let line = line!();
    let changed = Workflow::function("w", |cx: Cx, ()| async move {
        let b = cx.step("b", || async { Ok::<_, Infallible>(2) }).await?;
        let _never = cx.signal::<u32>("new").await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(b)
    });
    let kit = builder(&original()).start().await?;
    let run = kit.run(&original(), &()).await?;
    kit.advance(secs(10)).await;
    kit.deploy(builder(&changed)).await?;
    kit.advance(secs(25 * 3_600)).await;
    let view = run.get().await?;
    let [runlog::model::Waiting::Blocked { report }] = view.waiting.as_slice() else {
        anyhow::bail!("waits for {:?}", view.waiting)
    };
    let at = |after: u32| format!("tests/it/workflow/divergence.rs:{}", line + after);
    let expected = format!(
        "task `w`: the log has a step `a` that the code does not ask for; and 1 more difference\n\
         \x20 recorded      | code\n\
         - step `a`      | [removed]\n\
         \x20 step `b`      | step `b`  {}\n\
         +               | signal `new`  {}  [inserted]\n\
         \x20 sleep `sleep` | sleep `sleep`  {}",
        at(2),
        at(3),
        at(4),
    );
    assert_eq!(*report, expected);
    Ok(())
}
