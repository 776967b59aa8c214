//! Cancelling: who is told, what ends, and who wins.

use std::time::Duration;

use runlog::runtime::Cancelled;
use runlog::testing::Kit;
use runlog::{CancelOptions, Cx, CxError, Error, Retry, RunError, Status, TaskStatus, Workflow};

use crate::workflow::{Counter, Infallible, Numbered, days, secs};

fn options() -> CancelOptions {
    CancelOptions::default().reason("too late").by("ada")
}

fn sleeper() -> Workflow<(), ()> {
    Workflow::function("sleeper", |cx: Cx, ()| async move { anyhow::Ok(cx.sleep(days(30)).await?) })
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_never_starts() -> anyhow::Result<()> {
    let started = Counter::default();
    let w = {
        let started = started.clone();
        Workflow::function("f", move |_, ()| std::future::ready(Ok::<_, Infallible>(started.hit())))
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run_with(&w, &(), |run| run.delay(secs(60))).await?;
    assert_eq!(run.cancel(options()).await?, Cancelled::Ended);
    kit.advance(days(1)).await;
    assert_eq!(run.log().await?, "run_created\nrun_cancelled\n");
    assert_eq!(started.get(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn running_code_is_told_within_a_second_and_may_clean_up() -> anyhow::Result<()> {
    let cleaned = Counter::default();
    let w = {
        let cleaned = cleaned.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let cleaned = cleaned.clone();
            async move {
                tokio::select! {
                    () = cx.cancelled() => {}
                    () = tokio::time::sleep(days(9)) => {}
                }
                assert!(cx.is_cancelled());
                tokio::time::sleep(secs(3)).await;
                cleaned.hit();
                anyhow::Ok(())
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(100)).await;
    assert_eq!(run.cancel(options()).await?, Cancelled::Ending);
    assert!(run.get().await?.waiting[0].to_string().starts_with("its code to end"));
    let Err(RunError::Cancelled { reason, by, .. }) = run.output().await else { panic!("it is cancelled") };
    assert_eq!((reason.as_deref(), by.as_deref()), (Some("too late"), Some("ada")));
    assert_eq!(cleaned.get(), 1);
    let view = run.get().await?;
    let took = view.finished_at.expect("an end") - view.created_at - chrono::TimeDelta::seconds(103);
    assert!(took < chrono::TimeDelta::seconds(1), "told after {took}");
    assert_eq!(
        run.log().await?,
        "run_created\nrun_started\nattempt_started\ncancel_requested\nattempt_succeeded\nrun_cancelled\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn code_that_does_not_listen_is_aborted_after_its_grace() -> anyhow::Result<()> {
    let done = Counter::default();
    let w = {
        let done = done.clone();
        Workflow::function("f", move |_, ()| {
            let done = done.clone();
            async move {
                tokio::time::sleep(secs(60)).await;
                Ok::<_, Infallible>(done.hit())
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(10)).await;
    run.cancel(options().grace(secs(20))).await?;
    assert_eq!(run.wait().await?, Status::Cancelled);
    let view = run.get().await?;
    let ended = view.finished_at.expect("an end") - view.created_at;
    assert_eq!(ended.num_seconds(), 30);
    assert_eq!(view.tasks[0].status, TaskStatus::Cancelled);
    kit.advance(days(1)).await;
    assert_eq!(done.get(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn durable_waits_answer_cancelled_at_once_parked_or_not() -> anyhow::Result<()> {
    let told = Counter::default();
    let w = {
        let told = told.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let told = told.clone();
            async move {
                if let Err(CxError::Cancelled { reason, by }) = cx.signal::<u32>("never").await {
                    assert_eq!((reason.as_deref(), by.as_deref()), (Some("too late"), Some("ada")));
                    told.hit();
                }
                anyhow::Ok(())
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    for (wait, live) in [(0, 1), (100, 0)] {
        let run = kit.run(&w, &()).await?;
        kit.advance(secs(wait)).await;
        kit.settle().await;
        assert_eq!(kit.current()?.live_runs(), live);
        let before = told.get();
        run.cancel(options()).await?;
        let asked = kit.now();
        assert_eq!(run.wait().await?, Status::Cancelled);
        assert!(kit.now() - asked < chrono::TimeDelta::seconds(1));
        assert_eq!(told.get() - before, 1, "after {wait} s");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn later_tasks_never_start_and_running_ones_are_told() -> anyhow::Result<()> {
    let late = Counter::default();
    let w = Workflow::dag("d");
    let first = w.task("first", |_, ()| async {
        tokio::time::sleep(secs(12)).await;
        Ok::<_, Infallible>(1)
    });
    let second = {
        let late = late.clone();
        w.task_after("second", &first, move |_, (), _| std::future::ready(Ok::<_, Infallible>(late.hit())))
    };
    let w = w.output(&second);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(10)).await;
    run.cancel(options()).await?;
    assert_eq!(run.wait().await?, Status::Cancelled);
    let view = run.get().await?;
    assert_eq!((view.tasks[0].status, view.tasks[1].status), (TaskStatus::Succeeded, TaskStatus::Cancelled));
    assert_eq!(late.get(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn children_are_cancelled_too_all_the_way_down() -> anyhow::Result<()> {
    let leaf = sleeper();
    let middle =
        Workflow::function("middle", |cx: Cx, ()| async move { anyhow::Ok(cx.child(&sleeper(), ()).await?) });
    let w = {
        let middle = middle.clone();
        Workflow::function("top", move |cx: Cx, ()| {
            let middle = middle.clone();
            async move { anyhow::Ok(cx.child(&middle, ()).await?) }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).workflow(middle).workflow(leaf).start().await?;
    for wait in [0, 100] {
        let run = kit.run(&w, &()).await?;
        kit.advance(secs(wait)).await;
        kit.settle().await;
        run.cancel(options()).await?;
        assert_eq!(run.wait().await?, Status::Cancelled);
        kit.advance(secs(10)).await;
        let child = kit.find(run.get().await?.children[0].0);
        let leaf = kit.find(child.get().await?.children[0].0);
        assert_eq!(
            (child.get().await?.status, leaf.get().await?.status),
            (Status::Cancelled, Status::Cancelled)
        );
        let Err(RunError::Cancelled { reason, by, .. }) = leaf.output().await else {
            panic!("it is cancelled")
        };
        assert_eq!(reason.as_deref(), Some("its parent run was cancelled"));
        assert_eq!(by, Some(format!("run {}", child.id())));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_that_starts_while_its_parent_is_being_cancelled_does_not_outlive_it() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        cx.cancelled().await;
        let child = cx.child(&sleeper(), ()).await;
        assert!(matches!(child, Err(CxError::Cancelled { .. })));
        anyhow::Ok(())
    });
    let kit = Kit::builder().workflow(w.clone()).workflow(sleeper()).start().await?;
    let run = kit.run(&w, &()).await?;
    run.cancel(options()).await?;
    assert_eq!(run.wait().await?, Status::Cancelled);
    assert_eq!(run.get().await?.children, []);
    assert_eq!(
        run.log().await?,
        "run_created\nrun_started\nattempt_started\ncancel_requested\nattempt_succeeded\nrun_cancelled\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn reason_who_and_when_are_in_the_log_and_in_the_view() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(sleeper()).start().await?;
    let run = kit.run_with(&sleeper(), &(), |run| run.delay(days(1))).await?;
    kit.advance(secs(7)).await;
    run.cancel(options()).await?;
    let view = run.get().await?;
    let end = runlog::model::state::End::Cancelled {
        reason: Some("too late".to_owned()),
        by: Some("ada".to_owned()),
    };
    assert_eq!(view.end, Some(end));
    assert_eq!((view.finished_at.expect("an end") - view.created_at).num_seconds(), 7);
    let events = kit.current()?.events(run.id(), 1, 9).await?;
    let payload = events[0].event.encode()?.payload;
    assert_eq!(payload, r#"{"reason":"too late","by":"ada"}"#);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_finished_run_is_refused() -> anyhow::Result<()> {
    let ends =
        Workflow::function("ends", |_, ok: bool| async move { if ok { Ok(()) } else { Err(Numbered(1)) } });
    let kit = Kit::builder().workflow(ends.clone()).workflow(sleeper()).start().await?;
    for (ok, status) in [(true, Status::Succeeded), (false, Status::Failed)] {
        let run = kit.run(&ends, &ok).await?;
        run.wait().await?;
        let refused = run.cancel(options()).await.expect_err("it ended");
        assert!(matches!(refused, Error::Finished { status: found, .. } if found == status));
        assert_eq!(
            refused.to_string(),
            format!("run {} ended as {status}: it cannot be cancelled", run.id())
        );
    }
    let late = kit.run_with(&sleeper(), &(), |run| run.timeout(secs(5))).await?;
    assert_eq!(late.wait().await?, Status::TimedOut);
    assert!(matches!(late.cancel(options()).await, Err(Error::Finished { status: Status::TimedOut, .. })));
    let unknown = kit.find(runlog::RunId::from_tick(1, 1)).cancel(options()).await;
    assert!(matches!(unknown, Err(Error::NotFound { .. })));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_second_cancel_answers_the_same_without_a_second_event() -> anyhow::Result<()> {
    let stubborn = Workflow::function("stubborn", |_, ()| async {
        tokio::time::sleep(secs(60)).await;
        Ok::<_, Infallible>(())
    });
    let kit = Kit::builder().workflow(stubborn.clone()).start().await?;
    let run = kit.run(&stubborn, &()).await?;
    for _ in 0..3 {
        assert_eq!(run.cancel(options()).await?, Cancelled::Ending);
    }
    run.wait().await?;
    for _ in 0..2 {
        assert_eq!(run.cancel(CancelOptions::default().by("bob")).await?, Cancelled::Ended);
    }
    assert_eq!(
        run.log().await?,
        "run_created\nrun_started\nattempt_started\ncancel_requested\nrun_cancelled\n"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_never_retries() -> anyhow::Result<()> {
    let tried = Counter::default();
    let w = {
        let tried = tried.clone();
        Workflow::function("f", move |_, slow: bool| {
            let tried = tried.clone();
            async move {
                tried.hit();
                if slow {
                    tokio::time::sleep(secs(12)).await;
                }
                Err::<(), _>(Numbered(1))
            }
        })
        .retry(Retry::fixed(secs(60)))
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    for slow in [true, false] {
        let run = kit.run(&w, &slow).await?;
        kit.advance(secs(10)).await;
        let before = tried.get();
        run.cancel(options()).await?;
        let asked = kit.now();
        assert_eq!(run.wait().await?, Status::Cancelled);
        assert!(kit.now() - asked < chrono::TimeDelta::seconds(3));
        kit.advance(days(1)).await;
        assert_eq!(tried.get(), before);
    }
    Ok(())
}

/// One race between a cancel and the end of the code; `seed` draws when each happens, to a tenth of a millisecond.
async fn race(kit: &Kit, w: &Workflow<u64, ()>, seed: u64) -> anyhow::Result<(Status, bool)> {
    let draw = |salt: u64| {
        (seed.wrapping_mul(6_364_136_223_846_793_005) ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
    };
    let (code, cancel) = (draw(1) % 30, draw(2) % 30);
    let run = kit.run(w, &(code * 100)).await?;
    tokio::time::sleep(Duration::from_micros(cancel * 100)).await;
    let accepted = run.cancel(options().grace(Duration::from_millis(draw(3) % 3))).await;
    let accepted = match accepted {
        Ok(_) => true,
        Err(Error::Finished { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    let status = run.wait().await?;
    let log = run.log().await?;
    let ends = ["run_succeeded", "run_failed", "run_cancelled", "run_timed_out"];
    let found: usize = ends.iter().map(|end| log.matches(end).count()).sum();
    assert_eq!(found, 1, "{log}");
    assert_eq!(accepted, status == Status::Cancelled, "accepted = {accepted}, and yet\n{log}");
    Ok((status, log.contains("cancel_requested")))
}

#[tokio::test(start_paused = true)]
async fn exactly_one_of_cancel_and_completion_wins_in_ten_thousand_schedules() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, micros: u64| async move {
        match micros {
            0 => {}
            micros if micros.is_multiple_of(300) => cx.sleep(Duration::from_micros(micros)).await?,
            micros => tokio::time::sleep(Duration::from_micros(micros)).await,
        }
        if micros.is_multiple_of(500) { Err(Numbered(1).into()) } else { anyhow::Ok(()) }
    });
    let mut seen = std::collections::BTreeMap::new();
    for batch in 0..400 {
        // A world of its own now and then, so that its logs do not grow for ever.
        let kit = Kit::builder().workflow(w.clone()).start().await?;
        for seed in 0..25 {
            *seen.entry(race(&kit, &w, batch * 25 + seed).await?).or_insert(0_u32) += 1;
        }
        kit.crash();
    }
    assert_eq!(seen.values().sum::<u32>(), 10_000);
    for outcome in [(Status::Succeeded, false), (Status::Failed, false), (Status::Cancelled, true)] {
        assert!(seen.get(&outcome).is_some_and(|count| *count > 100), "{seen:?}");
    }
    Ok(())
}
