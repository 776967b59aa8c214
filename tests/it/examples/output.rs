//! What each example prints on an empty database.

use std::process::Output;

use anyhow::Result;
use runlog::testing::postgres::Databases;

use super::example;

async fn output_of(name: &str, arguments: &[&str]) -> Result<String> {
    let database = Databases::shared().await?.fresh(None).await?;
    let Output { status, stdout, stderr } =
        example(name).args(arguments).env("DATABASE_URL", &database.url).output()?;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    assert!(status.success() && stderr.is_empty(), "{name}: {status}\n{stdout}\n{stderr}");
    database.drop_now().await?;
    Ok(stdout)
}

#[tokio::test]
async fn quickstart() -> Result<()> {
    let told = "\
Hello, Ada!
  1 run_created
  2 run_started
  3 attempt_started
  4 step_completed
  5 timer_started
  6 timer_fired
  7 attempt_succeeded
  8 run_succeeded
";
    assert_eq!(output_of("quickstart", &[]).await?, told);
    Ok(())
}

#[tokio::test]
async fn otel() -> Result<()> {
    let told = "\
account 7
look_up   under attempt 1 of onboarding in trace 4bf92f3577b34da6a3ce929d0e0e4736
send mail under step mail               in trace 4bf92f3577b34da6a3ce929d0e0e4736
index     under attempt 1 of onboarding in trace 4bf92f3577b34da6a3ce929d0e0e4736
";
    assert_eq!(output_of("otel", &[]).await?, told);
    Ok(())
}

#[tokio::test]
async fn checkout() -> Result<()> {
    let told = r#"order 1: lamp, 4900 cents
  4900 cents charged, parcel of lamp with lamp from shelf 4
  reserve SUCCEEDED  attempts: 1  "lamp from shelf 4"
  score   SUCCEEDED  attempts: 1  0
  charge  SUCCEEDED  attempts: 3  "4900 cents charged"
  ship    SUCCEEDED  attempts: 1  {"payment":"4900 cents charged","parcel":"parcel of lamp with lamp from shelf 4"}
  undo    SKIPPED    attempts: 0
order 2: piano, 990000 cents
  charge failed: PaymentError: the bank refuses 990000 cents at risk 99
  reserve SUCCEEDED  attempts: 1  "piano from shelf 5"
  score   SUCCEEDED  attempts: 1  99
  charge  FAILED     attempts: 3
  ship    CANCELLED  attempts: 0
  undo    SUCCEEDED  attempts: 1  "gave back piano from shelf 5 after charge failed"
order 3: anvil, 13 cents
  score failed: task_timed_out: attempt 2 took longer than its 300 ms
  reserve SUCCEEDED  attempts: 1  "anvil from shelf 5"
  score   TIMED_OUT  attempts: 2
  charge  CANCELLED  attempts: 0
  ship    CANCELLED  attempts: 0
  undo    SUCCEEDED  attempts: 1  "gave back anvil from shelf 5 after score failed"
"#;
    assert_eq!(output_of("checkout", &[]).await?, told);
    Ok(())
}

#[tokio::test]
async fn onboarding() -> Result<()> {
    let told = "\
Ada:  account ada@example.org; opened the mail on a phone; invoice 7 for the plan gold
Bob:  account bob@example.org; did not open the mail, was reminded; invoice 7 for the plan free
Ada's key again: a new run? false
Bob's log:
  1 run_created
  2 run_started
  3 attempt_started
  4 step_completed
  5 signal_awaited
  6 timer_started
  7 timer_fired
  8 race_won
  9 wait_abandoned
 10 step_completed
 11 signal_awaited
 12 signal_timed_out
 13 child_started
 14 child_finished
 15 attempt_succeeded
 16 run_succeeded
";
    assert_eq!(output_of("onboarding", &[]).await?, told);
    Ok(())
}

#[tokio::test]
async fn axum() -> Result<()> {
    let told = r#"POST /orders {"key":"order-1","cents":4900}
  201 Created {"new":true,"order":"order-1"}
POST /orders {"key":"order-1","cents":4900}
  200 OK {"new":false,"order":"order-1"}
GET /orders/order-1
  200 OK {"order":"order-1","output":"shipped for 4900 cents","status":"SUCCEEDED","waiting":[]}
GET /orders/order-2
  404 Not Found {"error":"there is no order order-2"}
GET /runlog/healthz
  200 OK ok
"#;
    assert_eq!(output_of("axum", &["--check"]).await?, told);
    Ok(())
}

#[test]
fn quickstart_is_no_longer_than_forty_lines() {
    let source = include_str!("../../../examples/quickstart.rs");
    assert!(source.lines().count() <= 40, "{} lines", source.lines().count());
}

#[tokio::test]
async fn live() -> Result<()> {
    let told = r#"its stream:
  1 "page 1 of 3"
  2 "page 2 of 3"
  3 "page 3 of 3"
its lines:
  WARN  render#1  this one is large {"page":2}
  INFO            done {"pages":3}
its events, from the fourth on:
  4 step_completed
  5 step_completed
  6 step_completed
  7 attempt_succeeded
  8 run_succeeded
"#;
    assert_eq!(output_of("live", &[]).await?, told);
    Ok(())
}
