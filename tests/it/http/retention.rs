//! How long runs are kept, and a run to take along.

use std::time::Duration;

use runlog::RetentionPolicy;

use super::*;
use crate::support::until;

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
async fn a_policy_is_removed_but_that_of_everything() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let delete = async |query: &str| {
        let request = Request::delete(format!("/api/v1/retention{query}")).body(Body::empty());
        send(&app, request.expect("a request")).await
    };
    delete("?workflow=echo").await.assert_problem(404, "policy_not_found");
    let week = RetentionPolicy::default().archive_after(Duration::from_secs(7 * 24 * 3_600));
    stage.runtime.set_retention(week.clone().workflow("echo")).await.expect("a policy");
    stage.runtime.set_retention(week.namespace("acme").workflow("echo")).await.expect("a policy");
    let left = delete("?workflow=echo").await.json();
    let of = |at: usize| (&left["policies"][at]["namespace"], &left["policies"][at]["workflow"]);
    assert_eq!((of(0), of(1)), ((&json!(null), &json!(null)), (&json!("acme"), &json!("echo"))), "{left}");
    assert_eq!(delete("?workflow=echo&of_namespace=acme").await.status, 200);
    delete("").await.assert_problem(400, "invalid_query");
    delete("?workflow=").await.assert_problem(400, "invalid_query");
    delete("?namespace=acme").await.assert_problem(400, "invalid_query");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_is_made_when_it_is_asked_for_by_one_at_a_time() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let id = echoed(&stage, "1").await;
    let at_once = RetentionPolicy::default().archive_after(Duration::ZERO);
    stage.runtime.set_retention(at_once).await.expect("a policy");
    let held =
        "update runlog.retention_pass set holder = 1, held_by = 'api-7', held_until = clock_timestamp()";
    stage.ground.psql(&format!("{held} + interval '1 min'")).await.expect("held");
    let refused = post(&app, "/api/v1/retention/pass", "{}").await;
    assert_eq!(refused.assert_problem(409, "pass_under_way")["by"], "api-7");
    post(&stage.as_tenant("acme"), "/api/v1/retention/pass", "{}").await.assert_problem(403, "forbidden");
    stage.ground.psql(&format!("{held} - interval '1 s'")).await.expect("left");

    let begun = post(&app, "/api/v1/retention/pass", "{}").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let begun_at = begun.json()["begun_at"].clone();
    let ended = async || {
        let found = get(&app, "/api/v1/retention").await.json();
        assert_eq!(found["begun_at"], begun_at);
        found["under_way_by"].is_null() && found["archived"] == json!(1)
    };
    until("the pass ends", ended).await;
    assert_eq!(get(&app, &format!("/api/v1/runs/{id}")).await.json()["archived"], json!(true));
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
    let listed = get(&there, "/api/v1/runs?q=is:archived").await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["archived"]), (&json!(id), &json!(true)));
    let others = get(&there, "/api/v1/runs?q=-is:archived").await.json();
    assert_eq!(others["data"], json!([]));
}
