//! Health and figures.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_asks_nobody_and_readiness_asks_the_database() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::unauthenticated());
    assert_eq!(get(&app, "/healthz").await.status, 200);
    let ready = get(&app, "/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.json()["ready"].clone()), (200, json!(true)), "{ready:?}");
    stage.runtime.shutdown(std::time::Duration::ZERO).await.unwrap();
    let ready = get(&app, "/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.json()["node"].clone()), (503, json!(false)), "{ready:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_route_and_never_by_run() {
    let stage = Stage::new().await;
    let id = echoed(&stage, "1").await;
    let app = Router::new().nest("/x", stage.open());
    for _ in 0..2 {
        get(&app, &format!("/x/api/v1/runs/{id}")).await;
    }
    get(&app, "/x/nowhere").await;
    let metrics = get(&app, "/x/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    let text = String::from_utf8(metrics.bytes).unwrap();
    let line =
        "runlog_http_request_seconds_count{route=\"/api/v1/runs/{id}\",method=\"GET\",status=\"200\"} 2";
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(text.contains("route=\"other\",method=\"GET\",status=\"404\""), "{text}");
    assert!(!text.contains(&id), "{text}");
    start(&stage.open(), json!({ "workflow": "gate" })).await;
    let held = "runlog_runs{state=\"held\"} 1";
    crate::support::until("its runs are counted", async || {
        let text = String::from_utf8(get(&app, "/x/metrics").await.bytes).unwrap();
        text.lines().any(|line| line == held)
    })
    .await;
    get(&stage.as_tenant("acme"), "/metrics").await.assert_problem(403, "forbidden");
}
