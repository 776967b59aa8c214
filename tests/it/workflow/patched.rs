//! Patches: code that evolves under its live runs.

use runlog::testing::{Kit, KitBuilder};
use runlog::{Cx, Retry, Status, Workflow};

use super::{Counter, Infallible, Numbered, days, secs};

fn builder(w: &Workflow<(), String>) -> KitBuilder {
    Kit::builder().workflow(w.clone())
}

/// `reserve`, a night, `charge`.
fn old() -> Workflow<(), String> {
    Workflow::function("order", |cx: Cx, ()| async move {
        cx.step("reserve", || async { Ok::<_, Infallible>(1) }).await?;
        cx.sleep(days(1)).await?;
        cx.step("charge", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok("reserve charge".to_owned())
    })
}

/// The same with a fraud check before the charge.
fn new() -> Workflow<(), String> {
    Workflow::function("order", |cx: Cx, ()| async move {
        let mut did = "reserve".to_owned();
        cx.step("reserve", || async { Ok::<_, Infallible>(1) }).await?;
        cx.sleep(days(1)).await?;
        if cx.patched("fraud check") {
            cx.step("check", || async { Ok::<_, Infallible>(3) }).await?;
            did += " check";
        }
        cx.step("charge", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(did + " charge")
    })
}

#[tokio::test(start_paused = true)]
async fn a_patch_applies_to_runs_that_come_to_it_with_the_new_code() -> anyhow::Result<()> {
    let kit = builder(&old()).start().await?;
    let before = kit.run(&old(), &()).await?;
    kit.advance(secs(3_600)).await;
    kit.deploy(builder(&new())).await?;
    let fresh = kit.run(&new(), &()).await?;
    assert_eq!(before.output().await?, "reserve check charge");
    assert_eq!(fresh.output().await?, "reserve check charge");
    let log = before.log().await?;
    assert!(
        log.contains("timer_fired sleep#0\npatch_marked fraud check true\nstep_completed check#0"),
        "{log}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_patch_does_not_apply_to_runs_that_are_past_it() -> anyhow::Result<()> {
    let kit = builder(&old()).start().await?;
    let past = kit.run(&old(), &()).await?;
    kit.advance(secs(25 * 3_600)).await;
    kit.deploy(builder(&new())).await?;
    assert_eq!(past.output().await?, "reserve charge");
    let log = past.log().await?;
    assert!(log.contains("patch_marked fraud check false\n"), "{log}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_answer_survives_crashes_and_the_patchs_removal() -> anyhow::Result<()> {
    for (hours, told) in [(1, "reserve check charge"), (25, "reserve charge")] {
        let kit = builder(&old()).start().await?;
        let run = kit.run(&old(), &()).await?;
        kit.advance(secs(hours * 3_600)).await;
        kit.deploy(builder(&new())).await?;
        kit.advance(secs(26 * 3_600)).await;
        for _ in 0..3 {
            kit.crash();
            kit.recover().await?;
            kit.settle().await;
        }
        assert_eq!(run.output().await?, told);
        assert_eq!(run.log().await?.matches("patch_marked").count(), 1);
    }
    let cleaned = Workflow::function("order", |cx: Cx, ()| async move {
        cx.step("reserve", || async { Ok::<_, Infallible>(1) }).await?;
        cx.sleep(days(1)).await?;
        cx.step("check", || async { Ok::<_, Infallible>(3) }).await?;
        cx.step("charge", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok("cleaned".to_owned())
    });
    let kit = builder(&new()).start().await?;
    let run = kit.run(&new(), &()).await?;
    kit.advance(secs(25 * 3_600)).await;
    kit.deploy(builder(&cleaned)).await?;
    assert_eq!(run.output().await?, "cleaned");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_asked_for_often_and_marked_once() -> anyhow::Result<()> {
    let w: Workflow<(), String> = Workflow::function("w", |cx: Cx, ()| async move {
        let mut told = String::new();
        for turn in 0..3 {
            told += if cx.patched("once") { "y" } else { "n" };
            cx.step("turn", || async move { Ok::<_, Infallible>(turn) }).await?;
        }
        anyhow::Ok(told)
    });
    let outcome = Kit::builder()
        .workflow(w.clone())
        .crash_everywhere(async |kit| {
            let run = kit.run(&w, &()).await.expect("a run");
            let told = run.output().await.expect("an output");
            (told, run.log().await.expect("a log").matches("patch_marked").count())
        })
        .await?
        .outcome;
    assert_eq!(outcome, ("yyy".to_owned(), 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_attempt_is_past_what_an_earlier_one_did() -> anyhow::Result<()> {
    let hits = Counter::default();
    let failing = |patch: bool, hits: Counter| -> Workflow<(), String> {
        Workflow::function("w", move |cx: Cx, ()| {
            let hits = hits.clone();
            async move {
                let applies = patch && cx.patched("first");
                cx.step("paid", || async { Ok::<_, Infallible>(1) }).await?;
                match hits.hit() {
                    1 => Err(anyhow::Error::from(Numbered(1))),
                    _ => Ok(format!("{} {applies}", cx.attempt())),
                }
            }
        })
        .retry(Retry::fixed(days(1)).max_attempts(3))
    };
    let kit = builder(&failing(false, hits.clone())).start().await?;
    let run = kit.run(&failing(false, hits.clone()), &()).await?;
    kit.advance(secs(60)).await;
    kit.deploy(builder(&failing(true, hits))).await?;
    assert_eq!(run.output().await?, "2 false");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_patch_with_a_bad_id_blocks_the_run() -> anyhow::Result<()> {
    let w: Workflow<(), String> = Workflow::function("w", |cx: Cx, ()| async move {
        let _told = cx.patched("");
        cx.sleep(days(1)).await?;
        anyhow::Ok(String::new())
    });
    let kit = builder(&w).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(1)).await;
    let view = run.get().await?;
    assert_eq!(view.status, Status::Running);
    let waits: Vec<_> = view.waiting.iter().map(ToString::to_string).collect();
    assert_eq!(
        waits,
        ["code that fits its log: task `w`: the patch's id is empty: give it at least one character"]
    );
    Ok(())
}
