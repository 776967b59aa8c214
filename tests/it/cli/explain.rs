//! The verbs that a person types at three in the morning.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result};
use runlog::{Cx, ReplayOptions, Runtime, When, Workflow};
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;

use super::verbs::{Printed, on};
use crate::support::{Ground, Postgres, gate, soon};

#[derive(Debug, thiserror::Error)]
#[error("card declined")]
struct Declined(#[source] std::io::Error);

/// Reserves, then charges unless the order is good.
fn checkout() -> Workflow<Value, String> {
    let w = Workflow::dag("checkout");
    let reserve = w.task("reserve", |cx: Cx, order: Value| async move {
        cx.log().warn(format!("reserving for {order}"));
        anyhow::Ok(3_u32)
    });
    let charge = w.task_after("charge", &reserve, |cx: Cx, order: Value, shelf: u32| async move {
        cx.log().info(format!("charging for shelf {shelf}"));
        match order["good"] == json!(true) {
            true => Ok(format!("shelf {shelf}")),
            false => Err(Declined(std::io::Error::other("402 Payment Required"))),
        }
    });
    w.output(&charge)
}

/// A good run, then two that failed in the same way; the last one's id.
async fn night(ground: &Postgres) -> Result<(Runtime, String)> {
    let runtime = ground.builder().workflow(checkout()).workflow(gate()).start().await?;
    let mut last = String::new();
    for (order, good) in [(1, true), (2, false), (3, false)] {
        let input = json!({ "order": order, "good": good });
        let run = runtime.run(&checkout(), input).metadata([("team", "payments")]).start().await?;
        soon("its end", run.wait()).await?;
        last = run.id().to_string();
    }
    Ok((runtime, last))
}

fn has(printed: &Printed, parts: &[&str]) {
    for part in parts {
        assert!(printed.stdout.contains(part), "{part:?} is missing:\n{}{}", printed.stdout, printed.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_from_the_failures_to_the_cause_and_the_next_command() -> Result<()> {
    let ground = Postgres::new().await;
    let (_runtime, last) = night(&ground).await?;

    let failures = on(&ground.url, &["failures"]).await?;
    has(&failures, &["2", "checkout ▸ charge", "Declined: card declined"]);
    assert!(failures.stderr.contains(&format!("next: runlog why {last}")), "{}", failures.stderr);

    let why = on(&ground.url, &["why"]).await?;
    assert_eq!(why.code, Some(10), "{}", why.stderr);
    has(
        &why,
        &[
            &last,
            "Declined: card declined",
            "402 Payment Required",
            "tests/it/cli/explain.rs:",
            "reserve gave 3",
        ],
    );
    has(&why, &[r#"{"good":false,"order":3}"#, "last good", "false", "✓ reserve", "✕ charge"]);
    has(&why, &[&format!("next: runlog replay {last}")]);
    has(&why, &["similar    1 other run failed so, 1 of them in 24 hours, the newest "]);
    let listed =
        why.stdout.lines().find_map(|line| line.split_once("runlog ls ")).context("what lists them")?.1;
    let listed = on(&ground.url, &["ls", listed, "-o", "ids"]).await?;
    assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);

    let diff = on(&ground.url, &["diff", "@last-failed"]).await?;
    has(&diff, &["a  ✓ succeeded", "b  ✕ failed", "order", "1 → 3"]);
    let good = on(&ground.url, &["ls", "status:succeeded", "--limit", "1", "-o", "ids"]).await?.stdout;
    let given = on(&ground.url, &["diff", "@last-failed", good.trim()]).await?;
    has(&given, &["a  ✕ failed", "b  ✓ succeeded", "order", "3 → 1"]);
    assert!(!given.stdout.contains("attempt_succeeded attempt_succeeded"), "{}", given.stdout);
    let replayed = on(&ground.url, &["replay", "@last-failed", "--dry-run"]).await?;
    has(&replayed, &["reuses     reserve", "runs       charge"]);
    assert!(!replayed.stdout.contains("goes on"), "nothing of charge is recorded:\n{}", replayed.stdout);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_listed_by_the_filter_in_every_form() -> Result<()> {
    let ground = Postgres::new().await;
    let (_runtime, last) = night(&ground).await?;
    let listed = on(&ground.url, &["ls", "status:failed", "meta.team:payments"]).await?;
    assert_eq!(listed.stdout.lines().count(), 3, "a head and two runs:\n{}", listed.stdout);
    has(&listed, &[&last, "✕ failed", "charge", "Declined: card declined"]);
    let ids = on(&ground.url, &["ls", "status:failed", "-o", "ids"]).await?;
    assert_eq!(ids.stdout.lines().next(), Some(last.as_str()), "the newest first");
    let page: Value =
        serde_json::from_str(&on(&ground.url, &["ls", "--limit", "1", "-o", "json"]).await?.stdout)?;
    assert!(
        page["data"].as_array().is_some_and(|data| data.len() == 1) && page["next"].is_string(),
        "{page}"
    );
    let all = on(&ground.url, &["ls", "--all", "-o", "jsonl"]).await?;
    assert_eq!(all.stdout.lines().count(), 3);

    let none = on(&ground.url, &["ls", "workflow:nobody"]).await?;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
    assert!(none.stderr.contains("no run fits \"workflow:nobody\""), "{}", none.stderr);
    let wrong = on(&ground.url, &["ls", "since:1h", "statu:failed"]).await?;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("status"), "{}", wrong.stderr);
    assert!(wrong.stderr.ends_with("  since:1h statu:failed\n           ^\n"), "{}", wrong.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_named_by_the_beginning_of_its_id() -> Result<()> {
    let ground = Postgres::new().await;
    let (runtime, last) = night(&ground).await?;
    let (beginning, whole) = (last.split_at(24).0, &last);
    has(&on(&ground.url, &["get", beginning]).await?, &[whole]);
    has(&on(&ground.url, &["get", "@last"]).await?, &[whole]);
    let several = on(&ground.url, &["get", last.split_at(8).0]).await?;
    assert_eq!(several.code, Some(2));
    assert!(several.stderr.contains("several runs"), "{}", several.stderr);
    let nobody = on(&ground.url, &["get", "0123abcd"]).await?;
    assert_eq!(nobody.code, Some(4), "{}", nobody.stderr);
    runtime.shutdown(std::time::Duration::ZERO).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_come_from_standard_input() -> Result<()> {
    let ground = Postgres::new().await;
    let (_runtime, _) = night(&ground).await?;
    let ids = on(&ground.url, &["ls", "status:failed", "-o", "ids"]).await?.stdout;
    let url = ground.url.clone();
    let piped = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runlog"));
        command.args(["replay", "-", "--reason", "over", "-o", "ids", "--database-url", &url]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("its input")?.write_all(ids.as_bytes())?;
        anyhow::Ok(child.wait_with_output()?)
    });
    let output = piped.await??;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout)?.lines().count(), 2);
    assert_eq!(ground.count("select count(*) from runlog.runs where replay_of is not null").await, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_states_and_graphs_are_shown() -> Result<()> {
    let ground = Postgres::new().await;
    let (runtime, last) = night(&ground).await?;
    let run = runtime.handle(last.parse()?);
    let (_, replay) = (run.id(), run.replay(ReplayOptions::default()).await?.run);
    soon("its end", replay.wait()).await?;

    crate::support::until("its line is kept", async || {
        let logs = on(&ground.url, &["logs", &last]).await;
        logs.is_ok_and(|logs| logs.stdout.contains("WARN") && logs.stdout.contains("reserving for"))
    })
    .await;
    let none = on(&ground.url, &["logs", &last, "--level", "error"]).await?;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));

    crate::support::until("why ends with it", async || {
        let why = on(&ground.url, &["why", &last]).await;
        why.is_ok_and(|why| {
            let said = why.stdout.lines().find(|line| line.starts_with("  said       "));
            said.is_some_and(|said| said.ends_with(" INFO  charging for shelf 3"))
        })
    })
    .await;

    let state = on(&ground.url, &["state", &last, "--at", "2"]).await?;
    has(&state, &["after event 2, run_started", "changed", "◐ running", "TASK", "reserve  ◌ queued"]);
    assert!(state.stderr.contains("next: runlog state"), "{}", state.stderr);
    assert!(!state.stdout.contains("\"origin\""), "a person reads a table:\n{}", state.stdout);
    let beyond = on(&ground.url, &["state", &last, "--at", "999"]).await?;
    assert_eq!(beyond.code, Some(4), "{}", beyond.stderr);
    has(&on(&ground.url, &["graph", &last]).await?, &["✓ reserve", "✕ charge"]);
    has(&on(&ground.url, &["graph", &last, "--format", "mermaid"]).await?, &["reserve", "-->"]);
    let why = on(&ground.url, &["why", &replay.id().to_string(), "-o", "json"]).await?;
    let why: Value = serde_json::from_str(&why.stdout)?;
    assert_eq!((why["status"].as_str(), why["site"]["task"].as_str()), (Some("FAILED"), Some("charge")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_runs_of_a_filter_are_replayed_when_that_is_said() -> Result<()> {
    let ground = Postgres::new().await;
    let (_runtime, _) = night(&ground).await?;
    let filter = "status:failed since:1h";
    let would = on(&ground.url, &["replay", "--match", filter, "--dry-run"]).await?;
    has(&would, &["would replay 2 runs", "reuses 1 tasks, runs 1"]);
    let unsaid = on(&ground.url, &["replay", "--match", filter]).await?;
    assert_eq!(unsaid.code, Some(2), "{}", unsaid.stderr);
    assert!(unsaid.stderr.contains("say --yes"), "{}", unsaid.stderr);
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 3, "nothing was done");

    let done = on(&ground.url, &["replay", "--match", filter, "--yes", "--reason", "over"]).await?;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    has(&done, &["replay  finished: 2 of 2, 0 refused"]);
    let bulk = done.stdout.split_whitespace().nth(1).context("its id")?;
    has(&on(&ground.url, &["bulk", bulk]).await?, &["finished: 2 of 2"]);

    let partly = on(&ground.url, &["cancel", "--match", "is:root since:1h", "--yes"]).await?;
    assert_eq!(partly.code, Some(7), "runs that ended cannot be cancelled: {}", partly.stdout);
    has(&partly, &["illegal_transition"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_finds_the_runs_of_the_namespace_that_is_said() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).start().await?;
    let kept = runtime.run(&gate(), Value::Null).start().await?;
    for _ in 0..2 {
        runtime.run(&gate(), Value::Null).namespace("acme").start().await?;
    }
    let filter = ["--match", "workflow:gate"];
    let cancel = async |rest: &[&str]| on(&ground.url, &[&["cancel"], &filter[..], rest].concat()).await;
    has(&cancel(&["--dry-run"]).await?, &["would cancel 1 run\n"]);
    has(&cancel(&["--of-namespace", "acme", "--dry-run"]).await?, &["would cancel 2 runs"]);
    let done = cancel(&["--of-namespace", "acme", "--yes"]).await?;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    has(&done, &["cancel  finished: 2 of 2, 0 refused"]);
    let left = on(&ground.url, &["ls", "status:queued,running", "-o", "ids"]).await?;
    assert_eq!(left.stdout.trim(), kept.id().to_string());

    let ended = ["replay", "--match", "status:cancelled", "--dry-run"];
    has(
        &on(&ground.url, &[&ended[..], &["--of-namespace", "acme"]].concat()).await?,
        &["would replay 2 runs"],
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_passed_over_is_refused() -> Result<()> {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).start().await?;
    let run = runtime.run(&gate(), Value::Null).start().await?;
    let id = run.id().to_string();
    for arguments in [
        &["cancel", &id, "--rate", "5"][..],
        &["cancel", &id, "--of-namespace", "acme"],
        &["replay", &id, "--rate", "5"],
        &["replay", &id, "--of-namespace", "acme"],
        &["replay", &id, "--dry-run", "--wait-timeout", "5s"],
        &["replay", "--match", "workflow:gate", "--dry-run", "--wait-timeout", "5s"],
        &["retention", "--unset", "--workflow", "gate", "--delete-after", "30d"],
        &["retention", "--prune-now", "--delete-after", "30d"],
        &["retention", "--prune-now", "--workflow", "gate"],
        &["retention", "--prune-now", "--of-namespace", "acme"],
    ] {
        let refused = on(&ground.url, arguments).await?;
        assert_eq!(refused.code, Some(2), "{arguments:?}: {}{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("cannot be used with"), "{arguments:?}: {}", refused.stderr);
    }
    has(&on(&ground.url, &["cancel", &id, "--dry-run"]).await?, &["would cancel 1 run\n", &id]);
    let live = on(&ground.url, &["ls", "status:queued,running", "-o", "ids"]).await?;
    assert_eq!(live.stdout.trim(), id, "nothing was done");
    assert_eq!(on(&ground.url, &["cancel", &id, "--yes"]).await?.code, Some(0), "nothing is asked anyway");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_list_is_shown_anew_when_it_changes() -> Result<()> {
    let ground = Postgres::new().await;
    let (runtime, last) = night(&ground).await?;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_runlog"));
    command.args(["ls", "-w", "-o", "ids", "workflow:checkout,gate", "--database-url", &ground.url]);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = tokio::io::BufReader::new(child.stdout.take().context("its output")?).lines();
    let mut expect = async |wanted: String| {
        while soon("a line", lines.next_line()).await?.context("it ended")? != wanted {}
        anyhow::Ok(())
    };
    expect(last).await?;
    let run = runtime.run(&gate(), Value::Null).start().await?;
    expect(run.id().to_string()).await?;
    child.kill().await?;

    let wrong = on(&ground.url, &["ls", "-w", "statu:failed"]).await?;
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skipped_tasks_and_open_conditions_are_shown() -> Result<()> {
    let w = Workflow::dag("branches");
    let flag = w.task("flag", |_, n: u32| async move { Ok::<_, std::io::Error>(n) });
    let left = w.task("left", |_, n: u32| async move { Ok::<_, std::io::Error>(n) });
    let left = left.skip_if(When::output(&flag, |n| *n > 1));
    let end = w.task("end", |_, n: u32| async move { Ok::<_, std::io::Error>(n) });
    let end = end.after(left.optional()).wait_for(When::signal("go"));
    let w = w.output(&end);
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(w.clone()).start().await?;
    let run = runtime.run(&w, 2).start().await?;
    let id = run.id().to_string();
    crate::support::until("it waits", async || {
        on(&ground.url, &["why", &id]).await.is_ok_and(|why| why.stdout.contains("signal `go`"))
    })
    .await;
    has(&on(&ground.url, &["why", &id]).await?, &["waits for signal `go`, to begin `end`", "runlog signal"]);
    let waits = on(&ground.url, &["get", &id, "-o", "json"]).await?;
    let waits: Value = serde_json::from_str(&waits.stdout)?;
    assert_eq!(
        (waits["waiting"][0]["kind"].as_str(), waits["waiting"][0]["name"].as_str()),
        (Some("condition"), Some("end"))
    );
    assert_eq!(waits["tasks"][1]["skipped"].as_str(), Some("skipped on output of `flag`"));

    has(&on(&ground.url, &["signal", &id, "go"]).await?, &[]);
    soon("its end", run.wait()).await?;
    has(&on(&ground.url, &["get", &id]).await?, &["– skipped", "skipped on output of `flag`"]);
    has(
        &on(&ground.url, &["graph", &id]).await?,
        &["✓ flag", "– left (skipped on output of `flag`)", "✓ end"],
    );
    let replay = on(&ground.url, &["replay", &id, "--from", "end", "--dry-run"]).await?;
    has(&replay, &["skips", "left"]);
    Ok(())
}
