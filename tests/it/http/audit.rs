//! Who did what.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_something_is_in_the_audit_with_its_outcome() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let id = start(&app, json!({ "workflow": "gate" })).await;
    post(&app, &format!("/api/v1/runs/{id}/cancel"), r#"{"reason":"wrong order"}"#).await;
    ended(&stage, &id).await;
    post(&app, &format!("/api/v1/runs/{id}/signals/go"), "{}").await;
    let guest = stage.as_caller(Access::read_only("guest"));
    post(&guest, &format!("/api/v1/runs/{id}/cancel"), "{}").await.assert_problem(403, "forbidden");
    get(&app, &format!("/api/v1/runs/{id}")).await;

    let audit = get(&app, "/api/v1/audit").await.json();
    let deeds: Vec<(&str, &str, &str)> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deed| {
            assert_eq!(deed["run"], id, "{deed}");
            assert!(deed["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{deed}");
            let text = |name: &str| deed[name].as_str().unwrap();
            (text("who"), text("action"), text("outcome"))
        })
        .collect();
    assert_eq!(
        deeds,
        [
            ("guest", "cancel", "forbidden"),
            ("ada", "signal", "illegal_transition"),
            ("ada", "cancel", "ok"),
            ("ada", "start", "ok"),
        ],
        "the newest first, and no question"
    );
    assert_eq!(audit["data"][2]["reason"], "wrong order");
    assert_eq!(audit["data"][2]["target"], format!("POST /api/v1/runs/{id}/cancel"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_is_paged_and_a_tenant_sees_its_own() {
    let stage = Stage::new().await;
    let (acme, open) = (stage.as_tenant("acme"), stage.open());
    for _ in 0..3 {
        start(&acme, json!({ "workflow": "gate" })).await;
        start(&open, json!({ "workflow": "gate" })).await;
    }
    let all = get(&open, "/api/v1/audit?limit=4").await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 4);
    let next = all["next"].as_str().unwrap();
    let rest = get(&open, &format!("/api/v1/audit?limit=4&cursor={next}")).await.json();
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    let own = get(&acme, "/api/v1/audit").await.json();
    let own = own["data"].as_array().unwrap();
    assert_eq!(own.len(), 3);
    assert!(own.iter().all(|deed| deed["namespace"] == "acme"), "{own:?}");
    let run = own[0]["run"].as_str().unwrap();
    let of_run = get(&open, &format!("/api/v1/audit?run={run}")).await.json();
    assert_eq!(of_run["data"].as_array().unwrap().len(), 1);
    get(&open, "/api/v1/audit?run=x").await.assert_problem(400, "invalid_query");
    get(&open, "/api/v1/audit?cursor=x").await.assert_problem(400, "invalid_query");
}
