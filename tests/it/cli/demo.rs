//! `runlog demo`.

use std::collections::BTreeMap;
use std::process::Output;

use anyhow::Result;
use runlog::model::SpanId;
use runlog::telemetry::spans::SpanStatus;
use runlog::testing::postgres::Databases;

use super::{runlog, runlog_with};
use crate::telemetry::receiver::Receiver;
use crate::testing::postgres::Folder;

#[test]
fn the_demo_comes_out_as_told_on_an_empty_machine() -> Result<()> {
    let home = Folder::new()?;
    let Output { status, stdout, stderr } = runlog(&home, &["demo", "--script"])?;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    assert!(status.success() && stderr.is_empty(), "{status}\n{stdout}\n{stderr}");

    assert!(!stdout.contains('\x1b'), "colour without a terminal:\n{stdout}");
    let told = [
        "database   a private postgres ",
        "$ runlog why ",
        "✕ failed  checkout ",
        "checkout ▸ charge: failed at attempt 3 of 3: PaymentError: the payment service does not answer",
        "\n  where      task charge, attempt 3 of 3",
        "\n  why        PaymentError: the payment service does not answer",
        "\n  caused by  no connection to payments.example.org:443",
        "\n  caused by  connection refused",
        "\n  at         src/cli/demo/shop.rs:",
        "\n  reserve gave \"one lamp from shelf 3\"",
        "\n  said       ",
        "INFO  asking the payment service, attempt 3 of 3",
        "next: runlog replay ",
        "$ runlog logs ",
        "INFO  reserve 1  took one lamp from shelf 3",
        "INFO  charge 1  asking the payment service, attempt 1 of 3",
        "it answers again",
        "$ runlog get ",
        "✓ succeeded  checkout ",
        "trigger    replay of ",
        "↻ reused",
        "reserve and score did not run again: in both runs together, stock was reserved once",
        "$ runlog events ",
        "task_reused",
        "run_succeeded",
        "What to try next",
    ];
    let mut rest = stdout.as_str();
    for piece in told {
        let found = rest.split_once(piece);
        (_, rest) = found.unwrap_or_else(|| panic!("{piece:?} is missing or out of order in:\n{stdout}"));
    }
    Ok(())
}

#[tokio::test]
async fn the_demo_runs_on_a_given_database_and_hides_its_password() -> Result<()> {
    let database = Databases::shared().await?.fresh(None).await?;
    let home = Folder::new()?;
    let url = database.url.replacen("postgres@", "postgres:secret@", 1);
    let Output { status, stdout, stderr } = runlog(&home, &["demo", "--script", "--database-url", &url])?;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    assert!(status.success(), "{status}\n{stdout}\n{stderr}");
    assert!(stdout.starts_with(&format!("database   {} at ", database.name)), "{stdout}");
    assert!(!stdout.contains("secret"), "{stdout}");
    database.drop_now().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_traces_go_where_the_standard_variables_say() -> Result<()> {
    let (database, backend) = (Databases::shared().await?.fresh(None).await?, Receiver::new().await);
    let (url, endpoint) = (database.url.clone(), backend.http());
    let demo = move || {
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
        runlog_with(&Folder::new()?, &["demo", "--script", "--database-url", &url], &variables)
    };
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(demo).await??;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    assert!(status.success() && stdout.contains("\nexports    traces"), "{status}\n{stdout}\n{stderr}");

    // When it has ended, both runs are there to their ends: the one that failed, and its replay. A database's first exporter may
    // send them twice.
    let spans = backend.spans().into_iter().filter(|span| span.name == "run checkout");
    let whole: BTreeMap<SpanId, bool> =
        spans.map(|span| (span.span_id, matches!(span.status, SpanStatus::Error { .. }))).collect();
    assert_eq!(whole.len(), 2, "{whole:?}");
    assert_eq!(whole.values().filter(|is_error| **is_error).count(), 1, "{whole:?}");
    database.drop_now().await?;
    Ok(())
}

#[test]
fn a_variable_that_cannot_be_read_is_named_before_anything_starts() -> Result<()> {
    let arguments = ["demo", "--script", "--database-url", "postgres://somebody@127.0.0.1:1/nowhere"];
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon")];
    let refused = runlog_with(&Folder::new()?, &arguments, &variables)?;
    let stderr = String::from_utf8(refused.stderr)?;
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{stderr}");
    assert!(stderr.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{stderr}");
    Ok(())
}

#[test]
fn a_database_out_of_reach_is_told_in_three_lines() -> Result<()> {
    let home = Folder::new()?;
    let url = "postgres://somebody:secret@127.0.0.1:1/nowhere";
    let Output { status, stderr, .. } = runlog(&home, &["demo", "--script", "--database-url", url])?;
    let stderr = String::from_utf8(stderr)?;
    assert_eq!(status.code(), Some(1));
    assert!(stderr.starts_with("runlog: the database nowhere at 127.0.0.1:1 cannot be used: "), "{stderr}");
    assert!(stderr.lines().count() <= 3 && !stderr.contains("secret"), "{stderr}");
    Ok(())
}
