//! One action on many runs.

use super::*;
use crate::support::until;

async fn gates(app: &Router, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(start(app, json!({ "workflow": "gate" })).await);
    }
    ids
}

async fn finished(app: &Router, id: &str) -> Value {
    let path = format!("/api/v1/bulk/{id}");
    until("it is finished", async || !get(app, &path).await.json()["finished_at"].is_null()).await;
    get(app, &path).await.json()
}

async fn items(app: &Router, id: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = get(app, &format!("/api/v1/bulk/{id}/items?limit=2&after={after}")).await.json();
        all.extend(page["data"].as_array().expect("rows").clone());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_are_cancelled_with_one_answer_for_each() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let mut ids = gates(&app, 3).await;
    ids.push(echoed(&stage, "1").await);
    ids.push("0198f3a2-0000-7000-8000-000000000000".to_owned());
    ids.push(ids[0].clone());
    let body = json!({ "action": "cancel", "ids": ids, "reason": "closing", "rate": 100 });
    let preview = json!({ "action": "cancel", "ids": ids, "dry_run": true }).to_string();
    let told = post(&app, "/api/v1/bulk", &preview).await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!((&told.json()["count"], &told.json()["sample"][0]["run"]), (&json!(5), &json!(ids[0])));
    assert_eq!(told.json()["sample"][3]["code"], "illegal_transition");

    let answer = post(&app, "/api/v1/bulk", &body.to_string()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.text("id");
    assert_eq!(answer.header("location"), format!("bulk/{id}"));
    let bulk = finished(&app, &id).await;
    assert_eq!(
        (&bulk["total"], &bulk["done"], &bulk["refused"]),
        (&json!(5), &json!(3), &json!(2)),
        "{bulk}"
    );
    let items = items(&app, &id).await;
    let outcomes: Vec<&str> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["ok", "ok", "ok", "illegal_transition", "run_not_found"],
        "in the order given, each once"
    );
    ended(&stage, &ids[0]).await;
    let run = get(&app, &format!("/api/v1/runs/{}", ids[0])).await.json();
    assert_eq!((&run["cancelled"]["by"], &run["cancelled"]["reason"]), (&json!("ada"), &json!("closing")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_are_replayed_once_each_even_when_the_worker_dies() {
    let stage = Stage::new().await;
    let app = stage.open();
    let ids = gates(&app, 5).await;
    for id in &ids {
        post(&app, &format!("/api/v1/runs/{id}/cancel"), "{}").await;
        ended(&stage, id).await;
    }
    let body = json!({ "action": "replay", "ids": ids, "force": true });
    let id = post(&app, "/api/v1/bulk", &body.to_string()).await.text("id");
    finished(&app, &id).await;
    let first: Vec<Value> = items(&app, &id).await.iter().map(|item| item["new_run"].clone()).collect();
    assert!(first.iter().all(Value::is_string), "{first:?}");
    // As if the worker had died before it could keep three of its answers.
    let died = "update runlog.bulk set finished_at = null, busy_until = clock_timestamp() - '1 s'::interval, holder = 7,
                done = 2; update runlog.bulk_items set outcome = null, new_run = null where place > 2";
    stage.ground.psql(died).await.unwrap();
    let bulk = finished(&app, &id).await;
    assert_eq!((&bulk["done"], &bulk["refused"]), (&json!(5), &json!(0)));
    let second: Vec<Value> = items(&app, &id).await.iter().map(|item| item["new_run"].clone()).collect();
    assert_eq!(second, first, "the same runs, none twice");
    assert_eq!(stage.ground.count("select count(*) from runlog.runs where replay_of is not null").await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_works_on_an_action_that_somebody_is_at() {
    let stage = Stage::new().await;
    let app = stage.open();
    let ids = gates(&app, 2).await;
    let id =
        post(&app, "/api/v1/bulk", &json!({ "action": "cancel", "ids": ids }).to_string()).await.text("id");
    finished(&app, &id).await;
    let held = "update runlog.bulk set finished_at = null, busy_until = clock_timestamp() + '1 h'::interval, holder = 7;
                update runlog.bulk_items set outcome = null";
    stage.ground.psql(held).await.unwrap();
    get(&app, &format!("/api/v1/bulk/{id}")).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(items(&app, &id).await.iter().all(|item| item["outcome"].is_null()), "it is another's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_reaches_no_run_and_no_action_of_another() {
    let stage = Stage::new().await;
    let (acme, globex) = (stage.as_tenant("acme"), stage.as_tenant("globex"));
    let ids = gates(&acme, 2).await;
    let body = json!({ "action": "cancel", "ids": ids }).to_string();
    let foreign = post(&globex, "/api/v1/bulk", &body).await.text("id");
    let bulk = finished(&globex, &foreign).await;
    assert_eq!((&bulk["done"], &bulk["refused"]), (&json!(0), &json!(2)));
    let told = items(&globex, &foreign).await;
    assert!(told.iter().all(|item| item["outcome"] == "run_not_found"), "{told:?}");
    let run = get(&acme, &format!("/api/v1/runs/{}", ids[0])).await.json();
    assert_eq!(run["status"], "RUNNING");
    get(&acme, &format!("/api/v1/bulk/{foreign}")).await.assert_problem(404, "bulk_not_found");
    get(&acme, &format!("/api/v1/bulk/{foreign}/items")).await.assert_problem(404, "bulk_not_found");
    get(&acme, "/api/v1/bulk/x").await.assert_problem(404, "bulk_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_bulk_action_is_refused() {
    let stage = Stage::new().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    for (body, pointer) in [
        (json!({ "action": "explode", "ids": [id] }), "/action"),
        (json!({ "action": "cancel", "ids": [] }), "/ids"),
        (json!({ "action": "cancel", "ids": [id, "x"] }), "/ids/1"),
        (json!({ "action": "cancel", "ids": [id], "rate": 0 }), "/rate"),
        (json!({ "action": "replay", "ids": [id], "task": "" }), "/task"),
        (json!({ "action": "replay", "ids": [id], "task": "gate", "from_start": true }), "/task"),
        (json!({ "action": "cancel", "ids": [id], "reason": "\u{0}" }), "/reason"),
    ] {
        let problem =
            post(&app, "/api/v1/bulk", &body.to_string()).await.assert_problem(422, "schema_violation");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let guest = stage.as_caller(Access::all("guest").deny(runlog::http::Action::Cancel));
    let body = json!({ "action": "cancel", "ids": [id] }).to_string();
    let refused = post(&guest, "/api/v1/bulk", &body).await.assert_problem(403, "forbidden");
    assert_eq!(refused["action"], "cancel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_are_found_by_a_filter() {
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));
    let mut wanted = gates(&app, 3).await;
    let other = start(&app, json!({ "workflow": "gate", "metadata": { "keep": "yes" } })).await;
    crate::support::until("all of them run", async || {
        let running = get(&app, "/api/v1/runs?q=status:running").await.json();
        running["data"].as_array().is_some_and(|rows| rows.len() == 4)
    })
    .await;
    let q = "workflow:gate -meta.keep:yes status:running";
    let preview = json!({ "action": "cancel", "q": q, "dry_run": true }).to_string();
    assert_eq!(post(&app, "/api/v1/bulk", &preview).await.json()["count"], 3);

    let answer = post(&app, "/api/v1/bulk", &json!({ "action": "cancel", "q": q }).to_string()).await;
    assert_eq!(
        (answer.status, &answer.json()["rate"]),
        (202.try_into().expect("a status"), &json!(20)),
        "{answer:?}"
    );
    let id = answer.text("id");
    let done = finished(&app, &id).await;
    assert_eq!((&done["total"], &done["done"], &done["refused"]), (&json!(3), &json!(3), &json!(0)));
    let mut found: Vec<String> =
        items(&app, &id).await.iter().filter_map(|item| Some(item["run"].as_str()?.to_owned())).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
    assert_eq!(get(&app, &format!("/api/v1/runs/{other}")).await.json()["status"], "RUNNING");

    for (body, code) in [
        (json!({ "action": "cancel" }), "schema_violation"),
        (json!({ "action": "cancel", "q": "is:root", "ids": [other] }), "schema_violation"),
        (json!({ "action": "cancel", "q": "statu:failed" }), "invalid_filter"),
    ] {
        assert_eq!(post(&app, "/api/v1/bulk", &body.to_string()).await.json()["code"], code, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_finds_the_runs_of_the_namespace_that_is_said() {
    let stage = Stage::new().await;
    let (ada, acme) = (stage.as_caller(Access::all("ada")), stage.as_tenant("acme"));
    let kept = gates(&ada, 1).await;
    let wanted = gates(&acme, 2).await;
    let ask = |namespace: Value, dry_run: bool| {
        let body =
            json!({ "action": "cancel", "q": "workflow:gate", "namespace": namespace, "dry_run": dry_run });
        body.to_string()
    };
    for (app, namespace, count) in [
        (&ada, json!(null), 1),
        (&ada, json!("default"), 1),
        (&ada, json!("acme"), 2),
        (&ada, json!("globex"), 0),
        (&acme, json!(null), 2),
        (&acme, json!("acme"), 2),
    ] {
        let told = post(app, "/api/v1/bulk", &ask(namespace.clone(), true)).await;
        assert_eq!(told.json()["count"], count, "{namespace}: {told:?}");
    }
    for dry_run in [true, false] {
        let foreign = post(&acme, "/api/v1/bulk", &ask(json!("default"), dry_run)).await;
        foreign.assert_problem(403, "forbidden");
        let wrong = post(&ada, "/api/v1/bulk", &ask(json!(""), dry_run)).await;
        let wrong = wrong.assert_problem(422, "schema_violation");
        assert_eq!(wrong["errors"][0]["pointer"], "/namespace", "{wrong}");
    }
    let both = json!({ "action": "cancel", "ids": kept, "namespace": "default" }).to_string();
    let both = post(&ada, "/api/v1/bulk", &both).await.assert_problem(422, "schema_violation");
    assert_eq!(both["errors"][0]["pointer"], "/namespace", "{both}");

    let id = post(&ada, "/api/v1/bulk", &ask(json!("acme"), false)).await.text("id");
    assert_eq!(finished(&ada, &id).await["done"], 2);
    for run in &wanted {
        ended(&stage, run).await;
    }
    let run = get(&ada, &format!("/api/v1/runs/{}", kept[0])).await.json();
    assert!(["QUEUED", "RUNNING"].contains(&run["status"].as_str().expect("a status")), "{run}");
}
