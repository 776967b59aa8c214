//! Inputs and outputs as they were.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_come_back_byte_for_byte_as_files() {
    let stage = Stage::new().await;
    let input =
        r#"{"z":1, "a" :[ 1e400, 123456789012345678901234567890, 0.1000 ],"a":"</script>\u001b[31m\u00e9é"}"#;
    let id = echoed(&stage, input).await;
    let app = stage.open();
    for what in ["input", "output", "tasks/echo/output"] {
        let answer = get(&app, &format!("/api/v1/runs/{id}/{what}")).await;
        assert_eq!(String::from_utf8(answer.bytes.clone()).unwrap(), input, "{what}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(answer.header("content-disposition").starts_with("attachment; filename="), "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let path = format!("/api/v1/runs/{id}/{what}");
        let again = Request::get(path).header("if-none-match", answer.header("etag"));
        let again = send(&app, again.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_read_payloads_sees_none_anywhere() {
    let stage = Stage::new().await;
    let id = echoed(&stage, r#""hush""#).await;
    let gated = start(&stage.open(), json!({ "workflow": "gate", "input": "hush" })).await;
    post(&stage.open(), &format!("/api/v1/runs/{gated}/signals/go"), r#"{"payload":"hush"}"#).await;
    ended(&stage, &gated).await;
    let app = stage.as_caller(Access::none("guard").allow(runlog::http::Action::Read));
    for id in [id, gated] {
        for path in ["", "/tasks", "/events", "/events/1", "/tasks/echo", "/tasks/gate"] {
            let answer = get(&app, &format!("/api/v1/runs/{id}{path}")).await;
            let text = String::from_utf8(answer.bytes).unwrap();
            assert!(!text.contains("hush"), "{path} tells: {text}");
        }
        for path in ["/input", "/output"] {
            let refused = get(&app, &format!("/api/v1/runs/{id}{path}")).await;
            assert_eq!(refused.assert_problem(403, "forbidden")["action"], "read_payload");
        }
    }
}
