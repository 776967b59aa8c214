//! What starts runs by the clock.

use super::*;

async fn delete(app: &Router, path: &str) -> Answer {
    send(app, Request::delete(path).body(Body::empty()).expect("a request")).await
}

const ALL: &str = "/api/v1/schedules";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_made_read_changed_and_deleted() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let new = json!({
        "name": "nightly", "workflow": "echo", "input": {"b": 1, "a": 2}, "cron": "30 2 * * *", "zone": "Europe/Berlin",
        "metadata": {"team": "payments"}, "misfire": "all:3",
    });
    let made = post(&app, ALL, &new.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    assert_eq!(
        (&made["state"], &made["cron"], &made["zone"]),
        (&json!("active"), &new["cron"], &new["zone"])
    );
    assert_eq!((&made["input"], &made["misfire"]), (&new["input"], &json!("all:3")));
    assert_eq!((&made["created_by"], &made["declared"]), (&json!("ada"), &json!(false)));
    assert!(made["next_at"].is_string(), "{made}");
    assert_eq!(get(&app, "/api/v1/schedules/nightly").await.json(), made);

    post(&app, ALL, &new.to_string()).await.assert_problem(409, "schedule_exists");
    let mut changed = new.clone();
    (changed["priority"], changed["replace"]) = (json!(4), json!(true));
    let replaced = post(&app, ALL, &changed.to_string()).await;
    assert_eq!((replaced.status.as_u16(), &replaced.json()["priority"]), (200, &json!(4)), "{replaced:?}");

    let blind = stage.as_caller(Access::none("bob").allow(runlog::http::Action::Read));
    let seen = get(&blind, "/api/v1/schedules/nightly").await.json();
    assert!(seen.get("input").is_none() && seen["input_bytes"] == json!(13), "{seen}");
    post(&blind, "/api/v1/schedules/nightly/pause", "{}").await.assert_problem(403, "forbidden");

    let paused = post(&app, "/api/v1/schedules/nightly/pause", "{}").await.json();
    assert_eq!((&paused["state"], &paused["paused_by"]), (&json!("paused"), &json!("ada")));
    let run = post(&app, "/api/v1/schedules/nightly/trigger", "{}").await;
    assert_eq!(run.status, 201, "{run:?}");
    let trigger = &run.json()["trigger"];
    assert_eq!((&trigger["kind"], &trigger["schedule"]), (&json!("cron"), &json!("nightly")));
    assert!(trigger["due"].is_string() && trigger["by"] == json!("ada"), "{trigger}");
    let resumed = post(&app, "/api/v1/schedules/nightly/resume", "{}").await.json();
    assert_eq!((&resumed["state"], &resumed["fired"]), (&json!("active"), &json!(1)));
    post(&app, "/api/v1/schedules/nightly/move", r#"{"at":"2090-01-01T00:00:00Z"}"#)
        .await
        .assert_problem(422, "schema_violation");

    assert_eq!(delete(&app, "/api/v1/schedules/nightly").await.status, 204);
    delete(&app, "/api/v1/schedules/nightly").await.assert_problem(404, "schedule_not_found");
    for verb in ["pause", "resume", "trigger"] {
        let path = format!("/api/v1/schedules/nightly/{verb}");
        assert_eq!(
            post(&app, &path, "{}").await.assert_problem(404, "schedule_not_found")["name"],
            "nightly"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_schedule_is_pointed_at() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    for (body, status, code, says) in [
        (json!({"name": "x", "workflow": "echo", "cron": "0 25 * * *"}), 422, "schema_violation", "/cron"),
        (
            json!({"name": "x", "workflow": "echo", "cron": "0 2 * * *", "zone": "Europe/Berlim"}),
            422,
            "schema_violation",
            "did you mean \"Europe/Berlin\"",
        ),
        (json!({"name": "x", "workflow": "echo"}), 422, "schema_violation", "/cron"),
        (
            json!({"name": "x", "workflow": "echo", "cron": "@daily", "at": "2090-01-01T00:00:00Z"}),
            422,
            "schema_violation",
            "/at",
        ),
        (json!({"name": "", "workflow": "echo", "cron": "@daily"}), 422, "schema_violation", "/name"),
        (
            json!({"name": "x", "workflow": "echo", "cron": "@daily", "misfire": "never"}),
            422,
            "schema_violation",
            "/misfire",
        ),
        (json!({"name": "x", "workflow": "nope", "cron": "@daily"}), 404, "workflow_not_found", "nope"),
        (
            json!({"name": "x", "workflow": "echo", "cron": "@daily", "tz": "UTC"}),
            400,
            "unknown_field",
            "/tz",
        ),
    ] {
        let problem = post(&app, ALL, &body.to_string()).await.assert_problem(status, code);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{problem}");
    }
    assert_eq!(get(&app, ALL).await.json()["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_schedules_are_made_listed_and_changed_at_once() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let new = |name: &str| json!({"name": name, "workflow": "echo", "at": "2090-01-01T00:00:00Z"});
    let bulk = async |body: Value| post(&app, "/api/v1/bulk/schedules", &body.to_string()).await;
    let made = bulk(json!({"action": "create", "schedules": [new("a"), new("b"), new("c")]})).await;
    assert_eq!(made.json(), json!({"done": 3}), "{made:?}");
    assert_eq!(
        bulk(json!({"action": "create", "schedules": [new("a"), new("d")]})).await.json()["done"],
        json!(1)
    );
    assert_eq!(bulk(json!({"action": "pause", "names": ["a", "b"]})).await.json()["done"], json!(2));
    bulk(json!({"action": "pause", "names": ["c", "x"]})).await.assert_problem(404, "schedule_not_found");
    bulk(json!({"action": "move", "names": ["c"]})).await.assert_problem(422, "schema_violation");
    bulk(json!({"action": "create", "names": ["c"]})).await.assert_problem(422, "schema_violation");
    let moved = bulk(json!({"action": "move", "names": ["a", "c"], "at": "2091-01-01T00:00:00Z"})).await;
    assert_eq!(moved.status, 200, "{moved:?}");

    let first = get(&app, &format!("{ALL}?limit=3")).await.json();
    let names = |page: &Value| {
        page["data"].as_array().expect("rows").iter().map(|row| row["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&first), &first["next"]), (vec![json!("a"), json!("b"), json!("c")], &json!("c")));
    assert_eq!(
        (&first["data"][0]["state"], &first["data"][0]["at"]),
        (&json!("paused"), &json!("2091-01-01T00:00:00.000000Z"))
    );
    assert_eq!(first["data"][2]["next_at"], json!("2091-01-01T00:00:00.000000Z"));
    let rest = get(&app, &format!("{ALL}?limit=3&after=c")).await.json();
    assert_eq!((names(&rest), &rest["next"]), (vec![json!("d")], &json!(null)));
    assert_eq!(bulk(json!({"action": "resume", "names": ["a", "b"]})).await.status, 200);
    assert_eq!(
        bulk(json!({"action": "delete", "names": ["a", "b", "c", "d", "e"]})).await.json()["done"],
        json!(4)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_schedules_are_its_own() {
    let stage = Stage::new().await;
    let (acme, globex) = (stage.as_tenant("acme"), stage.as_tenant("globex"));
    let new = json!({"name": "nightly", "workflow": "echo", "cron": "@daily"}).to_string();
    assert_eq!(post(&acme, ALL, &new).await.json()["namespace"], json!("acme"));
    get(&globex, "/api/v1/schedules/nightly").await.assert_problem(404, "schedule_not_found");
    delete(&globex, "/api/v1/schedules/nightly").await.assert_problem(404, "schedule_not_found");
    assert_eq!(get(&globex, ALL).await.json()["data"], json!([]));
    get(&globex, &format!("{ALL}?namespace=acme")).await.assert_problem(403, "forbidden");
    let run = post(&acme, "/api/v1/schedules/nightly/trigger", "{}").await;
    assert_eq!(run.json()["namespace"], json!("acme"), "{run:?}");
    let all = stage.as_caller(Access::all("ada"));
    assert_eq!(get(&all, "/api/v1/schedules/nightly?namespace=acme").await.json()["fired"], json!(1));
}
