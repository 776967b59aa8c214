//! The header `Idempotency-Key`.

use super::*;

async fn keyed(app: &Router, key: &str, path: &str, body: &str) -> Answer {
    let request = posting(path).header("idempotency-key", key);
    send(app, request.body(Body::from(body.to_owned())).unwrap()).await
}

const START: &str = r#"{"workflow":"gate"}"#;
const RUNS: &str = "/api/v1/runs";
const COUNT: &str = "select count(*) from runlog.runs";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_with_the_same_key_is_done_once_and_answered_alike() {
    let stage = Stage::new().await;
    let app = stage.open();
    let first = keyed(&app, "k1", RUNS, START).await;
    let again = keyed(&app, "\"k1\"", RUNS, START).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(again.bytes, first.bytes, "byte for byte");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(stage.ground.count(COUNT).await, 1);
    assert_eq!(keyed(&app, "k2", RUNS, START).await.status, 201);
    assert_eq!(stage.ground.count(COUNT).await, 2, "another key is another request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_belongs_to_one_request_and_one_caller() {
    let stage = Stage::new().await;
    let app = stage.open();
    let id = keyed(&app, "k", RUNS, START).await.text("id");
    keyed(&app, "k", RUNS, r#"{"workflow":"gate","input":1}"#)
        .await
        .assert_problem(422, "idempotency_mismatch");
    keyed(&app, "k", &format!("/api/v1/runs/{id}/cancel"), START)
        .await
        .assert_problem(422, "idempotency_mismatch");
    assert_eq!(stage.ground.count(COUNT).await, 1);
    let other = keyed(&stage.as_tenant("acme"), "k", RUNS, START).await;
    assert_eq!((other.status.as_u16(), other.header("idempotency-replayed")), (201, ""));
    assert_ne!(other.text("id"), id, "a tenant's key is its own");
    for key in ["", "\"\"", &"k".repeat(256), "é"] {
        let request =
            posting(RUNS).header("idempotency-key", key.as_bytes()).body(Body::from(START)).unwrap();
        send(&app, request).await.assert_problem(400, "invalid_header");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_one_key_at_once_start_one_run() {
    let stage = Stage::new().await;
    let app = stage.open();
    let all = (0..20).map(|_| keyed(&app, "k", RUNS, START));
    let answers = futures_util::future::join_all(all).await;
    for answer in &answers {
        match answer.status.as_u16() {
            201 => {}
            _ => drop(answer.assert_problem(409, "idempotency_in_flight")),
        }
    }
    assert!(answers.iter().any(|answer| answer.status == 201));
    assert_eq!(stage.ground.count(COUNT).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_may_be_tried_again_with_the_same_key() {
    let stage = Stage::new().await;
    let app = stage.open();
    let unknown = r#"{"workflow":"later"}"#;
    keyed(&app, "k", RUNS, unknown).await.assert_problem(404, "workflow_not_found");
    keyed(&app, "k", RUNS, unknown).await.assert_problem(404, "workflow_not_found");
    assert_eq!(keyed(&app, "k", RUNS, START).await.status, 201, "the key is free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_process_died_is_taken_again_and_a_key_is_forgotten_after_a_day() {
    let stage = Stage::new().await;
    let app = stage.open();
    let first = keyed(&app, "k", RUNS, START).await.text("id");
    let unanswered =
        "update runlog.idempotency set status = null, body = null, busy_until = clock_timestamp() + '1 min'";
    stage.ground.psql(unanswered).await.unwrap();
    keyed(&app, "k", RUNS, START).await.assert_problem(409, "idempotency_in_flight");
    stage
        .ground
        .psql("update runlog.idempotency set busy_until = clock_timestamp() - '1 s'::interval")
        .await
        .unwrap();
    assert_eq!(keyed(&app, "k", RUNS, START).await.status, 201, "its process is dead");
    stage
        .ground
        .psql("update runlog.idempotency set created_at = created_at - '25 h'::interval")
        .await
        .unwrap();
    let later = keyed(&app, "k", RUNS, START).await;
    assert_eq!((later.status.as_u16(), later.header("idempotency-replayed")), (201, ""));
    assert_ne!(later.text("id"), first);
}
