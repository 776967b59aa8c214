//! What a service hides stays as it is in what is edited, and is not told by what is refused.

use super::*;

/// Reads what a run was really started with.
async fn input_of(vault: &Vault, id: &str) -> Value {
    let open = runlog::http::router(&vault.stage.runtime).allow_all_insecure().into_router();
    get(&open, &format!("/api/v1/runs/{id}/input")).await.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_edited_keeps_what_its_editor_does_not_see() {
    let vault = Vault::new().await;
    let page = visit(&vault.app, &format!("/runs/{}/replay?edit=1", vault.failed)).await;
    page.assert_says("the value is hidden here; leave it, and the new run has it, too");
    let form = page.form("/replay");
    let shown = form.field("input").expect("the input").to_owned();
    assert!(shown.contains(REDACTED) && !shown.contains(SECRET), "{shown}");
    let replayed = submit(
        &vault.app,
        &form.clone().set("input", &shown.replace("\"what\":\"input\"", "\"what\":\"edited\"")),
    )
    .await;
    let id = follow(&vault.app, replayed).await.path.rsplit('/').next().expect("an id").to_owned();
    let mut expected = input_of(&vault, &vault.failed).await;
    assert_eq!(expected["card"], "S3CRET-input");
    expected["what"] = json!("edited");
    assert_eq!(input_of(&vault, &id).await, expected);
    let elsewhere = shown.replace("\"n\":1", &format!("\"n\":\"{REDACTED}\""));
    let form = visit(&vault.app, &format!("/runs/{}/replay?edit=1", vault.failed)).await.form("/replay");
    let refused = submit(&vault.app, &form.set("input", &elsewhere)).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    refused.assert_says("/input/items/0/n: it says ‹redacted›: no value is hidden in this place");
    assert_eq!(
        refused.form("/replay").field("input"),
        Some(elsewhere.as_str()),
        "what was typed is still there"
    );
    // The same over REST, which has one code with it.
    let path = format!("/api/v1/runs/{}/replay", vault.failed);
    let input: Value = serde_json::from_str(&shown).expect("JSON");
    let body = json!({ "input": input, "from": "start" }).to_string();
    let answer = post(&vault.app, &path, &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let again = answer.json()["run"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(input_of(&vault, &again).await, input_of(&vault, &vault.failed).await);
    let gone = json!({ "input": { "deep": { "password": REDACTED } } });
    let refused = post(&vault.app, &path, &gone.to_string()).await.assert_problem(422, "schema_violation");
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(
        detail.starts_with("/input/deep/password: it says ‹redacted›: the original has no value"),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_copied_from_where_it_is_hidden_starts_nothing() {
    let vault = Vault::new().await;
    let before = vault.stage.ground.count("select count(*) from runlog.runs").await;
    let copied = json!({ "card": REDACTED });
    let table = [
        ("/api/v1/runs", json!({ "workflow": "drawer", "input": copied }), "/input/card"),
        (
            "/api/v1/schedules",
            json!({ "name": "nightly", "workflow": "drawer", "cron": "0 3 * * *", "input": copied, "replace": true }),
            "/input/card",
        ),
        ("/api/v1/events", json!({ "id": "evt-2", "key": "opened", "payload": copied }), "/payload/card"),
        ("/api/v1/signals/go/key", json!({ "key": "k", "payload": copied }), "/payload/card"),
        ("/api/v1/signals/go", json!({ "q": "workflow:gate", "payload": copied }), "/payload/card"),
        (
            "/api/v1/bulk/schedules",
            json!({ "action": "create", "schedules": [{ "name": "n", "workflow": "drawer", "cron": "0 3 * * *", "input": copied }] }),
            "/input/card",
        ),
    ];
    for (path, body, pointer) in table {
        let refused = post(&vault.app, path, &body.to_string()).await.assert_problem(422, "schema_violation");
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(
            detail
                .starts_with(&format!("{pointer}: it says ‹redacted›, in a place where this service hides")),
            "{detail}"
        );
    }
    let form = visit(&vault.app, "/workflows/drawer").await.form("/start");
    let refused = submit(&vault.app, &form.set("input", &copied.to_string())).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let waiting = vault.runs.last().expect("the one that waits");
    let form = visit(&vault.app, &format!("/runs/{waiting}/signal?name=go")).await.form("/signal");
    let refused = submit(&vault.app, &form.set("payload", &copied.to_string())).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(vault.stage.ground.count("select count(*) from runlog.runs").await, before);
    let elsewhere = json!({ "workflow": "drawer", "input": { "note": REDACTED } });
    assert_eq!(
        post(&vault.app, "/api/v1/runs", &elsewhere.to_string()).await.status,
        201,
        "a text like any other"
    );
}

/// The workflow that was `drawer` before, with a type that its runs' inputs do not fit.
fn numbered() -> Workflow<Numbered, u64> {
    async fn code(_: Cx, input: Numbered) -> Result<u64, CxError> {
        Ok(input.card)
    }
    Workflow::function("drawer", code)
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Numbered {
    card: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_the_code_is_refused_without_being_quoted() {
    let ground = Postgres::new().await;
    let before = ground.builder().workflow(drawer()).start().await.expect("a runtime");
    let input = json!({ "card": SECRET, "note": "a" });
    let run = before.run_by_name("drawer", input.to_string()).start().await.expect("a run");
    soon("its end", run.wait()).await.expect("an end");
    before.shutdown(std::time::Duration::from_secs(10)).await.expect("a stop");
    let runtime = ground.builder().workflow(numbered()).start().await.expect("a runtime");
    let hiding = hiding(&runtime);
    let open = runlog::http::router(&runtime).allow_all_insecure().into_router();
    let path = format!("/api/v1/runs/{}/replay", run.id());
    let edited = json!({ "input": { "card": REDACTED, "note": "b" }, "from": "start" });
    for body in [json!({ "from": "start" }), edited] {
        let refused = post(&hiding, &path, &body.to_string()).await;
        let text = String::from_utf8_lossy(&refused.bytes).into_owned();
        assert_eq!(refused.status, 422, "{text}");
        assert!(!text.contains(SECRET) && text.contains("what is there instead is not shown"), "{text}");
    }
    let whole = post(&open, &path, &json!({ "from": "start" }).to_string()).await;
    assert_eq!(whole.status, 422, "{whole:?}");
    assert!(String::from_utf8_lossy(&whole.bytes).contains(SECRET), "it is quoted where nothing is hidden");
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 1, "nothing was started");
}
