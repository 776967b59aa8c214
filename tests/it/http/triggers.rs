//! What starts runs from outside.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::*;

async fn delete(app: &Router, path: &str) -> Answer {
    send(app, Request::delete(path).body(Body::empty()).expect("a request")).await
}

const EVENTS: &str = "/api/v1/events";
const SUBSCRIPTIONS: &str = "/api/v1/subscriptions";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_pushed_once_and_read_with_what_came_of_it() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let made = post(
        &app,
        SUBSCRIPTIONS,
        r#"{"name":"big","key":"order.paid","workflow":"echo","filter":"payload.total > 100","metadata":{"team":"payments"}}"#,
    )
    .await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        (made.text("created_by"), made.text("filter")),
        ("ada".to_owned(), "payload.total > 100".to_owned())
    );
    let event =
        r#"{"id":"evt_1","key":"order.paid","payload":{"b":1,"total":120},"metadata":{"source":"shop"}}"#;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = posting(EVENTS).header("traceparent", parent).body(Body::from(event)).unwrap();
    let pushed = send(&app, request).await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let pushed = pushed.json();
    assert_eq!((&pushed["created"], &pushed["pushed_by"]), (&json!(true), &json!("ada")));
    assert_eq!(pushed["payload"], json!({"b": 1, "total": 120}));
    let run = pushed["outcomes"][0]["run"].as_str().expect("a run").to_owned();
    ended(&stage, &run).await;
    let view = get(&app, &format!("/api/v1/runs/{run}")).await.json();
    let trigger = &view["trigger"];
    assert_eq!(
        (&trigger["kind"], &trigger["event"], &trigger["key"]),
        (&json!("event"), &json!("evt_1"), &json!("order.paid"))
    );
    assert_eq!(view["metadata"], json!({"source": "shop", "team": "payments"}));
    let spans = get(&app, &format!("/api/v1/runs/{run}/trace")).await;
    assert!(String::from_utf8_lossy(&spans.bytes).contains("0af7651916cd43dd8448eb211c80319c"), "{spans:?}");

    let again = post(&app, EVENTS, event).await;
    assert_eq!((again.status.as_u16(), &again.json()["created"]), (200, &json!(false)), "{again:?}");
    assert_eq!(again.json()["outcomes"], pushed["outcomes"]);
    let small = post(&app, EVENTS, r#"{"id":"evt_2","key":"order.paid","payload":{"total":7}}"#).await.json();
    assert_eq!(
        (&small["outcomes"][0]["run"], &small["outcomes"][0]["refused"]),
        (&json!(null), &json!("the filter is false"))
    );

    let read = get(&app, &format!("{EVENTS}/evt_1")).await.json();
    assert_eq!((&read["outcomes"], read.get("created")), (&pushed["outcomes"], None));
    get(&app, &format!("{EVENTS}/evt_9")).await.assert_problem(404, "trigger_event_not_found");
    let blind = stage.as_caller(Access::none("bob").allow(runlog::http::Action::Read));
    let seen = get(&blind, &format!("{EVENTS}/evt_1")).await.json();
    assert!(seen.get("payload").is_none() && seen["payload_bytes"] == json!(19), "{seen}");
    post(&blind, EVENTS, event).await.assert_problem(403, "forbidden");

    let first = get(&app, &format!("{EVENTS}?limit=1")).await.json();
    assert_eq!(first["data"][0]["id"], json!("evt_2"));
    let next = first["next"].as_str().expect("a cursor");
    let rest = get(&app, &format!("{EVENTS}?limit=9&cursor={next}")).await.json();
    assert_eq!((&rest["data"][0]["id"], &rest["next"]), (&json!("evt_1"), &json!(null)));
    get(&app, &format!("{EVENTS}?cursor=7")).await.assert_problem(400, "cursor_mismatch");
    let deeds = get(&app, "/api/v1/audit").await.json();
    assert!(
        deeds["data"].as_array().is_some_and(|deeds| deeds.iter().any(|deed| deed["run"] == json!(run))),
        "{deeds}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_is_checked_listed_changed_and_deleted() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    for (body, status, code, says) in [
        (
            json!({"name": "x", "key": "k", "workflow": "echo", "filter": "payload.total >"}),
            422,
            "schema_violation",
            "/filter",
        ),
        (
            json!({"name": "x", "key": "k", "workflow": "echo", "filter": "1 + 1"}),
            422,
            "schema_violation",
            "it is a number",
        ),
        (json!({"name": "x", "key": "", "workflow": "echo"}), 422, "schema_violation", "/key"),
        (
            json!({"name": "x", "key": "k", "workflow": "echo", "priority": 2000}),
            422,
            "schema_violation",
            "-1000 to 1000",
        ),
        (json!({"name": "x", "key": "k", "workflow": "nope"}), 404, "workflow_not_found", "nope"),
        (
            json!({"name": "x", "key": "k", "workflow": "echo", "where": "true"}),
            400,
            "unknown_field",
            "/where",
        ),
    ] {
        let problem = post(&app, SUBSCRIPTIONS, &body.to_string()).await.assert_problem(status, code);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{problem}");
    }
    let mut new = json!({"name": "all", "key": "k", "workflow": "echo"});
    assert_eq!(post(&app, SUBSCRIPTIONS, &new.to_string()).await.status, 201);
    post(&app, SUBSCRIPTIONS, &new.to_string()).await.assert_problem(409, "subscription_exists");
    (new["replace"], new["priority"]) = (json!(true), json!(2));
    let changed = post(&app, SUBSCRIPTIONS, &new.to_string()).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["priority"]), (200, &json!(2)));
    let listed = get(&app, &format!("{SUBSCRIPTIONS}?key=k")).await.json();
    assert_eq!((&listed["data"][0]["name"], &listed["next"]), (&json!("all"), &json!(null)));
    assert_eq!(get(&app, &format!("{SUBSCRIPTIONS}?key=other")).await.json()["data"], json!([]));
    let acme = stage.as_tenant("acme");
    assert_eq!(get(&acme, SUBSCRIPTIONS).await.json()["data"], json!([]), "another tenant's are none");
    let pushed = post(&acme, EVENTS, r#"{"id":"1","key":"k"}"#).await.json();
    assert_eq!((&pushed["namespace"], &pushed["outcomes"]), (&json!("acme"), &json!([])));
    get(&app, &format!("{EVENTS}/1")).await.assert_problem(404, "trigger_event_not_found");
    delete(&acme, &format!("{SUBSCRIPTIONS}/all")).await.assert_problem(404, "subscription_not_found");
    assert_eq!(delete(&app, &format!("{SUBSCRIPTIONS}/all")).await.status, 204);
    delete(&app, &format!("{SUBSCRIPTIONS}/all")).await.assert_problem(404, "subscription_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_events_is_refused_with_when_to_come_again() {
    let stage = Stage::new().await;
    let app = stage.open();
    let mut held = stage.ground.pool.begin().await.unwrap();
    let hold = "lock table runlog.trigger_events in exclusive mode";
    sqlx::query(hold).execute(&mut *held).await.unwrap();
    let bodies: Vec<_> = (0..65).map(|n| format!(r#"{{"id":"evt_{n}","key":"k"}}"#)).collect();
    let mut pushes: FuturesUnordered<_> = bodies.iter().map(|body| post(&app, EVENTS, body)).collect();

    let refused = pushes.next().await.expect("an answer");

    refused.assert_problem(429, "too_many_events");
    assert_eq!(refused.header("retry-after"), "1");
    held.rollback().await.unwrap();
    let answers: Vec<_> = pushes.collect().await;
    assert_eq!(answers.len(), 64);
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let pushed = get(&app, &format!("{EVENTS}?limit=500")).await.json();
    assert_eq!(pushed["data"].as_array().map(Vec::len), Some(64), "of what was refused nothing was done");
    let large = format!(r#"{{"id":"1","key":"k","payload":"{}"}}"#, "x".repeat(140_000));
    let problem = post(&app, EVENTS, &large).await.assert_problem(422, "schema_violation");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("131072")), "{problem}");
}
