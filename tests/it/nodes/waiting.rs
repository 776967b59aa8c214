//! Why a run waits is visible, whatever it waits for.

use std::time::Duration;

use runlog::{Cx, Retry, RunHandle, Workflow};

use crate::support::{Ground, echo, gate, json, on_both, until};

const HOUR: Duration = Duration::from_secs(3_600);

on_both! {
    every_reason_is_named
    a_run_that_was_due_when_its_last_node_died_says_that_nobody_serves_it
}

async fn reason<O>(run: &RunHandle<O>) -> String {
    let waiting = run.get().await.unwrap().waiting;
    waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

async fn becomes<O>(run: &RunHandle<O>, begins: &str) {
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while !reason(run).await.starts_with(begins) {
        assert!(tokio::time::Instant::now() < deadline, "{begins}: {}", reason(run).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn every_reason_is_named(ground: impl Ground) {
    let sleeps = Workflow::function("sleeps", |cx: Cx, ()| async move { anyhow::Ok(cx.sleep(HOUR).await?) });
    let tries = Workflow::function("tries", |cx: Cx, ()| async move {
        let fails = || async { Err::<(), _>(anyhow::anyhow!("no")) };
        anyhow::Ok(cx.step("try", fails).retry(Retry::fixed(HOUR)).await?)
    });
    let parent =
        Workflow::function(
            "parent",
            |cx: Cx, ()| async move { anyhow::Ok(cx.child(&gate(), 1.into()).await?) },
        );
    let node = ground
        .builder()
        .workflow(gate())
        .workflow(sleeps.clone())
        .workflow(tries.clone())
        .workflow(parent.clone())
        .workflow_slots("gate", 2)
        .park_after(HOUR);
    let node = node.start().await.unwrap();

    let signal = node.run(&gate(), 1.into()).start().await.unwrap();
    becomes(&signal, "signal `go`").await;
    becomes(&node.run(&sleeps, ()).start().await.unwrap(), "timer `sleep` until 2").await;
    becomes(&node.run(&tries, ()).start().await.unwrap(), "retry of `tries` at 2").await;
    becomes(&node.run(&parent, ()).start().await.unwrap(), "child run 0").await;
    becomes(&node.run(&gate(), 1.into()).delay(HOUR).start().await.unwrap(), "start at 2").await;
    let unserved = node.run(&echo(), json("1")).start().await.unwrap();
    becomes(&unserved, "a node that serves workflow echo version 1: none that lives does").await;
    let full = node.run(&gate(), 1.into()).start().await.unwrap();
    becomes(&full, "a free slot: the concurrency limit of each node that serves its workflow (1) is reached")
        .await;
}

async fn a_run_that_was_due_when_its_last_node_died_says_that_nobody_serves_it(ground: impl Ground) {
    let node = ground.builder().workflow(gate()).lease(Duration::from_millis(500)).start().await.unwrap();
    let watcher = ground.builder().start().await.unwrap();
    let run = watcher.run(&gate(), 1.into()).start().await.unwrap();
    until("it started", async || node.live_runs() == 1).await;
    node.crash();
    until("it was released", async || {
        reason(&run).await.contains("workflow gate version 1: none that lives does")
    })
    .await;
}
