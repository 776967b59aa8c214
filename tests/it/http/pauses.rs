//! Workflows of which no run may start.

use runlog::http::Action;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_paused_and_resumed() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let paused = post(&app, "/api/v1/workflows/gate/pause", r#"{"reason":"the bank is down"}"#).await;
    assert_eq!(paused.status, 200, "{paused:?}");
    let said = json!({ "workflow": "gate", "namespace": "default", "paused": true, "changed": true });
    assert_eq!(paused.json(), said);
    assert_eq!(post(&app, "/api/v1/workflows/gate/pause", "").await.json()["changed"], json!(false));

    let listed = get(&app, "/api/v1/workflows?name=gate").await.json();
    let pause = &listed["data"][0]["paused"][0];
    assert_eq!((&pause["by"], &pause["reason"]), (&json!("ada"), &json!("the bank is down")), "{listed}");
    let run = post(&app, "/api/v1/runs", r#"{"workflow":"gate"}"#).await.json();
    let run = run["id"].as_str().expect("an id").to_owned();
    let why = get(&app, &format!("/api/v1/runs/{run}/why")).await.json();
    assert_eq!(
        (&why["status"], &why["waits"][0]["waiting"]["kind"], &why["actions"][0]["kind"]),
        (&json!("QUEUED"), &json!("paused"), &json!("resume")),
        "{why}"
    );

    let resumed = post(&app, "/api/v1/workflows/gate/resume", "{}").await.json();
    assert_eq!((&resumed["paused"], &resumed["changed"]), (&json!(false), &json!(true)));
    assert_eq!(get(&app, "/api/v1/workflows?name=gate").await.json()["data"][0]["paused"], json!([]));
    let audit = get(&app, "/api/v1/audit").await.json();
    let reasons: Vec<_> = audit["data"].as_array().unwrap().iter().map(|deed| &deed["reason"]).collect();
    assert!(reasons.contains(&&json!("the bank is down")), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_pauses_and_sees_its_own() {
    let stage = Stage::new().await;
    let (acme, zoo) = (stage.as_tenant("acme"), stage.as_tenant("zoo"));
    let paused = post(&acme, "/api/v1/workflows/gate/pause", "{}").await.json();
    assert_eq!(paused["namespace"], json!("acme"));
    let of = async |app| get(app, "/api/v1/workflows?name=gate").await.json()["data"][0]["paused"].clone();
    assert_eq!(of(&acme).await.as_array().map(Vec::len), Some(1));
    assert_eq!(of(&zoo).await, json!([]));
    let foreign = post(&zoo, "/api/v1/workflows/gate/resume", r#"{"namespace":"acme"}"#).await;
    foreign.assert_problem(403, "forbidden");
    let unbound = stage.as_caller(Access::all("ada"));
    let resumed = post(&unbound, "/api/v1/workflows/gate/resume", r#"{"namespace":"acme"}"#).await.json();
    assert_eq!(resumed["changed"], json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_paused_is_refused() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    post(&app, "/api/v1/workflows/gaet/pause", "{}").await.assert_problem(404, "workflow_not_found");
    let unknown = post(&app, "/api/v1/workflows/gate/pause", r#"{"reasn":"x"}"#).await;
    unknown.assert_problem(400, "unknown_field");
    let reader = stage.as_caller(Access::read_only("bob"));
    post(&reader, "/api/v1/workflows/gate/pause", "{}").await.assert_problem(403, "forbidden");
    let pauser = stage.as_caller(Access::none("eve").allow(Action::Pause));
    assert_eq!(post(&pauser, "/api/v1/workflows/gate/pause", "{}").await.status, 200);
    let name = "x".repeat(200);
    let answer = post(&app, &format!("/api/v1/workflows/{name}/pause"), "{}").await;
    answer.assert_problem(422, "schema_violation");
}
