//! `runlog trace show`.

use anyhow::{Context, Result};
use runlog::{Cx, Retry, Workflow};
use serde_json::Value;

use super::verbs::on;
use crate::support::{Ground, Postgres, gate, soon};
use crate::workflow::Numbered;

/// Its step is tried twice; then it waits for a child run that fails.
fn parent() -> Workflow<(), u32> {
    Workflow::function("parent", |cx: Cx, ()| async move {
        let tries = std::sync::atomic::AtomicU32::new(0);
        let body = || async {
            match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Err(Numbered(1)),
                n => Ok(n),
            }
        };
        cx.step("charge", body).retry(Retry::fixed(std::time::Duration::from_millis(1))).await?;
        anyhow::Ok(cx.child(&sour(), ()).await?)
    })
}

fn sour() -> Workflow<(), u32> {
    Workflow::function("sour", |_: Cx, ()| async { anyhow::bail!("gone \u{1b}[31mbad") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_a_tree_with_times_and_endings() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(parent()).workflow(sour()).workflow(gate()).start().await?;
    let run = runtime.run(&parent(), ()).start().await?;
    soon("its end", run.wait()).await?;
    let id = run.id().to_string();

    let shown = on(&ground.url, &["trace", "show", &id]).await?;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let names: Vec<_> =
        shown.stdout.lines().map(|line| line.split("  ").next().unwrap_or_default()).collect();
    let trace = runlog::telemetry::ids::run(run.id(), None).trace_id;
    assert_eq!(names[..2], [format!("trace {trace}").as_str(), "start parent"], "{}", shown.stdout);
    for line in ["├ step charge", "├ attempt parent", "├ run parent", "child sour"] {
        assert!(shown.stdout.contains(line), "{line:?} is missing:\n{}", shown.stdout);
    }
    for told in ["✓ 2 tries", "Numbered: ", "✕ failed, gone \\u{1b}[31mbad", "started"] {
        assert!(shown.stdout.contains(told), "{told:?} is missing:\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains("start sour"), "{}", shown.stdout);

    let whole = on(&ground.url, &["trace", "show", &id, "--children"]).await?;
    for line in ["start sour", "│ ├ attempt sour", "│ └ run sour"] {
        let either = line.replace('├', "└");
        let other = line.replace('└', "├");
        let found = [line, &either, &other]
            .into_iter()
            .any(|line| whole.stdout.contains(line.trim_start_matches("│ ")));
        assert!(found, "{line:?} is missing:\n{}", whole.stdout);
    }
    assert_eq!(whole.stdout.matches("trace ").count(), 1, "they are one trace:\n{}", whole.stdout);

    let lines = on(&ground.url, &["trace", "show", &id, "-o", "jsonl"]).await?;
    let first: Value = serde_json::from_str(lines.stdout.lines().next().context("a line")?)?;
    assert_eq!(first["attributes"]["runlog.run.id"], Value::from(id.as_str()));
    let ids = on(&ground.url, &["trace", "show", &id, "-o", "ids"]).await?;
    assert_eq!(ids.stdout.lines().next(), first["span_id"].as_str());

    let nobody = on(&ground.url, &["trace", "show", "0123abcd"]).await?;
    assert_eq!(nobody.code, Some(4), "{}", nobody.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_run_that_lives_what_has_ended_is_shown() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).start().await?;
    let run = runtime.run(&gate(), Value::Null).start().await?;
    let shown = on(&ground.url, &["trace", "show", &run.id().to_string()]).await?;
    assert_eq!(shown.stdout.lines().count(), 2, "its trace, and its start:\n{}", shown.stdout);
    runtime.shutdown(std::time::Duration::ZERO).await?;
    Ok(())
}
