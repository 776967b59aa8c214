//! Exported runs, taken in.

use std::sync::Arc;

use axum::body::Bytes;
use futures_util::stream;
use tokio::sync::Semaphore;

use super::*;
use crate::support::soon;

const IMPORT: &str = "/api/v1/import";
const ARCHIVED: &str = "select count(*) from runlog.archived_runs";

/// Exports runs of `echo`, with these inputs.
async fn exported(inputs: &[&str]) -> Vec<(String, String)> {
    let stage = Stage::new().await;
    let mut all = Vec::new();
    for input in inputs {
        let id = echoed(&stage, input).await;
        let lines = get(&stage.open(), &format!("/api/v1/runs/{id}/export")).await.bytes;
        all.push((id, String::from_utf8(lines).unwrap()));
    }
    all
}

fn importing() -> axum::http::request::Builder {
    Request::post(IMPORT).header("content-type", "application/jsonl")
}

async fn import(app: &Router, lines: impl Into<Body>) -> Answer {
    send(app, importing().body(lines.into()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exported_runs_are_put_into_the_archive_and_once_only() {
    let runs = exported(&["12345678901234567890123", "2"]).await;
    let ((first, one), (second, two)) = (&runs[0], &runs[1]);
    let stage = Stage::new().await;
    let app = stage.as_caller(Access::all("ada"));

    let answer = import(&app, one.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let row = |run: &str, imported: bool| json!({ "run": run, "namespace": "default", "workflow": "echo", "status": "SUCCEEDED", "imported": imported, "redacted": false });
    assert_eq!(answer.json()["data"], json!([row(first, true)]));
    let run = get(&app, &format!("/api/v1/runs/{first}")).await.json();
    assert_eq!((&run["archived"], &run["imported"]), (&json!(true), &json!(true)));
    assert_eq!(get(&app, &format!("/api/v1/runs/{first}/output")).await.bytes, b"12345678901234567890123");

    let again = import(&app, one.clone()).await.assert_problem(409, "run_exists");
    assert_eq!(again["run"], *first);
    let both = import(&app, format!("{one}{two}")).await;
    assert_eq!(both.json()["data"], json!([row(first, false), row(second, true)]));
    assert_eq!(stage.ground.count(ARCHIVED).await, 2);

    let audit = get(&app, "/api/v1/audit").await.json();
    let deeds: Vec<_> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deed| {
            assert_eq!((&deed["who"], &deed["action"]), (&json!("ada"), &json!("import")), "{deed}");
            (deed["run"].as_str().unwrap().to_owned(), deed["outcome"].as_str().unwrap().to_owned())
        })
        .collect();
    let deed = |run: &str, outcome: &str| (run.to_owned(), outcome.to_owned());
    assert_eq!(deeds, [deed(second, "ok"), deed(first, "run_exists"), deed(first, "ok")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_imported_has_a_code_of_its_own_and_nothing_is_written() {
    let runs = exported(&["1", "2"]).await;
    let (good, other) = (&runs[0].1, &runs[1].1);
    let stage = Stage::new().await;
    let app = stage.open();
    let (head, events) = other.split_once('\n').unwrap();

    for body in ["", "{}", "null", "{\"runlog_export\":1}", head, events] {
        let answer = import(&app, body.to_owned()).await;
        answer.assert_problem(422, "invalid_export");
    }
    import(&app, &b"{\"runlog_export\xff"[..]).await.assert_problem(422, "invalid_export");
    let garbled =
        format!("{good}{}", other.replacen("\"kind\":\"run_started\"", "\"kind\":\"run_stirred\"", 1));
    let problem = import(&app, garbled).await.assert_problem(422, "invalid_export");
    assert_eq!((&problem["export"], &problem["line"]), (&json!(2), &json!(3)), "{problem}");
    let cut = other.trim_end().rsplit_once('\n').unwrap().0;
    let problem = import(&app, format!("{good}{cut}")).await.assert_problem(422, "invalid_export");
    assert!(problem["detail"].as_str().unwrap().contains("cut or changed"), "{problem}");

    let newer = other.replacen("\"runlog_export\":1", "\"runlog_export\":2", 1);
    let problem = import(&app, format!("{good}{newer}")).await.assert_problem(422, "newer_export");
    assert_eq!((&problem["found"], &problem["known"]), (&json!(2), &json!(1)));

    let live = start(&app, json!({ "workflow": "gate" })).await;
    let lines = String::from_utf8(get(&app, &format!("/api/v1/runs/{live}/export")).await.bytes).unwrap();
    let problem = import(&app, format!("{good}{lines}")).await.assert_problem(422, "live_export");
    assert_eq!(problem["run"], live);

    let many = good.repeat(1_001);
    import(&app, many).await.assert_problem(422, "invalid_export");
    let json = Request::post(IMPORT).header("content-type", "application/json");
    let answer = send(&app, json.body(Body::from(good.clone())).unwrap()).await;
    answer.assert_problem(415, "unsupported_media_type");
    assert_eq!(stage.ground.count(ARCHIVED).await, 0, "the good ones beside them, too");
    assert_eq!(import(&app, good.clone()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_the_database_cannot_keep_is_the_senders_fault() {
    let from = Stage::new().await;
    let run = from.runtime.run_by_name("echo", "1").metadata([("note", "spoilt")]).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let lines = from.runtime.export(run.id()).await.unwrap().unwrap();
    let forged = lines.replacen("spoilt", r"\\u0000", 1);
    assert_ne!(forged, lines);
    let stage = Stage::new().await;
    import(&stage.open(), forged).await.assert_problem(422, "invalid_export");
    assert_eq!(stage.ground.count(ARCHIVED).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_may_be_larger_than_a_payload_and_has_its_own_limit() {
    let large = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let runs = exported(&[&large]).await;
    let (id, lines) = &runs[0];
    assert!(lines.len() > 2 << 20, "its input and its output");
    let stage = Stage::new().await;
    let app = stage.open();
    let keyed = importing().header("idempotency-key", "k").body(Body::from(lines.clone())).unwrap();
    assert_eq!(send(&app, keyed).await.json()["data"][0]["run"], *id);

    let promised = importing().header("content-length", "99999999999").body(Body::empty()).unwrap();
    let problem = send(&app, promised).await.assert_problem(413, "body_too_large");
    assert_eq!(problem["limit_bytes"], json!(64 << 20));
    // It never ends: whoever would wait for its end waits for ever.
    let endless = || stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1 << 20])));
    for request in [importing(), importing().header("idempotency-key", "k2")] {
        let sent = send(&app, request.body(Body::from_stream(endless())).unwrap());
        soon("an answer before its end", sent).await.assert_problem(413, "body_too_large");
    }
    let tenant = stage.as_tenant("acme");
    let bound = import(&tenant, Body::from_stream(stream::pending::<std::io::Result<Bytes>>()));
    soon("an answer before it is read", bound).await.assert_problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_imports_are_taken_at_a_time() {
    let stage = Stage::new().await;
    let app = stage.open();
    let begun = Arc::new(Semaphore::new(0));
    let slow = || {
        let (app, begun) = (app.clone(), Arc::clone(&begun));
        // Whoever asks for its first piece has its place.
        let body = stream::once(async move {
            begun.add_permits(1);
            std::future::pending::<std::io::Result<Bytes>>().await
        });
        tokio::spawn(async move { import(&app, Body::from_stream(body)).await })
    };
    let (one, _two) = (slow(), slow());
    let both = soon("both to be read", begun.acquire_many(2)).await;
    both.unwrap().forget();
    let refused = import(&app, "").await;
    refused.assert_problem(503, "too_many_imports");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(get(&app, "/api/v1/runs").await.status, 200, "others are answered");
    one.abort();
    assert!(one.await.is_err_and(|end| end.is_cancelled()));
    import(&app, "").await.assert_problem(422, "invalid_export");
}
