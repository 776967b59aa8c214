//! Spans sent to a backend, over both protocols.

mod refused;
mod settings;
mod transport;
mod unavailable;

use std::borrow::Cow;
use std::time::Duration;

use chrono::DateTime;
use runlog::model::{NodeId, SpanId, TraceContext, TraceFlags, TraceId, TraceState};
use runlog::telemetry::otlp::{Otlp, Protocol, Sender};
use runlog::telemetry::spans::{Link, Span, SpanEvent, SpanKind, SpanStatus, Value};

use super::receiver::Receiver;

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

/// Settings for a backend by one of the protocols.
fn otlp(backend: &Receiver, protocol: Protocol) -> Otlp {
    match protocol {
        Protocol::Grpc => Otlp::grpc(backend.grpc()),
        Protocol::Http => Otlp::http(backend.http()),
    }
}

fn sender(backend: &Receiver, protocol: Protocol) -> Sender {
    Sender::new(&otlp(backend, protocol)).expect("settings that will do")
}

fn trace_id() -> TraceId {
    TraceId::new([7; 16]).expect("not zero")
}

/// A span of everything that one can have, told from others by its number.
fn span(number: u64, name: &str) -> Span {
    let at = |us: i64| DateTime::from_timestamp_micros(1_790_000_000_000_000 + us).expect("an instant");
    let begins = i64::try_from(number).expect("few") * 10;
    let elsewhere = TraceContext {
        trace_id: TraceId::new([9; 16]).expect("not zero"),
        span_id: SpanId::new([8; 8]).expect("not zero"),
        flags: TraceFlags::SAMPLED,
        state: TraceState::parse("a=b").expect("a state"),
    };
    Span {
        trace_id: trace_id(),
        span_id: SpanId::new((number + 1).to_be_bytes()).expect("not zero"),
        parent: (number > 0).then(|| SpanId::new(1_u64.to_be_bytes()).expect("not zero")),
        flags: TraceFlags::SAMPLED,
        state: TraceState::parse("vendor=1").expect("a state"),
        name: name.to_owned(),
        kind: SpanKind::Internal,
        start: at(begins),
        end: at(begins + 5),
        status: SpanStatus::Error { description: "it was wrong".to_owned() },
        attributes: vec![
            (Cow::Borrowed("text"), Value::from("ü")),
            (Cow::Borrowed("number"), Value::Int(-1)),
            (Cow::Borrowed("yes"), Value::Bool(true)),
            (Cow::Borrowed("texts"), Value::Texts(vec!["a".to_owned(), "b".to_owned()])),
            (Cow::Borrowed("empty"), Value::from("")),
            (Cow::Borrowed("zero"), Value::Int(0)),
            (Cow::Borrowed("no"), Value::Bool(false)),
            (Cow::Borrowed("none"), Value::Texts(vec![])),
            // One byte says a length up to 127.
            (Cow::Borrowed("127"), Value::from("x".repeat(127))),
            (Cow::Borrowed("128"), Value::from("x".repeat(128))),
        ],
        events: vec![SpanEvent {
            name: "exception",
            at: at(begins + 1),
            attributes: vec![(Cow::Borrowed("exception.type"), Value::from("Io"))],
        }],
        events_dropped: 3,
        links: vec![Link { to: elsewhere, attributes: vec![(Cow::Borrowed("why"), Value::from("replay"))] }],
        node: (number % 2 == 1).then_some(NodeId(5)),
    }
}

fn spans(names: &[&str]) -> Vec<Span> {
    (0..).zip(names).map(|(number, name)| span(number, name)).collect()
}

/// Longer than a request takes, shorter than a person waits.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn what_is_sent_is_read_back_as_it_was() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        let mut spans = spans(&["start", "attempt", "step"]);
        // Two bytes say a length up to 16,383.
        for length in [16_383, 16_384] {
            spans[1].attributes.push((Cow::Borrowed("long"), Value::from("x".repeat(length))));
        }

        let sent = sender(&backend, protocol).send(&spans).await.expect("a backend");

        assert_eq!((sent.accepted, sent.rejected, sent.refused.len()), (3, 0, 0));
        let mut read = backend.spans();
        read.sort_by_key(|span| span.span_id);
        assert_eq!(read, spans, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_span_sent_twice_is_one_in_jaeger() {
    let backend = Receiver::new().await;
    let spans = spans(&["start", "attempt", "step"]);
    for protocol in BOTH {
        sender(&backend, protocol).send(&spans).await.expect("a backend");
    }

    assert_eq!(backend.received().len(), 6);
    let trace = backend.trace(trace_id(), None);
    assert_eq!(trace.names(), ["start", "attempt", "step"]);
    assert_eq!(trace.warnings, [""; 0]);
}

#[tokio::test]
async fn the_same_span_by_another_service_is_two_in_jaeger() {
    let backend = Receiver::new().await;
    let spans = spans(&["start"]);
    for name in ["one", "two"] {
        let otlp = otlp(&backend, Protocol::Http).service_name(name);
        Sender::new(&otlp).expect("settings").send(&spans).await.expect("a backend");
    }

    assert_eq!(backend.trace(trace_id(), None).warnings, ["start: duplicate span IDs"]);
}

#[tokio::test]
async fn jaeger_tells_of_a_parent_that_is_missing() {
    let backend = Receiver::new().await;
    sender(&backend, Protocol::Grpc).send(&[span(3, "step")]).await.expect("a backend");

    let parent = SpanId::new(1_u64.to_be_bytes());
    let told = ["step: parent span 0000000000000001 is not in the trace"];
    assert_eq!(backend.trace(trace_id(), None).warnings, told);
    assert_eq!(backend.trace(trace_id(), parent).warnings, [""; 0]);
}

#[tokio::test]
async fn no_spans_are_no_request() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        let sent = sender(&backend, protocol).send(&[]).await.expect("nothing to do");
        assert_eq!((sent.accepted, backend.requests().len()), (0, 0));
    }
}

#[tokio::test]
async fn the_resource_says_service_and_node_and_one_host() {
    let backend = Receiver::new().await;
    let otlp =
        otlp(&backend, Protocol::Grpc).service_name("shop").resource("deployment.environment.name", "test");
    let sent = Sender::new(&otlp).expect("settings").send(&spans(&["start", "step"])).await;
    sent.expect("a backend");

    let resource = |at: usize| -> Vec<(String, String)> {
        backend.received()[at].resource.clone().into_iter().collect()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let service = [
        pair("deployment.environment.name", "test"),
        pair("host.id", "runlog"),
        pair("service.instance.id", "5"),
        pair("service.name", "shop"),
    ];
    assert_eq!(resource(1), service);
    // A client's own transaction wrote the start: no node did.
    assert_eq!(resource(0), [&service[..2], &service[3..]].concat());
    assert_eq!(backend.received()[0].scope, ("runlog".to_owned(), String::new()));
}
