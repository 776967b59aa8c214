//! The verbs about runs, straight on a database.

use std::process::Output;

use anyhow::Result;
use runlog::{Cx, Runtime, Workflow};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use super::runlog;
use crate::support::{Ground, Postgres, gate, soon, until};
use crate::testing::postgres::Folder;

/// What the command printed, and its exit code.
pub(super) struct Printed {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs the command on a database, beside the test's own futures.
pub(super) async fn on(url: &str, arguments: &[&str]) -> Result<Printed> {
    let mut all: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    all.extend(["--database-url".to_owned(), url.to_owned()]);
    let ran = tokio::task::spawn_blocking(move || {
        runlog(&Folder::new()?, &all.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let Output { status, stdout, stderr } = ran.await??;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    Ok(Printed { code: status.code(), stdout, stderr })
}

/// Fails with a text that a terminal would obey.
fn broken() -> Workflow<Value, Value> {
    let code = |_: Cx, _: Value| async { Err::<Value, _>(std::io::Error::other("\u{1b}[31mred\u{202e}<b>")) };
    Workflow::function("broken", code)
}

async fn serving(ground: &Postgres) -> Result<Runtime> {
    Ok(ground.builder().workflow(gate()).workflow(broken()).start().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_started_signalled_watched_and_shown() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let start = [
        "start",
        "gate",
        "--input",
        r#"{"big":12345678901234567890123}"#,
        "--key",
        "k",
        "--meta",
        "a=b",
        "-o",
        "ids",
    ];
    let started = on(&ground.url, &start).await?;
    assert_eq!((started.code, started.stderr.as_str()), (Some(0), ""));
    let id = started.stdout.trim();
    let again = on(&ground.url, &start).await?;
    assert_eq!(
        (again.stdout.trim(), again.stderr.as_str()),
        (id, "the key is taken: this is the run that has it\n")
    );

    let waits = on(&ground.url, &["get", id]).await?;
    assert!(waits.stdout.contains("waits for  signal `go`"), "{}", waits.stdout);
    assert_eq!(on(&ground.url, &["watch", id, "--timeout", "200ms"]).await?.code, Some(124));
    assert_eq!(on(&ground.url, &["signal", id, "go", "--data", "\"out\""]).await?.code, Some(0));
    let watched = on(&ground.url, &["watch", id, "--timeout", "20s"]).await?;
    assert_eq!(watched.code, Some(0), "{}", watched.stderr);
    assert!(
        watched.stdout.contains("run_created") && watched.stdout.contains("run_succeeded"),
        "{}",
        watched.stdout
    );

    let input = on(&ground.url, &["get", id, "--input"]).await?;
    assert_eq!(input.stdout, "{\"big\":12345678901234567890123}\n");
    assert_eq!(on(&ground.url, &["get", id, "--result"]).await?.stdout, "\"out\"\n");
    let shown = on(&ground.url, &["get", id]).await?.stdout;
    for fact in
        ["✓ succeeded  gate", "key        k", "metadata   a=b", "trigger    api by", "output     \"out\""]
    {
        assert!(shown.contains(fact), "{fact:?} is missing:\n{shown}");
    }
    let log = on(&ground.url, &["events", id, "-o", "jsonl"]).await?.stdout;
    let kinds: Vec<String> = log
        .lines()
        .map(|line| Ok(serde_json::from_str::<Value>(line)?["kind"].as_str().unwrap_or_default().to_owned()))
        .collect::<Result<_>>()?;
    let committed = runtime.events(id.parse()?, 0, 100).await?;
    assert_eq!(kinds, committed.iter().map(|event| event.event.kind()).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_say_how_it_ended_and_what_was_wrong() -> Result<()> {
    let ground = Postgres::new().await;
    let _runtime = serving(&ground).await?;
    let failed = on(&ground.url, &["start", "broken", "--wait", "-o", "jsonl"]).await?;
    assert_eq!(failed.code, Some(10), "{}", failed.stderr);
    let first: Value = serde_json::from_str(failed.stdout.lines().next().unwrap_or_default())?;
    assert_eq!(first["kind"], "run_created");
    let gate = on(&ground.url, &["start", "gate", "-o", "ids"]).await?.stdout;
    let gate = gate.trim();
    assert_eq!(on(&ground.url, &["cancel", gate, "--reason", "tired"]).await?.code, Some(0));
    let cancelled = on(&ground.url, &["watch", gate]).await?;
    assert_eq!(cancelled.code, Some(12));
    assert!(
        cancelled.stdout.contains("cancelled by") && cancelled.stdout.contains(": tired"),
        "{}",
        cancelled.stdout
    );
    let timed_out = on(&ground.url, &["start", "gate", "--timeout", "50ms", "--wait"]).await?;
    assert_eq!(timed_out.code, Some(11), "{}", timed_out.stdout);

    let keyed = ["signal", "approved", "--key", "order-7", "--data", "1", "--id", "event 1"];
    for _ in 0..2 {
        let kept = on(&ground.url, &keyed).await?;
        let said = "no run waits for signal `approved` of key `order-7`: it is kept for the first one\n";
        assert_eq!((kept.code, kept.stdout.as_str()), (Some(0), said), "{}", kept.stderr);
    }
    let json = on(&ground.url, &[&keyed[..], &["-o", "json"]].concat()).await?.stdout;
    assert_eq!(serde_json::from_str::<Value>(&json)?, serde_json::json!({ "runs": 0, "kept": true }));

    let unknown = "01a00000-0000-7000-8000-000000000000";
    for (arguments, code, said) in [
        (&["signal", gate, "go"][..], 6, "CANCELLED"),
        (&["signal", gate, "go", "--key", "k"], 2, "stands alone"),
        (&["signal", "go", "--key", "k", "--match", ""], 2, "cannot be used with"),
        (&["signal", "go", "--key", ""], 2, "empty"),
        (&["signal", gate, "go", "--id", "1"], 2, "--key"),
        (&["signal", "go", "--id", "1", "--match", "status:running"], 2, "cannot be used with"),
        (&["signal"], 2, "runlog signal [OPTIONS] <NAME> --key <KEY> [--id <ID>]"),
        (&["signal", "approved", "--key", "order-7", "--id", "event 1"], 6, "another signal"),
        (&["get", unknown], 4, "there is no run"),
        (&["get", "nonsense"], 2, "names no run"),
        (&["start", "nobody"], 4, "unknown"),
        (&["start", "gate", "--input", "{"], 2, "is no JSON"),
        (&["events", gate, "--kind", "nonsense"], 2, "is unknown"),
        (&["get", unknown, "--url", "http://127.0.0.1:1"], 5, "does not answer"),
    ] {
        let mut arguments = arguments.to_vec();
        let printed = match arguments.contains(&"--url") {
            true => {
                tokio::task::spawn_blocking({
                    let arguments: Vec<String> = arguments.drain(..).map(str::to_owned).collect();
                    move || runlog(&Folder::new()?, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
                })
                .await??
            }
            false => {
                let Printed { code: found, stderr, .. } = on(&ground.url, &arguments).await?;
                assert_eq!(found, Some(code), "{arguments:?}: {stderr}");
                assert!(stderr.contains(said), "{arguments:?}: {stderr}");
                continue;
            }
        };
        assert_eq!(printed.status.code(), Some(code));
        assert!(String::from_utf8(printed.stderr)?.contains(said));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_of_many_that_are_refused_do_not_hold_up_the_others() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let ended = runtime.run(&broken(), Value::Null).start().await?;
    soon("its end", ended.wait()).await?;
    let lives = runtime.run(&gate(), Value::Null).start().await?;
    let printed = on(&ground.url, &["cancel", &ended.id().to_string(), &lives.id().to_string()]).await?;
    assert_eq!(printed.code, Some(7));
    assert!(printed.stderr.contains(&ended.id().to_string()), "{}", printed.stderr);
    until("the other one is cancelled", async || lives.get().await.is_ok_and(|run| run.status.is_terminal()))
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_text_does_nothing_to_the_terminal() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let run = runtime
        .run(&broken(), Value::from("\u{1b}]0;title\u{7}"))
        .metadata([("m", "\u{9b}2J")])
        .start()
        .await?;
    soon("its end", run.wait()).await?;
    let id = run.id().to_string();
    for verb in ["get", "events", "watch"] {
        let shown = on(&ground.url, &[verb, &id, "--color", "never"]).await?.stdout;
        let obeyed = shown.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
        assert_eq!(obeyed, None, "{verb}: {shown}");
    }
    let shown = on(&ground.url, &["get", &id]).await?.stdout;
    assert!(shown.contains(r"\u{1b}[31mred\u{202e}<b>"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_says_what_it_takes_over_and_waits_for_its_end() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    let run = runtime.run(&broken(), Value::Null).start().await?;
    soon("its end", run.wait()).await?;
    let id = run.id().to_string();
    let would = on(&ground.url, &["replay", &id, "--dry-run"]).await?;
    assert_eq!(would.code, Some(0), "{}", would.stderr);
    assert!(would.stdout.contains("runs       broken"), "{}", would.stdout);
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 1, "a dry run starts nothing");
    let replayed = on(&ground.url, &["replay", &id, "--reason", "again", "--wait"]).await?;
    assert_eq!(replayed.code, Some(10), "{}", replayed.stderr);
    assert!(replayed.stdout.contains(&format!("replay of {id}")), "{}", replayed.stdout);
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 2);
    Ok(())
}

/// An empty database of the test's own.
async fn empty() -> Result<String> {
    Ok(runlog::testing::postgres::Databases::shared().await?.fresh(None).await?.url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_checked_printed_and_brought_up_to_date() -> Result<()> {
    let by_hand = empty().await?;
    let checked = on(&by_hand, &["migrate", "--check"]).await?;
    assert_eq!(checked.code, Some(6), "{}", checked.stdout);
    assert_eq!(on(&by_hand, &["get", "@last"]).await?.code, Some(4));
    let script = on(&by_hand, &["migrate", "--print-sql"]).await?.stdout;
    let pool = PgPool::connect(&by_hand).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("begin;\n{script}\ncommit;"))).execute(&pool).await?;
    assert_eq!(on(&by_hand, &["migrate", "--check"]).await?.code, Some(0));
    // The migrator finds its own books in order.
    Runtime::builder(pool).workflow(gate()).start().await?;

    let migrated = empty().await?;
    assert_eq!(on(&migrated, &["migrate"]).await?.code, Some(0));
    let again = on(&migrated, &["migrate", "-o", "json"]).await?;
    let told: Value = serde_json::from_str(&again.stdout)?;
    assert_eq!((again.code, &told["is"]), (Some(0), &told["needed"]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_names_what_is_wrong_and_what_to_do() -> Result<()> {
    let ground = Postgres::new().await;
    let alone = on(&ground.url, &["doctor"]).await?;
    assert_eq!(alone.code, Some(1));
    assert!(alone.stdout.contains("✕ nodes        0 alive"), "{}", alone.stdout);
    let _runtime = serving(&ground).await?;
    let found: Vec<Value> = serde_json::from_str(&on(&ground.url, &["doctor", "-o", "json"]).await?.stdout)?;
    let nodes = found.iter().find(|finding| finding["what"] == "nodes");
    assert_eq!(nodes.map(|finding| &finding["ok"]), Some(&Value::Bool(true)), "{found:?}");
    let empty = on(&empty().await?, &["doctor"]).await?;
    assert!(empty.stdout.contains("run `runlog migrate`"), "{}", empty.stdout);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shell_has_its_completions() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let printed = on("", &["completions", shell]).await?;
        assert_eq!(printed.code, Some(0));
        assert!(printed.stdout.contains("replay"), "{shell}");
    }
    Ok(())
}
