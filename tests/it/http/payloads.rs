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
async fn a_payload_is_fetched_in_parts() {
    let stage = Stage::new().await;
    let input = r#"{"a":"äöü","n":12345678901234567890123}"#;
    let id = echoed(&stage, input).await;
    let app = stage.open();
    let all = input.len();
    for what in ["input", "output", "tasks/echo/output"] {
        let path = format!("/api/v1/runs/{id}/{what}");
        let part = async |headers: &[(&str, &str)]| {
            let request = headers
                .iter()
                .fold(Request::get(&path), |request, (name, value)| request.header(*name, *value));
            send(&app, request.body(Body::empty()).unwrap()).await
        };
        let whole = part(&[]).await;
        assert_eq!((whole.status.as_u16(), whole.header("accept-ranges")), (200, "bytes"));
        let tag = whole.header("etag");
        // In the middle of a character: bytes are bytes.
        let first = part(&[("range", "bytes=0-6")]).await;
        assert_eq!(first.status, 206, "{first:?}");
        assert_eq!(first.header("content-range"), format!("bytes 0-6/{all}"));
        assert_eq!(first.header("etag"), tag);
        let rest = part(&[("range", "bytes=7-"), ("if-range", tag)]).await;
        assert_eq!(rest.header("content-range"), format!("bytes 7-{}/{all}", all - 1));
        assert_eq!([first.bytes, rest.bytes].concat(), input.as_bytes());
        let last = part(&[("range", "bytes=-4")]).await;
        assert_eq!((last.status.as_u16(), last.bytes.as_slice()), (206, &input.as_bytes()[all - 4..]));

        let outside = part(&[("range", "bytes=1000-")]).await;
        assert_eq!(outside.assert_problem(416, "range_not_satisfiable")["bytes"], json!(all));
        assert_eq!(outside.header("content-range"), format!("bytes */{all}"));
        let of_another = part(&[("range", "bytes=0-6"), ("if-range", "\"0\"")]).await;
        assert_eq!((of_another.status.as_u16(), of_another.bytes.len()), (200, all));
        let known = part(&[("range", "bytes=0-6"), ("if-none-match", tag)]).await;
        assert_eq!((known.status.as_u16(), known.bytes.len()), (304, 0));
        let head = Request::head(&path).header("range", "bytes=0-6").body(Body::empty()).unwrap();
        assert_eq!(send(&app, head).await.status, 200, "a range is one of a GET's answer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_read_as_rfc_9110_says() {
    let stage = Stage::new().await;
    let (input, app) = ("\"12345678\"", stage.open());
    assert_eq!(input.len(), 10);
    let id = echoed(&stage, input).await;
    let expected = [
        ("bytes=0-0", 206, "bytes 0-0/10"),
        ("bytes=2-5", 206, "bytes 2-5/10"),
        ("Bytes = 2-5", 206, "bytes 2-5/10"),
        ("bytes=2-", 206, "bytes 2-9/10"),
        ("bytes=2-99", 206, "bytes 2-9/10"),
        ("bytes=9-99999999999999999999999", 206, "bytes 9-9/10"),
        ("bytes=-3", 206, "bytes 7-9/10"),
        ("bytes=-99", 206, "bytes 0-9/10"),
        ("bytes=10-", 416, "bytes */10"),
        ("bytes=10-20", 416, "bytes */10"),
        ("bytes=99999999999999999999999-", 416, "bytes */10"),
        ("bytes=-0", 416, "bytes */10"),
        // What is none, or several, is as if it were not there.
        ("bytes=5-2", 200, ""),
        ("bytes=-", 200, ""),
        ("bytes=", 200, ""),
        ("bytes=+1-2", 200, ""),
        ("bytes=0-1,3-4", 200, ""),
        ("bytes=20-x", 200, ""),
        ("lines=0-1", 200, ""),
        ("0-1", 200, ""),
    ];
    for (range, status, told) in expected {
        let request = Request::get(format!("/api/v1/runs/{id}/input")).header("range", range);
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-range")), (status, told), "{range}");
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
