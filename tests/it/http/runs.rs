//! Reading runs and their tasks.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_told_at_once_and_completely() {
    let stage = Stage::new().await;
    let id = echoed(&stage, r#"{"b":1,"a":[2]}"#).await;
    let app = stage.open();
    let run = get(&app, &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!(run["id"], id);
    assert_eq!((&run["status"], &run["workflow"]), (&json!("SUCCEEDED"), &json!("echo")));
    assert_eq!((&run["input"], &run["output"]), (&json!({"a":[2],"b":1}), &json!({"a":[2],"b":1})));
    assert_eq!(run["input_bytes"], 15);
    assert_eq!(run["tasks"][0]["status"], "SUCCEEDED");
    assert!(run["events"].as_u64() > Some(4), "{run}");
    for instant in ["created_at", "queued_until", "assigned_at", "started_at", "finished_at"] {
        let text = run[instant].as_str().unwrap_or_else(|| panic!("{instant} in {run}"));
        assert!(text.ends_with('Z') && text.len() == 27, "RFC 3339 with microseconds: {text}");
    }
    for figure in ["queue_latency_ms", "execution_ms"] {
        assert!(run[figure].is_u64(), "{figure} in {run}");
    }

    let task = get(&app, &format!("/api/v1/runs/{id}/tasks/echo")).await.json();
    assert_eq!(task["output"], run["output"]);
    assert_eq!(task["steps"][0]["name"], "echo");
    assert_eq!(task["attempt_list"][0]["number"], 1);
    let attempts = get(&app, &format!("/api/v1/runs/{id}/tasks/echo/attempts")).await.json();
    assert_eq!(attempts["data"], task["attempt_list"]);
    let tasks = get(&app, &format!("/api/v1/runs/{id}/tasks")).await.json();
    assert_eq!(tasks["data"], run["tasks"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_says_for_what() {
    let stage = Stage::new().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let path = format!("/api/v1/runs/{id}");
    crate::support::until("it waits", async || !get(&app, &path).await.json()["waiting"][0].is_null()).await;
    let run = get(&app, &path).await.json();
    assert_eq!(run["waiting"][0]["kind"], "signal", "{run}");
    assert_eq!(run["waiting"][0]["name"], "go");
    assert_eq!(run["waiting"][0]["text"], "signal `go`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_told_apart() {
    let stage = Stage::new().await;
    let app = stage.open();
    let nowhere = "0198f3a2-0000-7000-8000-000000000000";
    for id in [nowhere, "x", "%00", "%ff", "..", "0198f3a2", &"9".repeat(4000)] {
        get(&app, &format!("/api/v1/runs/{id}")).await.status.is_client_error().then_some(()).expect(id);
    }
    get(&app, &format!("/api/v1/runs/{nowhere}")).await.assert_problem(404, "run_not_found");
    let id = start(&app, json!({ "workflow": "gate" })).await;
    get(&app, &format!("/api/v1/runs/{id}/tasks/none")).await.assert_problem(404, "task_not_found");
    get(&app, &format!("/api/v1/runs/{id}/output")).await.assert_problem(404, "payload_not_found");
    for seq in ["0", "99", "-1", "x", "+1", "4294967296"] {
        get(&app, &format!("/api/v1/runs/{id}/events/{seq}")).await.assert_problem(404, "event_not_found");
    }
}
