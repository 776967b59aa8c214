//! Health and figures.

use runlog::telemetry::names;

use super::*;
use crate::telemetry::exposition::Exposition;

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
    let read = Exposition::read(&text);
    let requests = |route, status| {
        let labels = [("method", "GET"), ("route", route), ("status", status)];
        read.value(names::HTTP_REQUESTS.name, "_count", &labels)
    };
    assert_eq!((requests("/api/v1/runs/{id}", "200"), requests("other", "404")), (2.0, 1.0), "{text}");
    assert!(!text.contains(&id), "{text}");
    start(&stage.open(), json!({ "workflow": "gate" })).await;
    crate::support::until("its runs are counted", async || {
        let text = String::from_utf8(get(&app, "/x/metrics").await.bytes).unwrap();
        Exposition::read(&text).value(names::RUNS.name, "", &[("state", "held")]) == 1.0
    })
    .await;
    get(&stage.as_tenant("acme"), "/metrics").await.assert_problem(403, "forbidden");
}
