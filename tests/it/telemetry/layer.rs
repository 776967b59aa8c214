//! The layer that makes the code's own events its run's lines.

use std::time::Duration;

use runlog::model::RunId;
use runlog::store::memory::MemoryStore;
use runlog::store::{LogLine, LogQuery};
use runlog::telemetry::{LogLayer, log_layer};
use runlog::{Cx, CxError, Level, Runtime, Workflow};
use serde_json::{Value, json};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{soon, until};

async fn runtime(code: &Workflow<(), ()>) -> Runtime {
    let store = MemoryStore::new("2026-01-01T00:00:00Z".parse().unwrap());
    Runtime::on_store(store).workflow(code.clone()).log_level(Level::Trace).start().await.unwrap()
}

/// Runs the code once and reads what it wrote; it wrote `last` last.
async fn lines(code: Workflow<(), ()>, last: &str) -> Vec<LogLine> {
    let runtime = runtime(&code).await;
    let run = runtime.run(&code, ()).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    written(&runtime, run.id(), last).await
}

async fn written(runtime: &Runtime, run: RunId, last: &str) -> Vec<LogLine> {
    let read = async || runtime.logs(run, LogQuery::default()).await.unwrap();
    until("the last line is written", async || {
        read().await.last().is_some_and(|line| line.line.message == last)
    })
    .await;
    read().await
}

#[tokio::test]
async fn events_inside_a_task_become_its_lines() {
    let _guard = tracing::subscriber::set_default(Registry::default().with(log_layer()));
    let code = Workflow::function("traced", async |cx: Cx, (): ()| {
        tracing::info!(order = 42, who = "Ada", ratio = 0.5, fine = true, odd = f64::NAN, "charging");
        let body = || async {
            tracing::warn!(error = %"refused", "the card");
            Ok::<_, CxError>(())
        };
        cx.step("charge", body).await?;
        tracing::error!("done");
        Ok::<_, CxError>(())
    });

    let lines = lines(code, "done").await;

    let said: Vec<_> = lines.iter().map(|line| (line.line.level, line.line.message.as_str())).collect();
    assert_eq!(said, [(Level::Info, "charging"), (Level::Warn, "the card"), (Level::Error, "done")]);
    let fields: Vec<Value> = lines.iter().filter_map(|line| line.line.fields.as_ref()?.read().ok()).collect();
    let first = json!({"order": 42, "who": "Ada", "ratio": 0.5, "fine": true, "odd": "NaN"});
    assert_eq!(fields, [first, json!({"error": "refused"})]);
    assert_eq!(lines[0].line.target, module_path!());
    assert_eq!((lines[0].step.as_deref(), lines[1].step.as_deref()), (None, Some("charge#0")));
}

#[tokio::test]
async fn foreign_targets_and_lower_levels_are_left_out() {
    let _guard = tracing::subscriber::set_default(Registry::default().with(log_layer()));
    let code = Workflow::function("traced", async |cx: Cx, (): ()| {
        tracing::info!(target: "sqlx::query", "foreign");
        tracing::error!(target: "hyper", "foreign");
        tracing::debug!("low");
        tracing::info!(target: "sqlxtra", "ours");
        cx.log().info("last");
        Ok::<_, CxError>(())
    });

    let lines = lines(code, "last").await;

    let said: Vec<_> = lines.iter().map(|line| line.line.message.as_str()).collect();
    assert_eq!(said, ["ours", "last"]);
}

#[tokio::test]
async fn what_is_left_out_and_what_is_taken_can_be_said() {
    let layer = LogLayer::new().level(Level::Debug).leave_out("noisy").take("hyper").build();
    let _guard = tracing::subscriber::set_default(Registry::default().with(layer));
    let code = Workflow::function("traced", async |_cx: Cx, (): ()| {
        tracing::error!(target: "noisy::inner", "noise");
        tracing::debug!(target: "hyper::client", "taken");
        tracing::trace!("low");
        tracing::debug!("last");
        Ok::<_, CxError>(())
    });

    let lines = lines(code, "last").await;

    let said: Vec<_> = lines.iter().map(|line| line.line.message.as_str()).collect();
    assert_eq!(said, ["taken", "last"]);
}

#[tokio::test]
async fn events_of_spawned_futures_are_lines_when_the_context_spawns_them() {
    let _guard = tracing::subscriber::set_default(Registry::default().with(log_layer()));
    let code = Workflow::function("traced", async |cx: Cx, (): ()| {
        tokio::spawn(async { tracing::info!("nobody's") }).await.unwrap();
        cx.spawn(async { tracing::info!("the task's") }).await.unwrap();
        let body = || async {
            cx.spawn(async { tracing::info!("the step's") }).await.unwrap();
            Ok::<_, CxError>(())
        };
        cx.step("spawning", body).await?;
        tracing::info!("last");
        Ok::<_, CxError>(())
    });

    let lines = lines(code, "last").await;

    let said: Vec<_> = lines.iter().map(|line| (line.line.message.as_str(), line.step.as_deref())).collect();
    assert_eq!(said, [("the task's", None), ("the step's", Some("spawning#0")), ("last", None)]);
}

#[tokio::test]
async fn tasks_side_by_side_do_not_mix_their_lines() {
    let _guard = tracing::subscriber::set_default(Registry::default().with(log_layer()));
    let code = Workflow::function("traced", async |cx: Cx, (): ()| {
        for _ in 0..20 {
            tracing::info!("{}", cx.run_id());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tracing::info!("last");
        Ok::<_, CxError>(())
    });
    let runtime = runtime(&code).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(runtime.run(&code, ()).start().await.unwrap().id());
    }

    for run in runs {
        let lines = written(&runtime, run, "last").await;
        assert_eq!(lines.len(), 21);
        assert!(lines[..20].iter().all(|line| line.line.message == run.to_string()));
    }
}
