//! Workflows of which no run may start.

use std::time::Duration;

use runlog::inspect::Action;
use runlog::model::Waiting;
use runlog::{CancelOptions, Error, PauseOptions, RunHandle, Runtime, Status};
use serde_json::Value;

use crate::support::{Ground, gate, on_both, soon, until};

const HOUR: Duration = Duration::from_secs(3_600);

on_both! {
    nothing_of_a_paused_workflow_starts_and_what_runs_goes_on
    a_pause_on_one_node_holds_on_the_others
    why_says_who_paused_it_and_how_it_goes_on
    a_start_timeout_goes_on_counting
    a_run_that_a_pause_holds_back_is_cancelled_at_once
    an_early_signal_is_kept_for_a_run_that_a_pause_holds_back
    only_what_was_ever_served_is_paused
}

async fn node(ground: &impl Ground) -> Runtime {
    ground.builder().workflow(gate()).start().await.expect("a node")
}

async fn start(node: &Runtime) -> RunHandle<String> {
    node.run(&gate(), Value::Null).start().await.expect("a run")
}

async fn pause(node: &Runtime) {
    let options = PauseOptions::default().by("ada").reason("the bank is down");
    assert!(node.pause("gate", options).await.expect("a pause"));
}

async fn is_queued(run: &RunHandle<String>) {
    let view = run.get().await.expect("a view");
    assert_eq!((view.status, view.started_at), (Status::Queued, None));
}

async fn go(node: &Runtime, run: &RunHandle<String>) {
    node.signal(run.id(), "go", &"on").await.expect("a signal");
    assert_eq!(soon("its output", run.output()).await.expect("an output"), "on");
}

async fn nothing_of_a_paused_workflow_starts_and_what_runs_goes_on(ground: impl Ground) {
    let node = node(&ground).await;
    let running = start(&node).await;
    let later =
        node.run(&gate(), Value::Null).delay(Duration::from_millis(1_500)).start().await.expect("a run");
    pause(&node).await;
    let new = start(&node).await;
    let acme = node.run(&gate(), Value::Null).namespace("acme").start().await.expect("a run");
    go(&node, &running).await;
    go(&node, &acme).await;
    until("the other is due", async || ground.now().await >= later.get().await.unwrap().queued_until).await;
    // One that is looked for after it is found before it.
    go(&node, &node.run(&gate(), Value::Null).namespace("acme").start().await.expect("a run")).await;
    is_queued(&new).await;
    is_queued(&later).await;

    assert!(node.resume("gate", None).await.expect("resumed"));
    go(&node, &new).await;
    go(&node, &later).await;
    assert!(!node.resume("gate", None).await.expect("resumed"));
}

async fn a_pause_on_one_node_holds_on_the_others(ground: impl Ground) {
    let (one, two) = (node(&ground).await, node(&ground).await);
    pause(&one).await;
    assert_eq!(two.pauses(None).await.expect("pauses").len(), 1);
    // The other hears of it within its poll interval at the latest.
    until("the other starts nothing", async || {
        let run = start(&two).await;
        let queued = run.get().await.expect("a view").status == Status::Queued;
        two.cancel(run.id(), CancelOptions::default()).await.expect("cancelled");
        queued
    })
    .await;
    let (here, there) = (start(&one).await, start(&two).await);
    assert!(two.resume("gate", None).await.expect("resumed"));
    go(&one, &here).await;
    go(&two, &there).await;
}

async fn why_says_who_paused_it_and_how_it_goes_on(ground: impl Ground) {
    let node = node(&ground).await;
    pause(&node).await;
    let run = start(&node).await;
    let pause = node.pauses(Some("default")).await.expect("pauses").remove(0);
    let view = run.get().await.expect("a view");
    let paused = Waiting::Paused { since: pause.since, by: pause.by, reason: pause.reason };
    assert_eq!(view.waiting, [paused]);

    let why = node.why(run.id()).await.expect("an answer").expect("a run");
    let said = why.headline();
    let start = "gate: waits for its workflow to be resumed, paused by ada (the bank is down) since ";
    assert!(said.starts_with(start), "{said}");
    assert!(matches!(&why.actions[0], Action::Resume { workflow } if workflow.as_str() == "gate"));
}

async fn a_start_timeout_goes_on_counting(ground: impl Ground) {
    let node = node(&ground).await;
    pause(&node).await;
    let run = node.run(&gate(), Value::Null).start_timeout(Duration::from_millis(100));
    let run = run.start().await.expect("a run");
    assert_eq!(soon("its end", run.wait()).await.expect("an end"), Status::TimedOut);
    let why = node.why(run.id()).await.expect("an answer").expect("a run");
    assert!(why.headline().contains("paused by ada"), "{}", why.headline());
}

async fn a_run_that_a_pause_holds_back_is_cancelled_at_once(ground: impl Ground) {
    let node = node(&ground).await;
    pause(&node).await;
    let run = start(&node).await;
    node.cancel(run.id(), CancelOptions::default()).await.expect("cancelled");
    let view = run.get().await.expect("a view");
    assert_eq!((view.status, view.started_at), (Status::Cancelled, None));
}

async fn an_early_signal_is_kept_for_a_run_that_a_pause_holds_back(ground: impl Ground) {
    let node = ground.builder().workflow(gate()).park_after(HOUR).start().await.expect("a node");
    pause(&node).await;
    let run = start(&node).await;
    node.signal(run.id(), "go", &"early").await.expect("a signal");
    until("it is in the log", async || run.get().await.expect("a view").events == 2).await;
    until("it is let go again", async || node.live_runs() == 0).await;
    is_queued(&run).await;
    assert!(node.resume("gate", None).await.expect("resumed"));
    assert_eq!(soon("its output", run.output()).await.expect("an output"), "early");
}

async fn only_what_was_ever_served_is_paused(ground: impl Ground) {
    let node = node(&ground).await;
    let answer = node.pause("gaet", PauseOptions::default()).await;
    assert!(
        matches!(&answer, Err(Error::UnknownWorkflow { workflow, .. }) if workflow == "gaet"),
        "{answer:?}"
    );
    assert!(!node.resume("gaet", None).await.expect("nothing to resume"));
    let answer = node.pause("gate", PauseOptions::default().reason("\0")).await;
    assert!(matches!(&answer, Err(Error::Field { field: "reason", .. })), "{answer:?}");
}
