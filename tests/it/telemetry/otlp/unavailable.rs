//! A backend that takes nothing at present.

use std::time::Duration;

use runlog::telemetry::otlp::{Otlp, Protocol, Sender, Unavailable};
use tonic::Code;

use super::{BOTH, SHORT, otlp, sender, spans};
use crate::telemetry::receiver::{Manners, Received, Receiver};

async fn says(protocol: Protocol, http: u16, grpc: Code) -> Unavailable {
    let backend = Receiver::new().await;
    backend.manners(Manners { says: Some((http, grpc)), ..Manners::default() });
    let unavailable =
        sender(&backend, protocol).send(&spans(&["a", "b"])).await.expect_err("nothing is taken");
    assert_eq!(backend.requests().len(), 1, "nothing is halved or repeated");
    unavailable
}

#[tokio::test]
async fn what_passes_is_told_from_what_does_not() {
    for code in [429, 502, 503, 504, 408] {
        assert!(says(Protocol::Http, code, Code::Ok).await.reason.starts_with(&code.to_string()));
    }
    let passing = [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
    ];
    for code in passing {
        assert!(says(Protocol::Grpc, 200, code).await.reason.starts_with(&format!("{code:?}")));
    }
}

/// A wrong key or address is no fault of the spans: they wait until somebody mends it.
#[tokio::test]
async fn who_is_not_let_in_loses_nothing() {
    for code in [301, 401, 403, 404, 405, 415] {
        assert!(says(Protocol::Http, code, Code::Ok).await.reason.starts_with(&code.to_string()));
    }
    for code in [Code::Unauthenticated, Code::PermissionDenied, Code::Unimplemented] {
        assert!(says(Protocol::Grpc, 200, code).await.reason.starts_with(&format!("{code:?}")));
    }
}

#[tokio::test]
async fn one_that_is_busy_says_for_how_long() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        for (asked, heard) in [(7, 7), (1_000_000, 3_600)] {
            backend.manners(Manners { is_busy: Some(Duration::from_secs(asked)), ..Manners::default() });
            let busy = sender(&backend, protocol).send(&spans(&["a", "b"])).await.expect_err("it is busy");
            assert_eq!(busy.retry_after, Some(Duration::from_secs(heard)), "{protocol:?}");
        }

        backend.manners(Manners::default());
        let sent =
            sender(&backend, protocol).send(&spans(&["a", "b"])).await.expect("it is not busy any more");
        assert_eq!(sent.accepted, 2);
    }
}

#[tokio::test]
async fn one_that_hangs_is_given_up() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        backend.manners(Manners { hangs: true, ..Manners::default() });
        let sender = Sender::new(&otlp(&backend, protocol).timeout(SHORT)).expect("settings");

        let late = sender.send(&spans(&["a"])).await.expect_err("it hangs");
        assert_eq!(late.reason, "no answer came within 300ms", "{protocol:?}");
        assert_eq!(backend.until_requests(1).await.len(), 1, "it was reached");

        // The same sender goes on when the backend does.
        backend.manners(Manners::default());
        assert_eq!(sender.send(&spans(&["a"])).await.expect("it answers again").accepted, 1);
    }
}

#[tokio::test]
async fn one_that_is_away_is_found_again_when_it_comes_back() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        let sender = sender(&backend, protocol);
        assert_eq!(sender.send(&spans(&["a"])).await.expect("a backend").accepted, 1);

        backend.go_away().await;
        let away = sender.send(&spans(&["b"])).await.expect_err("it is away");
        assert!(!away.reason.is_empty());

        backend.come_back().await;
        let found = async || sender.send(&spans(&["c"])).await.is_ok_and(|sent| sent.accepted == 1);
        crate::support::until("the backend is found again", found).await;
        let is_c = |last: &Received| last.span.name == "c";
        backend.until("what was sent last", |taken| taken.last().is_some_and(is_c)).await;
    }
}

#[tokio::test]
async fn a_connection_cut_instead_of_an_answer_is_sent_again_and_is_one_span() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        backend.manners(Manners { cuts: 1, ..Manners::default() });
        let sender = sender(&backend, protocol);

        let cut = sender.send(&spans(&["start", "step"])).await.expect_err("it was cut");
        assert_eq!(cut.retry_after, None);
        let sent = sender.send(&spans(&["start", "step"])).await.expect("it answers now");

        assert_eq!(sent.accepted, 2);
        assert_eq!(backend.received().len(), 4, "it had taken them the first time");
        let trace = backend.trace(super::trace_id(), None);
        assert_eq!(trace.names(), ["start", "step"]);
        assert_eq!(trace.warnings, [""; 0]);
    }
}

/// An address that answers, but is no backend, would swallow everything.
#[tokio::test]
async fn an_answer_of_something_else_is_no_success() {
    for answer in [("text/html", "<html></html>"), ("application/grpc", ""), ("text/plain", "hello")] {
        let backend = Receiver::new().await;
        backend.manners(Manners { answers: Some(answer), ..Manners::default() });
        let reason =
            sender(&backend, Protocol::Http).send(&spans(&["a"])).await.expect_err("no answer").reason;
        assert!(reason.contains("no answer of OTLP's"), "{reason}");
    }
    let backend = Receiver::new().await;
    backend.manners(Manners { answers: Some(("application/json", "{}")), ..Manners::default() });
    assert_eq!(sender(&backend, Protocol::Http).send(&spans(&["a"])).await.expect("an answer").accepted, 1);
}

#[tokio::test]
async fn the_other_protocols_port_is_no_backend() {
    let backend = Receiver::new().await;
    // No such method in gRPC, which HTTP calls a success.
    let otlp = Otlp::http(format!("{}/nowhere", backend.http()));
    let reason =
        Sender::new(&otlp).expect("settings").send(&spans(&["a"])).await.expect_err("no backend").reason;
    assert!(reason.contains("application/grpc"), "{reason}");
}
