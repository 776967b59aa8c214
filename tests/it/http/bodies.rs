//! Bodies that are not what they should be.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream;

use super::*;

async fn refused(app: &Router, body: impl Into<Body>, status: u16, code: &str) {
    let request = posting("/api/v1/runs").body(body.into()).unwrap();
    send(app, request).await.assert_problem(status, code);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_json_is_refused() {
    let stage = Stage::new().await;
    let app = stage.open();
    for body in ["{", "{\"workflow\":}", "nonsense", "{} {}", "{\"workflow\":\"gate\",}", "\u{feff}{}"] {
        refused(&app, body, 400, "invalid_json").await;
    }
    refused(&app, &b"{\"workflow\":\"\xff\"}"[..], 400, "invalid_json").await;
    refused(&app, &b"{\"workflow\":\"\xed\xa0\x80\"}"[..], 400, "invalid_json").await;
    for body in ["[]", "[\"gate\"]", "null", "7", "\"gate\"", "true"] {
        refused(&app, body, 422, "schema_violation").await;
    }
    assert_eq!(stage.ground.count("select count(*) from runlog.runs").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_json_is_refused_and_harms_nobody() {
    let stage = Stage::new().await;
    let app = stage.open();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let input = |levels| format!(r#"{{"workflow":"gate","input":{}}}"#, deep(levels));
    assert_eq!(post(&app, "/api/v1/runs", &input(64)).await.status, 201);
    for levels in [65, 500, 400_000] {
        let problem =
            post(&app, "/api/v1/runs", &input(levels)).await.assert_problem(422, "schema_violation");
        assert_eq!(problem["errors"][0]["pointer"], "/input");
        let ignored = format!(r#"{{"workflow":"gate","x_deep":{}}}"#, deep(levels));
        assert!(post(&app, "/api/v1/runs", &ignored).await.status.as_u16() < 500);
        let unknown = format!(r#"{{"workflow":{}}}"#, deep(levels));
        assert!(post(&app, "/api/v1/runs", &unknown).await.status.is_client_error());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let stage = Stage::new().await;
    let app = stage.open();
    let promised =
        posting("/api/v1/runs").header("content-length", "99999999999").body(Body::empty()).unwrap();
    send(&app, promised).await.assert_problem(413, "body_too_large");
    // It never ends: whoever would wait for its end waits for ever.
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 64 << 10])));
    let endless = tokio::time::timeout(Duration::from_secs(20), async {
        refused(&app, Body::from_stream(endless), 413, "body_too_large").await;
    });
    endless.await.expect("an answer before its end");
    let fits = format!(r#"{{"workflow":"gate","input":"{}"}}"#, "x".repeat((1 << 20) - 2));
    assert_eq!(post(&app, "/api/v1/runs", &fits).await.status, 201);
    let large = format!(r#"{{"workflow":"gate","input":"{}"}}"#, "x".repeat((1 << 20) - 1));
    let problem = post(&app, "/api/v1/runs", &large).await.assert_problem(422, "schema_violation");
    assert_eq!(problem["errors"][0]["pointer"], "/input");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_json_is_taken() {
    let stage = Stage::new().await;
    let app = stage.open();
    let with = |kind: &str| {
        let body = Body::from(r#"{"workflow":"gate"}"#);
        Request::post("/api/v1/runs").header("content-type", kind).body(body).unwrap()
    };
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.acme+json"] {
        assert_eq!(send(&app, with(kind)).await.status, 201, "{kind}");
    }
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json", "text/json"]
    {
        send(&app, with(kind)).await.assert_problem(415, "unsupported_media_type");
    }
    let none = Request::post("/api/v1/runs").body(Body::from("{}")).unwrap();
    send(&app, none).await.assert_problem(415, "unsupported_media_type");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_texts_come_back_as_they_were_and_only_as_json() {
    let stage = Stage::new().await;
    let app = stage.open();
    let hostile = [
        "<script>alert(1)</script>",
        "\u{1b}[31mred\u{1b}[0m",
        "'; drop table runs; --",
        "\u{202e}rtl",
        "{{7*7}}",
        "%s%n",
        "../../etc/passwd",
        "a\tb",
        "\u{fffd}\u{1f4a9}",
    ];
    for text in hostile {
        let body = json!({ "workflow": "gate", "input": text, "metadata": { "note": text } });
        let id = start(&app, body).await;
        let answer = get(&app, &format!("/api/v1/runs/{id}")).await;
        assert_eq!(answer.header("content-type"), "application/json");
        let run = answer.json();
        assert_eq!((&run["input"], &run["metadata"]["note"]), (&json!(text), &json!(text)));
        assert!(!answer.bytes.contains(&0x1b), "a control character is escaped");
        let cancel = json!({ "reason": text }).to_string();
        assert_eq!(post(&app, &format!("/api/v1/runs/{id}/cancel"), &cancel).await.status, 202);
    }
}
