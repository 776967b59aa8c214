//! What a process counts, compared with what the log says.

use std::collections::BTreeMap;
use std::time::Duration;

use runlog::model::event::{RunEvent, TaskEvent};
use runlog::model::{Event, Recorded, RunId, Timestamp};
use runlog::telemetry::names::{self, METRICS};
use runlog::{CancelOptions, Cx, CxError, Retry, Runtime, Workflow};

use super::exposition::Exposition;
use crate::support::{Ground, Memory, Postgres, gate, on_both, soon, until};

/// Fails its step once, then itself as often as its input says.
fn flaky() -> Workflow<u32, u32> {
    let code = |cx: Cx, failures: u32| async move {
        let tries = std::sync::atomic::AtomicU32::new(0);
        let body = || async {
            match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => anyhow::bail!("the first try"),
                n => Ok(n),
            }
        };
        cx.step("unsteady", body).retry(Retry::fixed(Duration::from_millis(1))).await?;
        if cx.attempt() <= failures {
            anyhow::bail!("attempt {} fails", cx.attempt());
        }
        Ok(cx.attempt())
    };
    Workflow::function("flaky", code).retry(Retry::fixed(Duration::from_millis(1)).max_attempts(3))
}

/// Starts a `flaky` run and waits for it.
fn parent() -> Workflow<(), u32> {
    Workflow::function("parent", |cx: Cx, ()| async move {
        let child = cx.child(&flaky(), 1).await?;
        Ok::<_, CxError>(child)
    })
}

/// Two tasks of one run, the second one too slow for its time.
fn slow() -> Workflow<(), ()> {
    let dag = Workflow::dag("slow");
    let quick = dag.task("quick", |_: Cx, (): ()| std::future::ready(anyhow::Ok(1)));
    let late = dag
        .task_after("late", &quick, |_: Cx, (): (), _: i32| std::future::pending::<anyhow::Result<()>>())
        .timeout(Duration::from_millis(20));
    dag.output(&late)
}

/// What a log comes to, by the names of metrics' series.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    statuses: BTreeMap<(String, &'static str), f64>,
    attempts: BTreeMap<(String, String, &'static str), f64>,
    steps: BTreeMap<(String, String, &'static str), f64>,
    events: f64,
    /// Counts of queue latencies and of runs' durations.
    started: f64,
    ended: f64,
}

/// Sums of durations, in seconds.
#[derive(Debug, Default)]
struct Took {
    queued: f64,
    runs: f64,
    attempts: f64,
    steps: f64,
}

fn count(counted: &mut Counted, took: &mut Took, run: RunId, log: &[Recorded]) {
    let mut workflow = String::new();
    let (mut due, mut started) = (run.created_at(), None);
    let mut attempts: BTreeMap<String, Timestamp> = BTreeMap::new();
    let between = |from: Timestamp, to: Timestamp| (to - from).to_std().unwrap_or_default().as_secs_f64();
    for Recorded { at, event, .. } in log {
        counted.events += 1.0;
        let status = match event {
            Event::Run(RunEvent::Created(created)) => {
                workflow = created.workflow.to_string();
                due = created.start_at.map_or(due, |start| start.max(due));
                "queued"
            }
            Event::Run(RunEvent::Started(_)) => {
                counted.started += 1.0;
                took.queued += between(due, *at);
                started = Some(*at);
                "running"
            }
            Event::Run(RunEvent::Succeeded(_)) => "succeeded",
            Event::Run(RunEvent::Failed(_)) => "failed",
            Event::Run(RunEvent::Cancelled(_)) => "cancelled",
            Event::Run(RunEvent::TimedOut(_)) => "timed_out",
            Event::Run(_) => continue,
            Event::Task(place, event) => {
                let task = place.task.to_string();
                let key = |outcome| (workflow.clone(), task.clone(), outcome);
                match event {
                    TaskEvent::AttemptStarted(_) => drop(attempts.insert(task.clone(), *at)),
                    TaskEvent::AttemptSucceeded(_) => {
                        *counted.attempts.entry(key("succeeded")).or_default() += 1.0;
                        took.attempts += between(attempts[&task], *at);
                    }
                    TaskEvent::AttemptFailed(failed) => {
                        let outcome = match &*failed.error.kind {
                            "task_timed_out" => "timed_out",
                            "cancelled" => "cancelled",
                            _ => "failed",
                        };
                        *counted.attempts.entry(key(outcome)).or_default() += 1.0;
                        took.attempts += between(attempts[&task], *at);
                    }
                    TaskEvent::StepCompleted(step) => {
                        *counted.steps.entry(key("succeeded")).or_default() += 1.0;
                        took.steps += step.us as f64 / 1e6;
                    }
                    TaskEvent::StepFailed(step) => {
                        *counted.steps.entry(key("failed")).or_default() += 1.0;
                        took.steps += step.us as f64 / 1e6;
                    }
                    _ => {}
                }
                continue;
            }
        };
        *counted.statuses.entry((workflow.clone(), status)).or_default() += 1.0;
        if let (true, Some(started)) = (event.is_terminal(), started) {
            counted.ended += 1.0;
            took.runs += between(started, *at);
        }
    }
}

/// What the metrics say.
fn told(exposition: &Exposition) -> Counted {
    let word = |words: &[&'static str], found: &str| {
        *words.iter().find(|word| **word == found).unwrap_or_else(|| panic!("no word of ours: {found}"))
    };
    let statuses = ["queued", "running", "succeeded", "failed", "cancelled", "timed_out"];
    let by_task = |name: &str| {
        let series = exposition.series(name, "_count").into_iter();
        let key = |labels: &BTreeMap<String, String>| {
            (labels["workflow"].clone(), labels["task"].clone(), word(&statuses, &labels["outcome"]))
        };
        series.map(|(labels, value)| (key(labels), value)).collect()
    };
    let changes = exposition.series(names::RUN_STATUS_CHANGES.name, "").into_iter();
    Counted {
        statuses: changes
            .map(|(labels, value)| ((labels["workflow"].clone(), word(&statuses, &labels["status"])), value))
            .collect(),
        attempts: by_task(names::ATTEMPT_DURATION.name),
        steps: by_task(names::STEP_DURATION.name),
        events: exposition.value(names::EVENTS.name, "", &[]),
        started: exposition.sum(names::QUEUE_LATENCY.name, "_count"),
        ended: exposition.sum(names::RUN_DURATION.name, "_count"),
    }
}

async fn read(runtime: &Runtime) -> Exposition {
    Exposition::read(&runtime.metrics().await)
}

#[track_caller]
fn assert_close(what: &str, told: f64, log: f64) {
    assert!((told - log).abs() < 1e-6, "{what}: {told} s in the metrics, {log} s in the log");
}

async fn the_metrics_say_what_the_log_says<G: Ground>(ground: G) {
    let builder = ground.builder().workflow(flaky()).workflow(parent()).workflow(slow()).workflow(gate());
    let runtime = builder.start().await.unwrap();
    let mut runs: Vec<RunId> = Vec::new();
    for failures in [0, 1, 2, 3] {
        let run = runtime.run(&flaky(), failures).start().await.unwrap();
        runs.push(run.id());
        soon("its end", run.wait()).await.unwrap();
    }
    let family = runtime.run(&parent(), ()).start().await.unwrap();
    soon("its end", family.wait()).await.unwrap();
    runs.push(family.id());
    runs.extend(family.get().await.unwrap().children.iter().map(|child| child.0));
    let late = runtime.run(&slow(), ()).start().await.unwrap();
    soon("its end", late.wait()).await.unwrap();
    runs.push(late.id());
    let many = (0..3).map(|failures| runtime.run(&flaky(), failures)).collect();
    for started in runtime.start_many(many).await.unwrap() {
        soon("its end", started.run.wait()).await.unwrap();
        runs.push(started.run.id());
    }
    let day = Duration::from_secs(86_400);
    let never = runtime.run(&gate(), 1.into()).delay(day).start().await.unwrap();
    let waiting = runtime.run(&gate(), 2.into()).start().await.unwrap();
    let expired = runtime.run(&gate(), 3.into()).timeout(Duration::from_millis(10)).start().await.unwrap();
    for run in [&never, &waiting] {
        run.cancel(CancelOptions::default()).await.unwrap();
    }
    for run in [never, waiting, expired] {
        soon("its end", run.wait()).await.unwrap();
        runs.push(run.id());
    }

    let (mut counted, mut took) = (Counted::default(), Took::default());
    for run in &runs {
        count(&mut counted, &mut took, *run, &runtime.events(*run, 0, 1_000).await.unwrap());
    }
    until("all is counted", async || {
        read(&runtime).await.value(names::EVENTS.name, "", &[]) >= counted.events
    })
    .await;
    let exposition = read(&runtime).await;

    assert_eq!(told(&exposition), counted);
    assert_eq!(
        counted.attempts[&("slow".into(), "late".into(), "timed_out")],
        1.0,
        "the workload has it all"
    );
    assert_eq!(counted.statuses[&("gate".into(), "cancelled")], 2.0);
    assert_close("queue latency", exposition.sum(names::QUEUE_LATENCY.name, "_sum"), took.queued);
    assert_close("runs", exposition.sum(names::RUN_DURATION.name, "_sum"), took.runs);
    assert_close("attempts", exposition.sum(names::ATTEMPT_DURATION.name, "_sum"), took.attempts);
    assert_close("steps", exposition.sum(names::STEP_DURATION.name, "_sum"), took.steps);
    let committed = exposition.value(names::APPEND_LATENCY.name, "_count", &[("outcome", "committed")]);
    assert_eq!(exposition.value(names::APPEND_BATCH.name, "_count", &[]), committed);
    assert!(committed > 0.0 && exposition.value(names::APPEND_BATCH.name, "_sum", &[]) >= committed);
    let labels: Vec<_> = exposition.families.values().flat_map(|family| family.samples.keys()).collect();
    let named =
        runs.iter().any(|run| labels.iter().any(|(_, l)| l.values().any(|v| v.contains(&run.to_string()))));
    assert!(!named, "a run is a label");
}

async fn every_metric_is_the_one_of_its_table<G: Ground>(ground: G) {
    let runtime = ground.builder().workflow(flaky()).live_runs(7).start().await.unwrap();
    let run = runtime.run(&flaky(), 0).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let exposition = read(&runtime).await;
    for (name, family) in &exposition.families {
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((&*family.help, &*family.kind), (metric.help, metric.kind.as_str()), "{name}");
        assert_eq!(name.contains("_seconds"), metric.unit == "s", "{name}");
        for (_, labels) in family.samples.keys() {
            let mut wanted: Vec<&str> = metric.labels.to_vec();
            wanted.sort_unstable();
            assert_eq!(labels.keys().filter(|label| *label != "le").collect::<Vec<_>>(), wanted, "{name}");
        }
    }
    assert_eq!(exposition.value(names::NODE_SLOTS.name, "", &[]), 7.0);
    let held = [("held", 0.0), ("queued", 0.0), ("scheduled", 0.0), ("parked", 0.0)];
    for (state, runs) in held {
        assert_eq!(exposition.value(names::RUNS.name, "", &[("state", state)]), runs);
    }
    assert!(exposition.families.contains_key(names::DISPATCH_LAG.name));
}

async fn two_nodes_count_what_each_of_them_committed<G: Ground>(ground: G) {
    let node = || {
        ground.builder().workflow(gate()).park_after(Duration::ZERO).poll_interval(Duration::from_millis(5))
    };
    let first = node().start().await.unwrap();
    let run = first.run(&gate(), 1.into()).start().await.unwrap();
    until("it is parked", async || first.live_runs() == 0).await;
    first.shutdown(Duration::ZERO).await.unwrap();
    let second = node().start().await.unwrap();
    second.signal(run.id(), "go", &"on").await.unwrap();
    soon("its end", second.handle(run.id()).wait()).await.unwrap();

    let (mut counted, mut took) = (Counted::default(), Took::default());
    count(&mut counted, &mut took, run.id(), &second.events(run.id(), 0, 100).await.unwrap());
    until("all is counted", async || {
        let (one, other) = (told(&read(&first).await), told(&read(&second).await));
        one.events + other.events >= counted.events
    })
    .await;
    let (one, other) = (told(&read(&first).await), told(&read(&second).await));
    assert_eq!(one.events + other.events, counted.events);
    assert_eq!((one.started, one.ended, other.started, other.ended), (1.0, 0.0, 0.0, 1.0));
}

on_both! {
    the_metrics_say_what_the_log_says
    every_metric_is_the_one_of_its_table
    two_nodes_count_what_each_of_them_committed
    the_lag_is_that_of_the_run_which_nobody_takes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_in_a_transaction_counts_when_a_node_starts_it() {
    let ground = Postgres::new().await;
    let client = ground.builder().client().start().await.unwrap();
    let mut transaction = ground.pool.begin().await.unwrap();
    let asked = client.run_by_name("flaky", "0");
    let node = ground.builder().workflow(flaky()).start().await.unwrap();
    let run = asked.start_in(&mut transaction).await.unwrap().run.id();
    transaction.commit().await.unwrap();
    soon("its end", node.handle(run).wait()).await.unwrap();
    until("its end is counted", async || told(&read(&node).await).ended == 1.0).await;
    let (client, node) = (told(&read(&client).await), told(&read(&node).await));
    assert_eq!(client, Counted::default());
    assert_eq!((node.started, node.statuses.get(&("flaky".to_owned(), "queued"))), (1.0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_escaped() {
    let ground = Memory::new().await;
    let odd = r#"say "hi" \n to C:\"#;
    let workflow = Workflow::function(odd, |_: Cx, ()| std::future::ready(anyhow::Ok(())));
    let runtime = ground.builder().workflow(workflow.clone()).start().await.unwrap();
    soon("its end", runtime.run(&workflow, ()).start().await.unwrap().wait()).await.unwrap();
    let read = read(&runtime).await;
    assert_eq!(
        read.value(names::RUN_STATUS_CHANGES.name, "", &[("workflow", odd), ("status", "running")]),
        1.0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflows_and_tasks_beyond_the_limit_are_counted_together() {
    use runlog::model::limits::{METRIC_TASKS_MAX, METRIC_WORKFLOWS_MAX};
    let ground = Memory::new().await;
    let named = |n: usize, tasks: usize| {
        let dag = Workflow::dag(&format!("w{n}"));
        let tasks: Vec<_> = (0..tasks)
            .map(|t| dag.task(&format!("t{t}"), |_: Cx, (): ()| std::future::ready(anyhow::Ok(()))))
            .collect();
        dag.output(&tasks[0])
    };
    let wide = METRIC_TASKS_MAX / 8;
    let workflows: Vec<_> =
        (0..METRIC_WORKFLOWS_MAX + 3).map(|n| named(n, if n < 9 { wide } else { 1 })).collect();
    let builder =
        workflows.iter().fold(ground.builder(), |builder, workflow| builder.workflow(workflow.clone()));
    let runtime = builder.start().await.unwrap();
    for workflow in &workflows {
        soon("its end", runtime.run(workflow, ()).start().await.unwrap().wait()).await.unwrap();
    }
    let read = read(&runtime).await;
    let running = |workflow| [("status", "running"), ("workflow", workflow)];
    assert_eq!(read.value(names::RUN_STATUS_CHANGES.name, "", &running("w0")), 1.0);
    assert_eq!(read.value(names::RUN_STATUS_CHANGES.name, "", &running("other")), 3.0);
    let attempts = |workflow, task| {
        let labels = [("outcome", "succeeded"), ("task", task), ("workflow", workflow)];
        read.value(names::ATTEMPT_DURATION.name, "_count", &labels)
    };
    assert_eq!((attempts("w7", "t0"), attempts("w7", "other")), (1.0, 0.0));
    assert_eq!((attempts("w8", "t0"), attempts("w8", "other")), (0.0, wide as f64));
    assert_eq!(attempts("other", "other"), 3.0);
}

/// The words between the bars of a table's row, its code marks left out.
fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

#[test]
fn the_document_lists_every_metric() {
    let document = include_str!("../../../docs/TELEMETRY.md");
    let section =
        document.split("\n## ").find(|section| section.starts_with("Metrics\n")).expect("the section");
    let rows = section.lines().filter(|line| line.starts_with("| `runlog_")).map(cells).collect::<Vec<_>>();
    let wanted = METRICS.map(|metric| {
        let labels = if metric.labels.is_empty() { String::new() } else { metric.labels.join(", ") };
        vec![metric.name.into(), metric.kind.as_str().into(), metric.unit.into(), labels, metric.help.into()]
    });
    assert_eq!(rows, wanted, "docs/TELEMETRY.md and telemetry::names differ");
}

async fn the_lag_is_that_of_the_run_which_nobody_takes<G: Ground>(ground: G) {
    let node = ground.builder().workflow(gate()).start().await.unwrap();
    node.shutdown(Duration::ZERO).await.unwrap();
    let client = ground.builder().client().start().await.unwrap();
    let lag = async || read(&client).await.value(names::DISPATCH_LAG.name, "", &[]);
    let day = Duration::from_secs(86_400);
    client.run_by_name("gate", "1").delay(day).start().await.unwrap();
    assert_eq!(lag().await, 0.0, "what is not due is not late");
    let late = client.run_by_name("gate", "1").start().await.unwrap();
    until("a second passes", async || (ground.now().await - late.id().created_at()).num_seconds() >= 1).await;
    let (lag, at_most) = (lag().await, (ground.now().await - late.id().created_at()).as_seconds_f64());
    assert!(lag >= 1.0 && lag <= at_most, "{lag} of {at_most} s");
    let read = read(&client).await;
    assert_eq!(read.value(names::RUNS.name, "", &[("state", "queued")]), 2.0);
    assert_eq!(read.value(names::NODE_SLOTS.name, "", &[]), 0.0, "a client has no room");
}
