//! Processes that only start and watch runs.

use std::time::Duration;

use runlog::{CancelOptions, Error, Runtime, Status, Workflow};
use serde_json::Value;

use crate::support::{Ground, Postgres, echo, gate, json, on_both, soon};

on_both! {
    a_client_starts_signals_cancels_and_watches_runs_that_others_execute
    a_client_checks_the_input_of_workflows_it_knows
    a_client_without_the_code_starts_a_run_by_name_as_if_it_had_it
    a_key_is_one_run_for_clients_and_nodes_together
}

async fn a_client_starts_signals_cancels_and_watches_runs_that_others_execute(ground: impl Ground) {
    let node = ground.builder().workflow(echo()).workflow(gate()).start().await.unwrap();
    let client = ground.builder().client().start().await.unwrap();

    let run = client.run(&echo(), json("7")).start().await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap().get(), "7");

    let signalled = client.run(&gate(), 1.into()).start().await.unwrap();
    signalled.signal("go", &"on").await.unwrap();
    assert_eq!(soon("its output", signalled.output()).await.unwrap(), "on");

    let cancelled = client.run(&gate(), 1.into()).start().await.unwrap();
    soon("the answer", cancelled.cancel(CancelOptions::default())).await.unwrap();
    assert_eq!(soon("its end", cancelled.wait()).await.unwrap(), Status::Cancelled);

    let elsewhere = node.run(&gate(), 1.into()).start().await.unwrap().id();
    client.signal(elsewhere, "go", &"too").await.unwrap();
    let output = soon("its output", client.handle(elsewhere).output_json()).await.unwrap();
    assert_eq!((output.text(), client.live_runs()), ("\"too\"", 0));
}

async fn a_client_checks_the_input_of_workflows_it_knows(ground: impl Ground) {
    let client = ground.builder().workflow(crate::nodes::slots::nap(Default::default())).client();
    let client = client.start().await.unwrap();
    let refused = client.run_by_name("nap", "\"no number\"").start().await.unwrap_err();
    assert!(matches!(refused, Error::Payload { field: "input", .. }), "{refused:?}");
    let waits = client.run_by_name("nap", "1").start().await.unwrap();
    assert_eq!(waits.get().await.unwrap().status, Status::Queued, "a client executes nothing");
}

async fn a_client_without_the_code_starts_a_run_by_name_as_if_it_had_it(ground: impl Ground) {
    let limits = |w: Workflow<Value, String>| {
        w.timeout(Duration::from_secs(60)).start_timeout(Duration::from_secs(90))
    };
    let node = ground.builder().workflow(limits(gate())).start().await.unwrap();
    let client = ground.builder().client().start().await.unwrap();
    let of = async |runtime: &Runtime| {
        let run = runtime.run_by_name("gate", "1").start().await.unwrap();
        let view = run.get().await.unwrap();
        run.signal("go", &"on").await.unwrap();
        assert_eq!(soon("its output", run.output_json()).await.unwrap().text(), "\"on\"");
        (view.version, view.timeout, view.start_deadline.map(|at| (at - view.created_at).num_seconds()))
    };
    assert_eq!(of(&client).await, of(&node).await);

    let unknown = client.run_by_name("gates", "1").start().await.unwrap_err();
    assert!(
        matches!(&unknown, Error::UnknownWorkflow { workflow, .. } if workflow == "gates"),
        "{unknown:?}"
    );
}

async fn a_key_is_one_run_for_clients_and_nodes_together(ground: impl Ground) {
    let node = ground.builder().workflow(gate()).start().await.unwrap();
    let clients =
        [ground.builder().client().start().await.unwrap(), ground.builder().client().start().await.unwrap()];
    let start = async |n: usize| {
        let runtime = [&node, &clients[0], &clients[1]][n % 3];
        runtime.run(&gate(), n.into()).key("order").start_or_get().await.unwrap()
    };

    let started = futures_util::future::join_all((0..99).map(start)).await;

    assert_eq!(started.iter().filter(|started| started.created).count(), 1);
    assert!(started.iter().all(|one| one.run.id() == started[0].run.id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_takes_no_lease() {
    let ground = Postgres::new().await;
    let client = ground.builder().client().start().await.unwrap();
    let run = client.run(&gate(), 1.into()).start().await.unwrap();
    assert_eq!(ground.count("select count(*) from runlog.nodes").await, 0);
    assert_eq!(ground.count("select count(*) from runlog.leases").await, 0);
    let late = run.get().await.unwrap().created_at - ground.now().await;
    assert!(late.abs() < chrono::TimeDelta::seconds(20), "its ids bear the database's time: {late}");
    client.shutdown(Duration::ZERO).await.unwrap();
    assert!(matches!(client.run(&gate(), 1.into()).start().await, Err(Error::NotRunning)));
}
