//! What one node starts or asks reaches the run wherever it lives.

use std::time::Duration;

use runlog::{CancelOptions, Cx, Status, Workflow};

use crate::support::{Ground, echo, gate, json, on_both, soon, until};

/// Nothing but news, or nothing at all, makes a node look within a test.
const NEVER: Duration = Duration::from_secs(3_600);

on_both! {
    a_run_is_cancelled_from_any_node
    a_signal_reaches_a_run_that_lives_on_another_node_without_a_poll
    a_run_that_nobody_here_serves_starts_elsewhere_without_a_poll
    without_news_a_poll_finds_what_others_left
    parent_and_child_on_two_nodes_know_each_other
}

async fn a_run_is_cancelled_from_any_node(ground: impl Ground) {
    let owner = ground.builder().workflow(gate()).park_after(NEVER).start().await.unwrap();
    let other = ground.builder().start().await.unwrap();
    let live = owner.run(&gate(), 1.into()).start().await.unwrap();
    let queued = owner.run(&gate(), 1.into()).delay(NEVER).start().await.unwrap();
    assert_eq!(owner.live_runs(), 1);

    for run in [live, queued] {
        let why = CancelOptions::default().reason("enough").by("ada").grace(Duration::ZERO);
        soon("the answer", other.cancel(run.id(), why)).await.unwrap();

        let status = soon("its end", other.handle(run.id()).wait()).await.unwrap();
        assert_eq!(status, Status::Cancelled);
        let end = run.get().await.unwrap().end.expect("an end");
        assert!(format!("{end:?}").contains("enough"), "{end:?}");
    }
}

async fn a_signal_reaches_a_run_that_lives_on_another_node_without_a_poll(ground: impl Ground) {
    let node = || ground.builder().workflow(gate()).park_after(NEVER).poll_interval(NEVER);
    let (owner, other) = (node().start().await.unwrap(), node().start().await.unwrap());
    let run = owner.run(&gate(), 1.into()).start().await.unwrap();
    until("it waits", async || run.get().await.unwrap().events > 3).await;

    other.signal(run.id(), "go", &"over there").await.unwrap();

    assert_eq!(soon("its output", run.output()).await.unwrap(), "over there");
}

async fn a_run_that_nobody_here_serves_starts_elsewhere_without_a_poll(ground: impl Ground) {
    let server = ground.builder().workflow(echo()).poll_interval(NEVER).start().await.unwrap();
    let starter = ground.builder().start().await.unwrap();
    until("both listen", async || server.live_runs() == 0).await;

    for n in ["1", "2", "3"] {
        let run = starter.run(&echo(), json(n)).start().await.unwrap();
        assert_eq!(soon("its output", run.output()).await.unwrap().get(), n);
    }
}

async fn without_news_a_poll_finds_what_others_left(ground: impl Ground) {
    let poll = Duration::from_millis(50);
    let deaf = ground.builder().workflow(gate()).listen(false).park_after(NEVER).poll_interval(poll);
    let deaf = deaf.start().await.unwrap();
    let other = ground.builder().poll_interval(poll).start().await.unwrap();

    let run = other.run(&gate(), 1.into()).start().await.unwrap();
    until("it started", async || deaf.live_runs() == 1).await;
    other.signal(run.id(), "go", &"heard").await.unwrap();

    assert_eq!(soon("its output", run.output()).await.unwrap(), "heard");
}

fn parent() -> Workflow<u32, u32> {
    Workflow::function("parent", |cx: Cx, n: u32| async move { anyhow::Ok(cx.child(&double(), n).await?) })
}

fn double() -> Workflow<u32, u32> {
    Workflow::function("double", |cx: Cx, n: u32| async move {
        cx.sleep(Duration::from_millis(20)).await?;
        anyhow::Ok(n * 2)
    })
}

async fn parent_and_child_on_two_nodes_know_each_other(ground: impl Ground) {
    let parents = ground.builder().workflow(parent()).node_name("parents").start().await.unwrap();
    let children = ground.builder().workflow(double()).node_name("children").start().await.unwrap();
    let run = parents.run(&parent(), 21).namespace("tenant").start().await.unwrap();

    assert_eq!(soon("its output", run.output()).await.unwrap(), 42);

    let run = run.get().await.unwrap();
    let child = children.get(run.children[0].0).await.unwrap().expect("a child");
    assert_eq!(child.parent.as_ref().map(|parent| parent.run), Some(run.id));
    assert_eq!((child.namespace.as_str(), run.children[0].2), ("tenant", Status::Succeeded));
    let writers = |view: &runlog::RunView| view.tasks[0].attempts[0].node;
    assert_ne!(writers(&run), writers(&child), "each ran where its code is");
}
