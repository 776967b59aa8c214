//! What code writes beside its log.

use runlog::{Cx, CxError, Workflow};

use super::*;
use crate::support::until;

/// Writes two lines and sends two chunks.
fn talkative() -> Workflow<Value, ()> {
    async fn code(cx: Cx, _input: Value) -> Result<(), CxError> {
        cx.log().info("on \u{1b}[31mred\u{1b}[0m ground");
        cx.log().warn("going\ndown");
        let tokens = cx.stream("tokens");
        tokens.send(&"a").await?;
        tokens.send(&json!({ "b": 1 })).await?;
        Ok(())
    }
    Workflow::function("talkative", code)
}

async fn talked() -> (Stage, String) {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(talkative()).start().await.unwrap();
    let stage = Stage { ground, runtime };
    let id = start(&stage.open(), json!({ "workflow": "talkative" })).await;
    ended(&stage, &id).await;
    until("the lines are written", async || {
        stage.ground.count("select count(*) from runlog.log_lines").await == 2
    })
    .await;
    (stage, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_paged_and_counted_by_level() {
    let (stage, id) = talked().await;
    let app = stage.open();
    let path = format!("/api/v1/runs/{id}/logs");
    let page = get(&app, &format!("{path}?limit=1")).await.json();
    assert_eq!(page["data"][0]["message"], "on \u{1b}[31mred\u{1b}[0m ground");
    assert_eq!((&page["counts"]["info"], &page["counts"]["warn"]), (&json!(1), &json!(1)));
    let next = page["next"].as_str().unwrap();
    let rest = get(&app, &format!("{path}?after={next}")).await.json();
    assert_eq!((&rest["data"][0]["level"], &rest["next"]), (&json!("WARN"), &Value::Null));
    let warned = get(&app, &format!("{path}?level=warn&task=talkative&attempt=1")).await.json();
    assert_eq!(warned["data"].as_array().unwrap().len(), 1);
    for wrong in ["level=loud", "attempt=0", "attempt=2147483648", "after=x", "task="] {
        get(&app, &format!("{path}?{wrong}")).await.assert_problem(400, "invalid_query");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_as_text_say_nothing_to_a_terminal() {
    let (stage, id) = talked().await;
    let answer = get(&stage.open(), &format!("/api/v1/runs/{id}/logs.txt")).await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let text = String::from_utf8(answer.bytes).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(r"INFO  talkative/1 on \u{1b}[31mred\u{1b}[0m ground"), "{text}");
    assert!(text.contains(r"WARN  talkative/1 going\ndown"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_and_chunks_are_streamed_to_the_runs_end() {
    let (stage, id) = talked().await;
    let app = stage.open();
    let names = get(&app, &format!("/api/v1/runs/{id}/streams")).await.json();
    assert_eq!(names["data"], json!([{ "name": "tokens", "chunks": 2 }]));
    let page = get(&app, &format!("/api/v1/runs/{id}/streams/tokens?limit=1")).await.json();
    assert_eq!((&page["data"][0]["data"], &page["next"]), (&json!("a"), &json!("1")));
    let told = get(&app, &format!("/api/v1/runs/{id}/streams/tokens/stream?after=1")).await;
    let told = String::from_utf8(told.bytes).unwrap();
    assert!(
        told.contains("event: chunk") && told.contains("\"data\":{\"b\":1}") && told.contains("event: end"),
        "{told}"
    );
    assert!(!told.contains("\"data\":\"a\""), "{told}");
    let told = get(&app, &format!("/api/v1/runs/{id}/logs/stream?level=warn")).await;
    let told = String::from_utf8(told.bytes).unwrap();
    assert!(
        told.contains("event: log") && told.contains("going\\ndown") && told.contains("event: end"),
        "{told}"
    );
    assert!(!told.contains("ground"), "{told}");
}
