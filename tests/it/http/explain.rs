//! Why, what differs, and how it was.

use runlog::http::Action;
use runlog::{Cx, Workflow};

use super::*;

/// Fails unless its input says otherwise.
fn choosy() -> Workflow<Value, Value> {
    async fn code(_cx: Cx, input: Value) -> anyhow::Result<Value> {
        match input["card"].as_str() {
            Some("good") => anyhow::Ok(input),
            _ => anyhow::bail!("card_declined"),
        }
    }
    Workflow::function("choosy", code)
}

async fn stage() -> (Stage, String, String) {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).workflow(choosy()).start().await.unwrap();
    let stage = Stage { ground, runtime };
    let app = stage.open();
    let good = start(&app, json!({ "workflow": "choosy", "input": { "card": "good" } })).await;
    ended(&stage, &good).await;
    let bad = start(&app, json!({ "workflow": "choosy", "input": { "card": "stolen" } })).await;
    ended(&stage, &bad).await;
    (stage, good, bad)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_names_the_cause_the_place_the_last_good_run_and_what_to_do() {
    let (stage, good, bad) = stage().await;
    let app = stage.open();
    let why = get(&app, &format!("/api/v1/runs/{bad}/why")).await.json();
    assert_eq!((&why["cause"]["kind"], &why["cause"]["fault"]), (&json!("failed"), &json!("error")), "{why}");
    assert_eq!(why["cause"]["error"]["message"], "card_declined");
    assert!(why["headline"].as_str().is_some_and(|line| line.contains("card_declined")), "{why}");
    assert_eq!((&why["site"]["task"], &why["site"]["input"]["card"]), (&json!("choosy"), &json!("stolen")));
    assert_eq!(why["last_good"]["run"], good);
    assert_eq!(why["last_good"]["changes"]["input"]["listed"][0]["path"], "/card");
    assert_eq!(why["actions"][0]["kind"], "replay");
    let waiting = start(&app, json!({ "workflow": "gate" })).await;
    let path = format!("/api/v1/runs/{waiting}/why");
    crate::support::until("it waits", async || get(&app, &path).await.json()["cause"]["kind"] == "waiting")
        .await;
    let why = get(&app, &path).await.json();
    assert_eq!(why["waits"][0]["waiting"]["name"], "go", "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diff_is_with_the_last_good_run_or_a_named_one_of_the_caller() {
    let (stage, good, bad) = stage().await;
    let app = stage.open();
    let diff = get(&app, &format!("/api/v1/runs/{bad}/diff")).await.json();
    assert_eq!((&diff["a"]["run"], &diff["b"]["run"]), (&json!(good), &json!(bad)));
    assert_eq!(diff["start"]["input"]["listed"][0]["after"], "\"stolen\"");
    assert!(diff["course"].is_object(), "{diff}");
    let named = get(&app, &format!("/api/v1/runs/{good}/diff?with={bad}")).await.json();
    assert_eq!((&named["a"]["run"], &named["b"]["run"]), (&json!(bad), &json!(good)));
    get(&app, &format!("/api/v1/runs/{good}/diff")).await.assert_problem(404, "run_not_found");
    get(&app, &format!("/api/v1/runs/{good}/diff?with=x")).await.assert_problem(404, "run_not_found");
    let acme = stage.as_tenant("acme");
    let own = start(&acme, json!({ "workflow": "gate" })).await;
    get(&acme, &format!("/api/v1/runs/{own}/diff?with={bad}")).await.assert_problem(404, "run_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_is_json_or_text() {
    let (stage, _, bad) = stage().await;
    let app = stage.open();
    let path = format!("/api/v1/runs/{bad}/graph");
    let graph = get(&app, &path).await.json();
    assert_eq!(
        (&graph["nodes"][0]["name"], &graph["nodes"][0]["status"]),
        (&json!("choosy"), &json!("FAILED"))
    );
    for format in ["ascii", "dot", "mermaid"] {
        let answer = get(&app, &format!("{path}?format={format}")).await;
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert!(String::from_utf8(answer.bytes).unwrap().contains("choosy"), "{format}");
    }
    get(&app, &format!("{path}?format=svg")).await.assert_problem(400, "invalid_query");
    get(&app, &format!("{path}?width=1")).await.assert_problem(400, "invalid_query");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_that_after_any_event_and_the_last_one_unless_told() {
    let (stage, _, bad) = stage().await;
    let app = stage.open();
    let path = format!("/api/v1/runs/{bad}/state");
    let last = get(&app, &path).await.json();
    assert_eq!((&last["kind"], &last["state"]["status"]), (&json!("run_failed"), &json!("FAILED")));
    let first = get(&app, &format!("{path}?at=1")).await.json();
    assert_eq!((&first["seq"], &first["state"]["status"]), (&json!(1), &json!("QUEUED")));
    get(&app, &format!("{path}?at=99")).await.assert_problem(404, "event_not_found");
    get(&app, &format!("{path}?at=0")).await.assert_problem(400, "invalid_query");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_read_payloads_sees_none_in_explanations() {
    let (stage, good, bad) = stage().await;
    let guard = stage.as_caller(Access::none("guard").allow(Action::Read));
    for path in [
        format!("{bad}/why"),
        format!("{bad}/diff"),
        format!("{good}/diff?with={bad}"),
        format!("{bad}/graph"),
        format!("{bad}/trace"),
    ] {
        let answer = get(&guard, &format!("/api/v1/runs/{path}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(!text.contains("stolen") && !text.contains("/card"), "{path} tells: {text}");
    }
    get(&guard, &format!("/api/v1/runs/{bad}/state")).await.assert_problem(403, "forbidden");
}
