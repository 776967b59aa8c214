//! Runs that are kept, taken along, and checked against code.

use anyhow::Result;
use runlog::cli::Cli;
use runlog::{Cx, Workflow};
use serde_json::Value;

use super::verbs::on;
use crate::support::{Ground, Postgres, soon};
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
