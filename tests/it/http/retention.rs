//! How long runs are kept, and a run to take along.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_read_and_set() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let month_ms = 30_u64 * 24 * 3_600_000;
    let found = get(&app, "/api/v1/retention").await.json();
    assert_eq!(found["policies"][0]["archive_after_ms"], json!(month_ms));
    assert!(found["next_at"].is_string() && found["error"].is_null(), "{found}");

    let put = async |body: Value| {
        let request = Request::put("/api/v1/retention").header("content-type", "application/json");
        send(&app, request.body(Body::from(body.to_string())).expect("a request")).await
    };
    let set = put(json!({ "workflow": "echo", "archive_after_ms": 1_000, "delete_after_ms": 5_000 })).await;
    assert_eq!(set.status, 200, "{set:?}");
    let own =
        json!({ "namespace": null, "workflow": "echo", "archive_after_ms": 1_000, "delete_after_ms": 5_000 });
    assert!(set.json()["policies"].as_array().is_some_and(|policies| policies.contains(&own)), "{set:?}");
    let wrong = put(json!({ "archive_after_ms": 5_000, "delete_after_ms": 1_000 })).await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.json()["code"]),
        (422, &json!("schema_violation")),
        "{wrong:?}"
    );
    let before = get(&app, "/api/v1/retention").await.json()["policies"].clone();
    for silent in [json!({}), json!({ "archive_after_ms": 5_000 }), json!({ "delete_after_ms": null })] {
        put(silent).await.assert_problem(422, "schema_violation");
    }
    let nothing = Request::put("/api/v1/retention").body(Body::empty()).unwrap();
    send(&app, nothing).await.assert_problem(422, "schema_violation");
    assert_eq!(
        get(&app, "/api/v1/retention").await.json()["policies"],
        before,
        "who says nothing sets nothing"
    );
    assert_eq!(
        put(json!({ "workflow": "gate", "archive_after_ms": null, "delete_after_ms": null })).await.status,
        200
    );
    let tenant = get(&stage.as_tenant("acme"), "/api/v1/retention").await;
    tenant.assert_problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_taken_along_and_says_that_it_was() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let id = echoed(&stage, "12345678901234567890123").await;
    let run = get(&app, &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!(
        (&run["archived"], &run["imported"], &run["replays"]),
        (&json!(false), &json!(false), &json!([]))
    );
    let exported = get(&app, &format!("/api/v1/runs/{id}/export")).await;
    assert_eq!(exported.header("content-type"), "application/jsonl");
    let lines = String::from_utf8(exported.bytes).expect("text");
    assert!(lines.contains("12345678901234567890123"), "{lines}");

    let elsewhere = Stage::new().await;
    elsewhere.runtime.import(&lines).await.expect("an import");
    let there = elsewhere.as_caller(Access::all("ada"));
    let run = get(&there, &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!((&run["archived"], &run["imported"]), (&json!(true), &json!(true)));
    assert_eq!(get(&there, &format!("/api/v1/runs/{id}/output")).await.bytes, b"12345678901234567890123");
}
