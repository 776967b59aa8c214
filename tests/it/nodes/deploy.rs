//! Rolling deploys: nodes go and come, versions too, and nothing is lost or repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runlog::{Cx, Runtime, Workflow};

use crate::support::{Ground, PATIENCE, Postgres, on_both, soon, steps, until};

fn greet(version: &'static str) -> Workflow<(), String> {
    Workflow::function("greet", move |cx: Cx, ()| async move {
        let name = cx.signal::<String>("name").await?.unwrap_or_default();
        anyhow::Ok(format!("{name}, from {version}"))
    })
    .version(version)
}

on_both! {
    runs_of_an_old_version_end_on_the_nodes_that_still_serve_it
    a_run_whose_version_left_waits_for_it_and_says_so
}

async fn runs_of_an_old_version_end_on_the_nodes_that_still_serve_it(ground: impl Ground) {
    let old = ground.builder().workflow(greet("1")).start().await.unwrap();
    let kept = ground.builder().workflow(greet("1")).start().await.unwrap();
    let first = old.run(&greet("1"), ()).start().await.unwrap().id();
    let new = ground.builder().workflow(greet("2")).start().await.unwrap();
    let second = new.run(&greet("2"), ()).start().await.unwrap().id();

    old.shutdown(PATIENCE).await.unwrap();
    for run in [first, second] {
        new.signal(run, "name", &"Ada").await.unwrap();
    }

    let output =
        async |run| soon("its output", new.handle(run).output_json()).await.unwrap().text().to_owned();
    assert_eq!(output(first).await, "\"Ada, from 1\"");
    assert_eq!(output(second).await, "\"Ada, from 2\"");
    // The end is in the log, for the other node to see, before the run's actor hears of it.
    until("nothing of it is left in memory", async || kept.live_runs() == 0).await;
}

async fn a_run_whose_version_left_waits_for_it_and_says_so(ground: impl Ground) {
    let old = ground.builder().workflow(greet("1")).start().await.unwrap();
    let run = old.run(&greet("1"), ()).start().await.unwrap().id();
    let new = ground.builder().workflow(greet("2")).start().await.unwrap();

    old.shutdown(PATIENCE).await.unwrap();
    new.signal(run, "name", &"Ada").await.unwrap();

    let says = "a node that serves workflow greet version 1: none that lives does";
    let waits = async || {
        let waiting = new.get(run).await.unwrap().expect("a run").waiting;
        waiting.iter().any(|waiting| waiting.to_string() == says)
    };
    until("it says what it waits for", waits).await;
    let both = ground.builder().workflow(greet("1")).workflow(greet("2")).start().await.unwrap();
    let output = soon("its output", both.handle(run).output_json()).await.unwrap();
    assert_eq!(output.text(), "\"Ada, from 1\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_deploy_loses_and_repeats_nothing() {
    let ground = Postgres::new().await;
    ground.note_executions().await;
    let steps = steps(&ground.pool);
    let deploy = async || ground.builder().workflow(steps.clone()).start().await.unwrap();
    let mut nodes: Vec<Runtime> = vec![deploy().await, deploy().await, deploy().await];
    let stop = Arc::new(AtomicBool::new(false));
    let (client, workflow) = (ground.builder().client().start().await.unwrap(), steps.clone());
    let stopped = Arc::clone(&stop);
    let starts = tokio::spawn(async move {
        let mut started = 0;
        while !stopped.load(Ordering::Relaxed) {
            client.run(&workflow, 4).start().await.unwrap();
            started += 1;
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        started
    });

    for _ in 0..6 {
        let recorded = ground.count("select count(*) from runlog.events where kind = 'step_completed'").await;
        let at_work = "select count(*) from runlog.events where kind = 'step_completed'";
        until("the nodes are at work", async || ground.count(at_work).await > recorded + 60).await;
        nodes.push(deploy().await);
        nodes.remove(0).shutdown(PATIENCE).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let started: i64 = starts.await.unwrap();

    until("all are finished", async || ground.unfinished().await == 0).await;
    ground.assert_sound(started, 4).await;
    let repeated = "select count(*) - count(distinct (run, step)) from executed";
    assert_eq!(ground.count(repeated).await, 0, "a step that was at work could finish before its node left");
}
