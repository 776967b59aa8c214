//! Why a run stands still, where that takes a deploy, a crash or much time.

use runlog::inspect::{Action, Cause, Fault, Why, why};
use runlog::testing::Kit;
use runlog::{Cx, Status, Workflow};

use crate::workflow::{Infallible, days, secs};

async fn why_of(kit: &Kit, run: runlog::RunId) -> anyhow::Result<Why> {
    Ok(why(&*kit.store(), run).await?.expect("a run"))
}

#[tokio::test(start_paused = true)]
async fn code_that_does_not_fit_the_log() -> anyhow::Result<()> {
    let code = |step: &'static str| {
        Workflow::function("w", move |cx: Cx, ()| async move {
            cx.step(step, || async { Ok::<_, Infallible>(1) }).await?;
            cx.sleep(days(1)).await?;
            anyhow::Ok(())
        })
    };
    let kit = Kit::builder().workflow(code("a")).start().await?;
    let run = kit.run(&code("a"), &()).await?;
    kit.advance(secs(10)).await;
    kit.deploy(Kit::builder().workflow(code("b"))).await?;
    kit.advance(days(2)).await;

    let why = why_of(&kit, run.id()).await?;

    let Cause::Blocked { report } = &why.cause else { panic!("{:?}", why.cause) };
    let first = report.lines().next().unwrap_or_default();
    assert_eq!(why.headline(), format!("w: blocked: its code does not fit its log: {first}"));
    assert!(report.contains("`b`") && report.contains("`a`"), "{report}");
    assert_eq!(why.status, Status::Running);
    assert!(matches!(&why.actions[0], Action::Deploy { run: blocked, .. } if *blocked == run.id()));
    let blocked =
        why.waits.iter().find(|wait| matches!(wait.waiting, runlog::model::Waiting::Blocked { .. }));
    assert!(blocked.is_some_and(|wait| wait.since > Some(why.created_at)), "{:?}", why.waits);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_step_that_runs_at_most_once_and_was_interrupted() -> anyhow::Result<()> {
    let pays = Workflow::function("pays", |cx: Cx, ()| async move {
        let slowly = || async {
            tokio::time::sleep(secs(10)).await;
            Ok::<_, Infallible>(())
        };
        anyhow::Ok(cx.step("pay", slowly).at_most_once().await?)
    });
    let kit = Kit::builder().workflow(pays.clone()).start().await?;
    let run = kit.run(&pays, &()).await?;
    kit.advance(secs(5)).await;
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.wait().await?, Status::Failed);

    let why = why_of(&kit, run.id()).await?;

    assert_eq!(
        why.headline(),
        "pays: was interrupted in step `pay`: its process died before the outcome was recorded"
    );
    assert!(matches!(why.cause, Cause::Failed { fault: Fault::Interrupted, .. }), "{:?}", why.cause);
    assert!(matches!(&why.actions[0], Action::CheckEffect { step, .. } if step == "`pay`"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_did_not_come_for_thirty_days() -> anyhow::Result<()> {
    let trial = Workflow::function("trial", |cx: Cx, ()| async move {
        anyhow::Ok(cx.signal::<bool>("decided").timeout(days(60)).await?)
    });
    let kit = Kit::builder().workflow(trial.clone()).start().await?;
    let run = kit.run(&trial, &()).await?;
    kit.advance(days(30)).await;

    let why = why_of(&kit, run.id()).await?;

    let waited = kit.now() - why.waits[0].since.expect("a beginning");
    assert!(waited > chrono::TimeDelta::days(29), "{waited}");
    assert!(why.headline().starts_with("trial: waits for signal `decided` until "), "{}", why.headline());
    Ok(())
}
