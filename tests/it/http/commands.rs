//! Cancelling and signalling.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_decided_when_it_is_answered_and_says_who_and_why() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let path = format!("/api/v1/runs/{id}/cancel");
    let answer = post(&app, &path, r#"{"reason":"wrong order","grace_ms":1000}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    ended(&stage, &id).await;
    let run = get(&app, &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!(run["status"], "CANCELLED");
    assert_eq!(
        (&run["cancelled"]["by"], &run["cancelled"]["reason"]),
        (&json!("ada"), &json!("wrong order"))
    );
    let events = run["events"].clone();
    assert_eq!(post(&app, &path, "{}").await.status, 202, "cancelled already: the same answer");
    assert_eq!(
        get(&app, &format!("/api/v1/runs/{id}")).await.json()["events"],
        events,
        "and no second event"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_works_from_a_client_whichever_node_owns_the_run() {
    let stage = Stage::new().await;
    let client = stage.ground.builder().client().start().await.unwrap();
    let app = router(&client).allow_all_insecure().into_router();
    let id = start(&stage.open(), json!({ "workflow": "gate" })).await;
    assert_eq!(
        post(&app, &format!("/api/v1/runs/{id}/cancel"), "").await.status,
        202,
        "no body is an empty one"
    );
    ended(&stage, &id).await;
    assert_eq!(get(&app, &format!("/api/v1/runs/{id}")).await.json()["status"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_ended_run_cannot_do_is_a_conflict() {
    let stage = Stage::new().await;
    let id = echoed(&stage, "1").await;
    let app = stage.open();
    for path in ["cancel", "signals/go"] {
        let refused = post(&app, &format!("/api/v1/runs/{id}/{path}"), "{}").await;
        let problem = refused.assert_problem(409, "illegal_transition");
        assert_eq!((&problem["run_status"], &problem["run"]), (&json!("SUCCEEDED"), &json!(id)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_to_a_key_says_how_many_runs_got_it_and_is_accepted_once() {
    let stage = Stage::new().await;
    let app = stage.open();
    let path = "/api/v1/signals/approved/key";
    let body = r#"{"key":"order-7","payload":{"by":"ada"},"id":"event 1"}"#;
    for _ in 0..2 {
        let answer = post(&app, path, body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.json(), json!({ "runs": 0, "kept": true }));
    }
    let other = post(&app, path, r#"{"key":"order-7","id":"event 1"}"#).await;
    other.assert_problem(409, "signal_id_taken");
    let tenant = post(&stage.as_tenant("acme"), path, r#"{"key":"order-7","id":"event 1"}"#).await;
    assert_eq!(tenant.json(), json!({ "runs": 0, "kept": true }), "another namespace has its own ids");
    let other = post(&app, &format!("{path}?namespace=acme"), r#"{"key":"k","id":"event 1"}"#).await;
    other.assert_problem(409, "signal_id_taken");
    post(&app, path, "{}").await.assert_problem(422, "schema_violation");
    post(&app, path, r#"{"key":""}"#).await.assert_problem(422, "schema_violation");
    post(&app, path, r#"{"key":"k","id":""}"#).await.assert_problem(422, "schema_violation");
    for n in 0..99 {
        let kept = post(&app, path, &format!(r#"{{"key":"order-7","payload":{n}}}"#)).await;
        assert_eq!(kept.json(), json!({ "runs": 0, "kept": true }));
    }
    let full = post(&app, path, r#"{"key":"order-7"}"#).await;
    full.assert_problem(429, "signals_full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_carries_its_payload() {
    let stage = Stage::new().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let path = format!("/api/v1/runs/{id}/signals/go");
    assert_eq!(post(&app, &path, r#"{"payload":"on your marks"}"#).await.status, 202);
    ended(&stage, &id).await;
    let run = get(&app, &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!((&run["status"], &run["output"]), (&json!("SUCCEEDED"), &json!("on your marks")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_goes_to_all_that_a_filter_finds() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let run = start(&app, json!({ "workflow": "gate", "input": 1, "metadata": { "order": "7" } })).await;
    start(&app, json!({ "workflow": "gate", "input": 1, "metadata": { "order": "8" } })).await;
    let sent = post(&app, "/api/v1/signals/go", r#"{"q":"meta.order:7","payload":"on"}"#).await;
    assert_eq!((sent.status.as_u16(), sent.json()), (202, json!({ "sent": 1, "ended": 0 })), "{sent:?}");
    ended(&stage, &run).await;
    post(&app, "/api/v1/signals/go", r#"{"q":"statuss:failed"}"#).await.assert_problem(400, "invalid_filter");
    post(&app, "/api/v1/signals/go", "{}").await.assert_problem(422, "schema_violation");
    let one = stage.as_caller(Access::none("bob").allow(runlog::http::Action::Signal));
    post(&one, "/api/v1/signals/go", r#"{"q":""}"#).await.assert_problem(403, "forbidden");
}
