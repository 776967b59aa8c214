//! How many runs of a key may run at once, and how the keys stand.

use std::time::Duration;

use runlog::Concurrency;

use super::*;
use crate::support::until;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_their_keys_are_read() {
    let ground = Postgres::new().await;
    let limited = || {
        gate().concurrency(Concurrency::limit("tenant", 1).starts(9, HOUR).by_input("/tenant").round_robin())
    };
    let runtime = ground.builder().workflow(limited()).start().await.expect("a runtime");
    let stage = Stage { ground, runtime };
    let app = stage.as_caller(Access::read_only("ada"));
    let limits = get(&app, "/api/v1/limits?workflow=gate").await.json();
    let limit = &limits["data"][0];
    let told = (&limit["name"], &limit["slots"], &limit["policy"], &limit["by"], &limit["at"]);
    let wanted = (&json!("tenant"), &json!(1), &json!("round_robin"), &json!("input"), &json!("/tenant"));
    assert_eq!(told, wanted, "{limits}");

    assert_eq!((&limit["starts"], &limit["window_ms"]), (&json!(9), &json!(3_600_000)), "{limits}");

    for namespace in ["default", "acme", "acme"] {
        let run = stage.runtime.run(&limited(), json!({ "tenant": "a" })).namespace(namespace);
        run.start().await.expect("a run");
    }
    let keys = async |app| get(app, "/api/v1/limits/gate/keys").await.json()["data"].clone();
    let line = json!({ "namespace": "acme", "key": "a", "running": 1, "waiting": 1 });
    until("both were let in", async || keys(&app).await.as_array().is_some_and(|keys| keys[0] == line)).await;
    assert_eq!(keys(&stage.as_tenant("acme")).await, json!([line]));
    let foreign = get(&stage.as_tenant("acme"), "/api/v1/limits/gate/keys?namespace=default").await;
    foreign.assert_problem(403, "forbidden");
}
