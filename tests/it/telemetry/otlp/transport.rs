//! How requests travel.

use runlog::model::limits::OTLP_REQUEST_BYTES_MAX;
use runlog::telemetry::otlp::{Otlp, Protocol, Sender};
use runlog::telemetry::spans::{Span, Value};

use super::{BOTH, otlp, sender, span, spans};
use crate::telemetry::receiver::Receiver;

#[tokio::test]
async fn more_than_a_request_may_have_is_several() {
    let large = |number: u64| {
        let mut span = span(number, "step");
        span.attributes.push(("large".into(), Value::from("x".repeat(30_000))));
        span
    };
    let spans: Vec<Span> = (0..100).map(large).collect();
    for protocol in BOTH {
        let backend = Receiver::new().await;
        let sent = sender(&backend, protocol).send(&spans).await.expect("a backend");

        assert_eq!(sent.accepted, 100);
        let requests = backend.requests();
        assert_eq!(requests.len(), 3, "3 MB, a little under 1 MiB each");
        for request in &requests {
            assert!(request.bytes <= OTLP_REQUEST_BYTES_MAX, "{} bytes", request.bytes);
        }
        // None is lost or sent twice where one request ends and the next begins.
        let mut read = backend.spans();
        read.sort_by_key(|span| span.span_id);
        assert_eq!(read, spans);
    }
}

/// The bound is kept to the byte, also by spans of many nodes, each with a resource of its own.
#[tokio::test]
async fn a_request_of_many_nodes_is_no_larger() {
    let spans: Vec<Span> = (0..20_000_u32)
        .map(|number| Span {
            node: Some(runlog::model::NodeId(i32::try_from(number % 97).expect("few"))),
            attributes: Vec::new(),
            ..span(u64::from(number), "a")
        })
        .collect();
    let backend = Receiver::new().await;
    sender(&backend, Protocol::Http).send(&spans).await.expect("a backend");

    let requests = backend.requests();
    let sizes: Vec<usize> = requests.iter().map(|request| request.bytes).collect();
    assert!(sizes.iter().all(|bytes| *bytes <= OTLP_REQUEST_BYTES_MAX), "{sizes:?}");
    assert!(sizes[0] > OTLP_REQUEST_BYTES_MAX * 9 / 10, "requests are filled: {sizes:?}");
    assert_eq!(requests.iter().map(|request| request.spans).sum::<usize>(), 20_000);
}

#[tokio::test]
async fn a_span_larger_than_a_request_is_sent_alone() {
    let mut large = span(1, "large");
    large.attributes.push(("large".into(), Value::from("x".repeat(2 << 20))));
    let backend = Receiver::new().await;
    let sent = sender(&backend, Protocol::Grpc).send(&[span(0, "small"), large, span(2, "small")]).await;

    assert_eq!(sent.expect("a backend").accepted, 3);
    let counts: Vec<usize> = backend.requests().iter().map(|request| request.spans).collect();
    assert_eq!(counts, [1, 1, 1]);
}

#[tokio::test]
async fn requests_are_compressed_when_told() {
    for (protocol, header) in [(Protocol::Grpc, "grpc-encoding"), (Protocol::Http, "content-encoding")] {
        for gzip in [true, false] {
            let backend = Receiver::new().await;
            let otlp = otlp(&backend, protocol).gzip(gzip);
            let sent = Sender::new(&otlp).expect("settings").send(&spans(&["start"])).await;
            assert_eq!(sent.expect("a backend").accepted, 1);

            let encoding = backend.requests()[0].headers.get(header).cloned();
            assert_eq!(encoding.is_some_and(|encoding| encoding == "gzip"), gzip, "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn headers_go_with_every_request_and_into_no_log() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        let otlp = otlp(&backend, protocol).header("X-Api-Key", "s3cret").header("x-dataset", "a b");
        let sender = Sender::new(&otlp).expect("settings");
        sender.send(&spans(&["start"])).await.expect("a backend");

        let headers = &backend.requests()[0].headers;
        assert_eq!(headers["x-api-key"], "s3cret");
        assert_eq!(headers["x-dataset"], "a b");
        let agent = headers["user-agent"].to_str().expect("a text");
        assert!(agent.starts_with("runlog/"), "{agent}");
        for shown in [format!("{otlp:?}"), format!("{sender:?}")] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_private_authority_is_believed_when_named_and_only_then() {
    for protocol in BOTH {
        let (backend, authority) = Receiver::with_tls().await;
        let known = otlp(&backend, protocol).certificate(authority);
        let sent = Sender::new(&known).expect("settings").send(&spans(&["start", "step"])).await;
        assert_eq!(sent.expect("a backend").accepted, 2);

        let (_other, stranger) = Receiver::with_tls().await;
        let unknown = otlp(&backend, protocol).certificate(stranger);
        let refused = Sender::new(&unknown).expect("settings").send(&spans(&["start"])).await;
        let reason = refused.expect_err("an unknown authority").reason;
        assert!(reason.to_lowercase().contains("certificate"), "{protocol:?}: {reason}");
        assert_eq!(backend.spans().len(), 2);
    }
}

#[tokio::test]
async fn an_address_of_its_own_is_taken_as_it_is() {
    let backend = Receiver::new().await;
    let otlp = Otlp::http(format!("{}/elsewhere", backend.http())).exact();
    Sender::new(&otlp).expect("settings").send(&spans(&["start"])).await.expect("a backend");
    let otlp = Otlp::http(format!("{}/", backend.http()));
    Sender::new(&otlp).expect("settings").send(&spans(&["start"])).await.expect("a backend");

    let paths: Vec<String> = backend.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/elsewhere", "/v1/traces"]);
}
