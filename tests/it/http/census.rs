//! Nodes and workflows.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_listed_with_what_they_serve_and_hold() {
    let stage = Stage::new().await;
    let app = stage.open();
    start(&app, json!({ "workflow": "gate" })).await;
    let other = stage.ground.builder().node_name("other").workflow(echo()).start().await.unwrap();
    other.shutdown(std::time::Duration::ZERO).await.unwrap();
    let nodes = get(&app, "/api/v1/nodes").await.json();
    let nodes = nodes["data"].as_array().unwrap();
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    let (living, left) = (&nodes[0], &nodes[1]);
    assert_eq!(
        (&living["alive"], &living["runs"], &living["name"]),
        (&json!(true), &json!(1), &json!("node"))
    );
    assert_eq!(living["served"][1]["workflow"], "gate");
    assert_eq!((&left["alive"], &left["name"]), (&json!(false), &json!("other")));
    assert!(left["left_at"].is_string(), "{left}");
    get(&stage.as_tenant("acme"), "/api/v1/nodes").await.assert_problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflows_are_listed_with_their_tasks_and_who_serves_them() {
    let stage = Stage::new().await;
    let app = stage.open();
    let listed = get(&app, "/api/v1/workflows").await.json();
    let names: Vec<&str> =
        listed["data"].as_array().unwrap().iter().filter_map(|w| w["name"].as_str()).collect();
    assert_eq!(names, ["echo", "gate"]);
    assert_eq!(
        (&listed["data"][0]["nodes"], &listed["data"][0]["tasks"][0]["name"]),
        (&json!(1), &json!("echo"))
    );
    let one = get(&app, "/api/v1/workflows?name=gate").await.json();
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_starts_what_other_nodes_serve_as_they_would() {
    let ground = Postgres::new().await;
    let timed =
        gate().timeout(std::time::Duration::from_secs(77)).start_timeout(std::time::Duration::from_secs(66));
    let node = ground.builder().workflow(timed.version("2")).start().await.unwrap();
    let client = ground.builder().client().start().await.unwrap();
    let app = router(&client).allow_all_insecure().into_router();
    let id = start(&app, json!({ "workflow": "gate", "input": 5 })).await;
    let run = get(&app, &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!((&run["version"], &run["timeout_ms"]), (&json!("2"), &json!(77_000)));
    assert!(run["start_deadline"].is_string(), "{run}");
    post(&app, &format!("/api/v1/runs/{id}/signals/go"), "{}").await;
    node.handle(id.parse().unwrap()).wait().await.unwrap();
    let old = gate().version("1");
    node.shutdown(std::time::Duration::ZERO).await.unwrap();
    let _old = ground.builder().workflow(old).start().await.unwrap();
    let again = start(&app, json!({ "workflow": "gate" })).await;
    let run = get(&app, &format!("/api/v1/runs/{again}")).await.json();
    assert_eq!(
        (&run["version"], &run["timeout_ms"]),
        (&json!("1"), &Value::Null),
        "what a living node serves"
    );
    post(&app, "/api/v1/runs", r#"{"workflow":"nobody"}"#).await.assert_problem(404, "workflow_not_found");
}
