//! What goes over the wire to whoever takes gzip.

use std::io::Read as _;

use super::*;

async fn asked(app: &Router, path: &str, accepted: Option<&str>) -> Answer {
    let mut request = Request::get(path);
    if let Some(accepted) = accepted {
        request = request.header("accept-encoding", accepted);
    }
    send(app, request.body(Body::empty()).expect("a request")).await
}

fn coding(answer: &Answer) -> Option<&str> {
    answer.headers.get("content-encoding").map(|coding| coding.to_str().expect("a word"))
}

#[tokio::test]
async fn answers_are_compressed_for_whoever_takes_that() {
    let stage = Stage::new().await;
    let app = stage.open();
    for n in 0..10 {
        ended(&stage, &start(&app, json!({ "workflow": "echo", "input": n })).await).await;
    }
    let plain = asked(&app, "/api/v1/runs", None).await;
    assert_eq!((plain.status.as_u16(), coding(&plain)), (200, None));
    assert_eq!(coding(&asked(&app, "/api/v1/runs", Some("gzip;q=0")).await), None);
    for accepted in ["gzip", "br, gzip;q=0.5"] {
        let answer = asked(&app, "/api/v1/runs", Some(accepted)).await;
        assert_eq!((coding(&answer), answer.header("vary")), (Some("gzip"), "accept-encoding"), "{accepted}");
        assert!(answer.bytes.len() < plain.bytes.len() / 4, "{} bytes", answer.bytes.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*answer.bytes).read_to_string(&mut text).expect("JSON");
        let data = |text: &[u8]| serde_json::from_slice::<Value>(text).expect("JSON")["data"].take();
        assert_eq!(data(text.as_bytes()), data(&plain.bytes));
    }
    let small = asked(&app, "/api/v1/runs?q=status:queued", Some("gzip")).await;
    assert_eq!((small.status.as_u16(), coding(&small)), (200, None));
}

#[tokio::test]
async fn what_is_counted_or_follows_goes_out_as_it_is() {
    let stage = Stage::new().await;
    let app = stage.open();
    let input = "long ".repeat(1_000);
    let id = start(&app, json!({ "workflow": "gate", "input": input })).await;
    let raw = asked(&app, &format!("/api/v1/runs/{id}/input"), Some("gzip")).await;
    assert_eq!((coding(&raw), raw.bytes.len()), (None, input.len() + 2));
    assert!(!raw.header("etag").is_empty());

    let request = Request::get(format!("/api/v1/runs/{id}/stream")).header("accept-encoding", "gzip");
    let stream =
        app.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("a stream");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers().get("content-encoding"), None);
}
