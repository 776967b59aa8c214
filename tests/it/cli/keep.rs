//! Runs that are kept, taken along, and checked against code.

use std::time::Duration;

use anyhow::Result;
use runlog::cli::Cli;
use runlog::{Concurrency, Cx, PauseOptions, Workflow};
use serde_json::Value;

use super::verbs::on;
use crate::support::{Ground, Postgres, soon, until};
use crate::testing::postgres::Folder;

/// One step of a name.
fn greet(step: &'static str) -> Workflow<Value, String> {
    Workflow::function("greet", move |cx: Cx, _: Value| async move {
        cx.step(step, || async { anyhow::Ok("hello".to_owned()) }).await
    })
}

/// A database with one run that ended; its id.
async fn greeted() -> Result<(Postgres, String)> {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(greet("greet")).start().await?;
    let run = runtime.run(&greet("greet"), Value::Null).start().await?;
    soon("its end", run.wait()).await?;
    Ok((ground, run.id().to_string()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_shown_and_set() -> Result<()> {
    let (ground, _) = greeted().await?;
    let shown = on(&ground.url, &["retention"]).await?;
    assert!(shown.stdout.contains("all        all       30 d 0 h"), "{}", shown.stdout);
    let set = on(
        &ground.url,
        &["retention", "--archive-after", "7d", "--delete-after", "never", "--workflow", "greet"],
    );
    let set = set.await?;
    assert!(set.stdout.contains("greet     7 d 0 h"), "{}{}", set.stdout, set.stderr);
    assert_eq!(on(&ground.url, &["retention", "--archive-after", "soon"]).await?.code, Some(2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_their_keys_are_shown() -> Result<()> {
    let ground = Postgres::new().await;
    let minute = Duration::from_secs(60);
    let limited =
        || greet("greet").concurrency(Concurrency::limit("tenant", 2).starts(9, minute).by_input("/tenant"));
    let save = Workflow::function("save", |_: Cx, text: String| async move { anyhow::Ok(text) });
    let quiet = Concurrency::debounce("document", minute / 2).max_wait(minute).by_metadata("document");
    let runtime = ground.builder().workflow(limited()).workflow(save.concurrency(quiet)).start().await?;
    let limits = on(&ground.url, &["limits"]).await?;
    let words = limits.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for row in [
        "greet tenant 2 9 in 60 s queue input /tenant",
        "save document 100000 for 30 s, 60 s at most queue metadata document",
    ] {
        assert!(words.contains(row), "{}{}", limits.stdout, limits.stderr);
    }
    for nobodys in ["greet", "a/b?c"] {
        let keys = on(&ground.url, &["limits", nobodys]).await?;
        let said = format!("no run of {nobodys} runs or waits under a limit");
        assert!(keys.code == Some(0) && keys.stderr.starts_with(&said), "{}", keys.stderr);
    }
    runtime.pause("greet", PauseOptions::default()).await?;
    for _ in 0..3 {
        runtime.run(&limited(), serde_json::json!({ "tenant": "acme" })).start().await?;
    }
    let shown = async || on(&ground.url, &["limits", "greet"]).await.map(|printed| printed.stdout);
    until("two of them are let in", async || {
        shown().await.is_ok_and(|shown| shown.contains("default    acme  2        1"))
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_paused_shown_and_resumed() -> Result<()> {
    let (ground, _) = greeted().await?;
    let workflows = async |more: &[&str]| on(&ground.url, &[&["workflows"], more].concat()).await;
    let paused = workflows(&["pause", "greet", "--reason", "too many"]).await?;
    assert_eq!(paused.stdout, "greet is paused in namespace default\n", "{}", paused.stderr);
    let shown = workflows(&[]).await?.stdout;
    assert!(shown.contains("greet is paused in namespace default since "), "{shown}");
    assert!(shown.trim_end().ends_with(": too many"), "{shown}");
    let id = on(&ground.url, &["start", "greet", "-o", "ids"]).await?.stdout;
    let why = on(&ground.url, &["why", id.trim()]).await?;
    assert!(why.stdout.contains("next: runlog workflows resume greet"), "{}{}", why.stdout, why.stderr);
    let resumed = workflows(&["resume", "greet"]).await?;
    assert_eq!(resumed.stdout, "greet is not paused in namespace default\n", "{}", resumed.stderr);
    let again = workflows(&["resume", "greet"]).await?.stdout;
    assert_eq!(again, "greet is not paused in namespace default, as before\n");
    assert_eq!(workflows(&["pause", "gert"]).await?.code, Some(4));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_unset_and_a_pass_made_when_it_is_asked_for() -> Result<()> {
    let (ground, id) = greeted().await?;
    let retention = async |more: &[&str]| on(&ground.url, &[&["retention"], more].concat()).await;
    assert_eq!(retention(&["--unset", "--workflow", "greet"]).await?.code, Some(4), "there is none");
    retention(&["--archive-after", "0s", "--workflow", "greet"]).await?;

    let pruned = retention(&["--prune-now"]).await?;
    assert_eq!(pruned.code, Some(0), "{}", pruned.stderr);
    assert!(pruned.stdout.contains("1 archived, 0 deleted"), "{}", pruned.stdout);
    assert!(on(&ground.url, &["get", &id]).await?.stdout.contains("archived"));
    let unset = retention(&["--unset", "--workflow", "greet"]).await?;
    assert!(unset.code == Some(0) && !unset.stdout.contains("greet"), "{}{}", unset.stdout, unset.stderr);

    assert_eq!(retention(&["--unset"]).await?.code, Some(2), "that of everything stays");
    assert_eq!(retention(&["--unset", "--archive-after", "7d"]).await?.code, Some(2));
    assert_eq!(retention(&["--workflow", "greet"]).await?.code, Some(2), "neither set nor unset");
    assert_eq!(retention(&["--prune-now", "--unset"]).await?.code, Some(2));
    let held = "update runlog.retention_pass set holder = 1, held_by = 'api-7', \
                held_until = clock_timestamp() + interval '1 min'";
    ground.psql(held).await.expect("held");
    let refused = retention(&["--prune-now"]).await?;
    assert_eq!(refused.code, Some(6));
    assert!(refused.stderr.contains("under way by api-7"), "{}", refused.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_fails_is_told_and_an_error() -> Result<()> {
    let (ground, _) = greeted().await?;
    on(&ground.url, &["retention", "--archive-after", "0s"]).await?;
    let break_it = "create function no_room() returns trigger language plpgsql as $$ begin
                        raise exception 'the disk is full'; end $$;
                    create trigger no_room before insert on runlog.archived_runs for each row execute function no_room()";
    ground.psql(break_it).await.expect("broken");
    let pruned = on(&ground.url, &["retention", "--prune-now"]).await?;
    assert_eq!(pruned.code, Some(1), "{}", pruned.stderr);
    assert!(pruned.stdout.contains("the disk is full"), "{}", pruned.stdout);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_exported_and_imported_elsewhere_once() -> Result<()> {
    let (ground, id) = greeted().await?;
    let folder = Folder::new()?;
    let file = folder.path("run.jsonl");
    std::fs::write(&file, on(&ground.url, &["export", &id]).await?.stdout)?;
    let elsewhere = Postgres::new().await;
    let path = file.to_string_lossy().into_owned();
    let imported = on(&elsewhere.url, &["import", &path, "-o", "ids"]).await?;
    assert_eq!((imported.code, imported.stdout.trim()), (Some(0), id.as_str()), "{}", imported.stderr);
    let shown = on(&elsewhere.url, &["get", &id]).await?.stdout;
    assert!(shown.contains("archived") && shown.contains("\"hello\""), "{shown}");
    let listed = on(&elsewhere.url, &["ls", "is:archived"]).await?.stdout;
    let mut lines = listed.lines().map(str::trim_end);
    assert!(lines.next().is_some_and(|head| head.ends_with("ARCHIVED")), "{listed}");
    assert!(lines.next().is_some_and(|row| row.contains(&id) && row.ends_with("yes")), "{listed}");
    assert!(!on(&ground.url, &["ls"]).await?.stdout.contains("ARCHIVED"), "nothing is archived there");
    assert_eq!(on(&elsewhere.url, &["import", &path]).await?.code, Some(6), "it is there already");
    let done = "select count(*) from runlog.audit where action = 'import'";
    assert_eq!(elsewhere.count(done).await, 2, "straight on a database it is in the audit, too");
    std::fs::write(&file, "{}")?;
    assert_eq!(on(&elsewhere.url, &["import", &path]).await?.code, Some(2), "it is no export");
    std::fs::write(&file, "")?;
    assert_eq!(on(&elsewhere.url, &["import", &path]).await?.code, Some(2), "it is empty");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedders_own_binary_checks_histories_against_its_code() -> Result<()> {
    let (ground, id) = greeted().await?;
    let check = |step: &'static str, more: &[&str]| {
        let words = ["my-service", "check", "--database-url", &ground.url];
        let words: Vec<std::ffi::OsString> = words.iter().chain(more).map(std::ffi::OsString::from).collect();
        tokio::task::spawn_blocking(move || format!("{:?}", Cli::new().workflow(greet(step)).main(words)))
    };
    let code = |code: u8| format!("{:?}", std::process::ExitCode::from(code));
    assert_eq!(check("greet", &[&id]).await?, code(0));
    assert_eq!(check("greet", &["--match", "workflow:greet since:1h"]).await?, code(0));
    assert_eq!(check("wave", &[&id]).await?, code(1), "the step has another name");
    assert_eq!(check("greet", &[]).await?, code(2), "nothing to check");
    let folder = Folder::new()?;
    let file = folder.path("run.jsonl");
    std::fs::write(&file, on(&ground.url, &["export", &id]).await?.stdout)?;
    let path = file.to_string_lossy().into_owned();
    assert_eq!(check("wave", &["--file", &path]).await?, code(1));
    assert_eq!(check("greet", &["--file", &path]).await?, code(0));

    let without = on(&ground.url, &["check", &id]).await?;
    assert_eq!(without.code, Some(2));
    assert!(without.stderr.contains("from your own binary"), "{}", without.stderr);
    Ok(())
}
