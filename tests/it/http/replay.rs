//! Replaying over REST.

use runlog::http::Action;
use runlog::{Cx, Workflow};

use super::*;

/// Fails unless its input says otherwise; notes in `executed` that its first step ran.
fn fragile(pool: &sqlx::PgPool) -> Workflow<Value, Value> {
    let pool = pool.clone();
    Workflow::function("fragile", move |cx: Cx, input: Value| {
        let pool = pool.clone();
        async move {
            let run = cx.run_id().uuid();
            let note = || async {
                let note = sqlx::query("insert into executed values ($1, 's', clock_timestamp())");
                note.bind(run).execute(&pool).await.map(drop)
            };
            cx.step("note", note).await?;
            match input["fail"].as_bool() {
                Some(false) => anyhow::Ok(input),
                _ => anyhow::bail!("it was told to"),
            }
        }
    })
}

async fn failed() -> (Stage, String) {
    let ground = Postgres::new().await;
    ground.note_executions().await;
    let workflow = fragile(&ground.pool);
    let runtime = ground.builder().workflow(workflow).workflow(gate()).start().await.unwrap();
    let stage = Stage { ground, runtime };
    let id = start(&stage.open(), json!({ "workflow": "fragile", "input": { "n": 1 } })).await;
    ended(&stage, &id).await;
    (stage, id)
}

const EXECUTED: &str = "select count(*) from executed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_a_new_run_that_takes_over_what_was_done() {
    let (stage, id) = failed().await;
    let app = stage.as_caller(Access::all("ada"));
    let path = format!("/api/v1/runs/{id}/replay");
    let told = post(&app, &path, r#"{"dry_run":true}"#).await;
    assert_eq!((told.status.as_u16(), &told.json()["run"]), (200, &Value::Null));
    let answer = post(&app, &path, r#"{"reason":"bank is back"}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let replayed = answer.json();
    assert_eq!(replayed["plan"], told.json()["plan"], "it does what it said");
    assert_eq!(replayed["plan"]["resumed"][0]["ops"], json!(["note#0"]));
    let new = replayed["run"]["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("../{new}"));
    let trigger = &replayed["run"]["trigger"];
    assert_eq!(
        (&trigger["kind"], &trigger["of"], &trigger["by"]),
        (&json!("replay"), &json!(id), &json!("ada"))
    );
    assert_eq!(trigger["reason"], "bank is back");
    ended(&stage, new).await;
    assert_eq!(stage.ground.count(EXECUTED).await, 1, "the step is not executed again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_input_asks_for_its_own_permission_and_takes_over_nothing() {
    let (stage, id) = failed().await;
    let path = format!("/api/v1/runs/{id}/replay");
    let edited = r#"{"input":{"fail":false}}"#;
    let plain = stage.as_caller(Access::none("guest").allow(Action::Read).allow(Action::Replay));
    let refused = post(&plain, &path, edited).await.assert_problem(403, "forbidden");
    assert_eq!(refused["action"], "replay_with_input");
    let replayed = post(&stage.open(), &path, edited).await.json();
    let new = replayed["run"]["id"].as_str().unwrap();
    ended(&stage, new).await;
    let run = get(&stage.open(), &format!("/api/v1/runs/{new}")).await.json();
    assert_eq!((&run["status"], &run["output"]), (&json!("SUCCEEDED"), &json!({ "fail": false })));
    assert_eq!(stage.ground.count(EXECUTED).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_replayed_says_why() {
    let (stage, id) = failed().await;
    let app = stage.open();
    let live = start(&app, json!({ "workflow": "gate" })).await;
    let path = |id: &str| format!("/api/v1/runs/{id}/replay");
    let refused = post(&app, &path(&live), "{}").await.assert_problem(409, "run_not_replayable");
    assert_eq!((&refused["run"], &refused["run_status"]), (&json!(live), &json!("RUNNING")));
    post(&app, &format!("/api/v1/runs/{live}/cancel"), "{}").await;
    ended(&stage, &live).await;
    post(&app, &path(&live), "{}").await.assert_problem(409, "run_not_replayable");
    assert_eq!(post(&app, &path(&live), r#"{"force":true}"#).await.status, 202);
    let unknown =
        post(&app, &path(&id), r#"{"task":"nobody"}"#).await.assert_problem(422, "schema_violation");
    assert_eq!(unknown["errors"][0]["pointer"], "/task");
    post(&app, &path(&id), r#"{"from":"start","task":"fragile"}"#)
        .await
        .assert_problem(422, "schema_violation");
    post(&app, &path(&id), r#"{"from":"middle"}"#).await.assert_problem(422, "schema_violation");
    post(&app, &path(&id), r#"{"input":"\u0000"}"#).await.assert_problem(422, "schema_violation");
    post(&app, &path(&id), r#"{"version":"99"}"#).await.assert_problem(404, "workflow_not_found");
}
