//! Starting runs.

use runlog::model::event::Trigger;
use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_started_over_rest_is_the_record_that_code_makes() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let body = r#"{"workflow":"gate","input":{"n": 12345678901234567890123 },"key":"order-1",
                   "metadata":{"team":"payments"},"priority":7,"timeout_ms":60000,"start_timeout_ms":50000}"#;
    let answer = post(&app, "/api/v1/runs", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let run = answer.json();
    let id = answer.text("id");
    assert_eq!(answer.header("location"), format!("runs/{id}"));
    assert_eq!(run["created"], true);
    assert_eq!(run["trigger"]["kind"], "api");

    let view = stage.runtime.get(id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(view.trigger, Trigger::Api { by: Some("ada".to_owned()) });
    let by_code = stage
        .runtime
        .run(&gate(), json!({ "n": 1 }))
        .metadata([("team", "payments")])
        .priority(7)
        .timeout(std::time::Duration::from_secs(60))
        .start_timeout(std::time::Duration::from_secs(50))
        .start()
        .await
        .unwrap();
    let other = by_code.get().await.unwrap();
    assert_eq!(view.input.text(), r#"{"n": 12345678901234567890123 }"#, "byte for byte");
    assert_eq!((&view.metadata, view.priority), (&other.metadata, other.priority));
    assert_eq!((&view.version, &view.namespace), (&other.version, &other.namespace));
    assert_eq!(view.timeout, other.timeout);
    for run in [&view, &other] {
        let wait = run.start_deadline.unwrap() - run.created_at;
        assert_eq!(wait.num_seconds(), 50, "counted from its creation");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_starts_one_run_and_the_second_start_is_answered_with_it() {
    let stage = Stage::new().await;
    let app = stage.open();
    let body = json!({ "workflow": "gate", "key": "k" });
    let first = start(&app, body.clone()).await;
    let again = post(&app, "/api/v1/runs", &body.to_string()).await;
    assert_eq!((again.status.as_u16(), again.json()["created"].clone()), (200, json!(false)));
    assert_eq!(again.text("id"), first);

    let strict = json!({ "workflow": "gate", "key": "k", "if_exists": "fail" });
    let refused = post(&app, "/api/v1/runs", &strict.to_string()).await.assert_problem(409, "duplicate_key");
    assert_eq!(refused["run"], first);
    assert_eq!(stage.ground.count("select count(*) from runlog.runs").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_is_refused_with_a_pointer_and_nothing_is_written() {
    let stage = Stage::new().await;
    let app = stage.open();
    let long = "k".repeat(513);
    for (body, code, pointer) in [
        (json!({}), 422, ""),
        (json!({ "workflow": 7 }), 422, "/workflow"),
        (json!({ "workflow": "gate", "key": long }), 422, "/key"),
        (json!({ "workflow": "gate", "key": "a\u{0}b" }), 422, "/key"),
        (json!({ "workflow": "gate", "key": "" }), 422, "/key"),
        (json!({ "workflow": "gate", "priority": 40_000 }), 422, "/priority"),
        (json!({ "workflow": "gate", "priority": 1_001 }), 422, "/priority"),
        (json!({ "workflow": "gate", "metadata": { "a": 1 } }), 422, "/metadata/a"),
        (json!({ "workflow": "gate", "metadata": { "a": "\u{0}" } }), 422, "/metadata"),
        (json!({ "workflow": "gate", "if_exists": "maybe" }), 422, "/if_exists"),
        (json!({ "workflow": "gate", "timeout_ms": 0 }), 422, "/timeout_ms"),
        (json!({ "workflow": "gate", "delay_ms": u64::MAX }), 422, "/delay_ms"),
        (json!({ "workflow": "gate", "start_at": "yesterday" }), 422, "/start_at"),
        (json!({ "workflow": "gate", "start_at": "9999-01-01T00:00:00Z" }), 422, "/start_at"),
        (json!({ "workflow": "gate", "input": "\u{0}" }), 422, "/input"),
        (json!({ "workflow": "gate", "colour": "red", "x_colour": "red" }), 400, "/colour"),
    ] {
        let answer = post(&app, "/api/v1/runs", &body.to_string()).await;
        let word = if code == 400 { "unknown_field" } else { "schema_violation" };
        let problem = answer.assert_problem(code, word);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let unknown = post(&app, "/api/v1/runs", r#"{"workflow":"nobody"}"#).await;
    unknown.assert_problem(404, "workflow_not_found");
    assert_eq!(stage.ground.count("select count(*) from runlog.runs").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_starts_runs_in_its_own_namespace() {
    let stage = Stage::new().await;
    let id = start(&stage.as_tenant("acme"), json!({ "workflow": "gate", "key": "k" })).await;
    let other = start(&stage.as_tenant("globex"), json!({ "workflow": "gate", "key": "k" })).await;
    assert_ne!(id, other, "a key is taken per namespace");
    let run = get(&stage.open(), &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!(run["namespace"], "acme");
    let body = r#"{"workflow":"gate","namespace":"globex"}"#;
    post(&stage.as_tenant("acme"), "/api/v1/runs", body).await.assert_problem(400, "unknown_field");
}
