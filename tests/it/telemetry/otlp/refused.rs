//! What a backend does not want.

use std::time::Duration;

use runlog::telemetry::otlp::{Protocol, Refused};
use tonic::Code;

use super::{BOTH, sender, spans};
use crate::telemetry::receiver::{Manners, Receiver};

#[tokio::test]
async fn a_span_refused_for_good_is_found_and_the_others_are_taken() {
    for protocol in BOTH {
        for bad in [0, 3, 4, 8] {
            let backend = Receiver::new().await;
            backend.manners(Manners { refuses: Some("bad"), ..Manners::default() });
            let mut spans = spans(&["good"; 9]);
            spans[bad].name = "bad".to_owned();

            let sent = sender(&backend, protocol).send(&spans).await.expect("a backend");

            assert_eq!((sent.accepted, sent.refused.len()), (8, 1), "{protocol:?}, {bad}");
            let Refused { span, reason } = &sent.refused[0];
            assert_eq!(*span, bad);
            assert!(reason.contains("\"bad\" will not do"), "{protocol:?}: {reason}");
            let mut read = backend.spans();
            read.sort_by_key(|span| span.span_id);
            spans.remove(bad);
            assert_eq!(read, spans, "each of the others once");
        }
    }
}

#[tokio::test]
async fn several_are_found_each() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        backend.manners(Manners { refuses: Some("bad"), ..Manners::default() });
        let names = ["bad", "bad", "good", "good", "good", "bad", "good", "bad"];

        let sent = sender(&backend, protocol).send(&spans(&names)).await.expect("a backend");

        let refused: Vec<usize> = sent.refused.iter().map(|refused| refused.span).collect();
        assert_eq!((sent.accepted, refused), (4, vec![0, 1, 5, 7]));
        assert_eq!(backend.spans().len(), 4);
    }
}

#[tokio::test]
async fn all_may_be_bad_when_the_backend_takes_an_empty_request() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        backend.manners(Manners { refuses: Some("bad"), ..Manners::default() });

        let sent = sender(&backend, protocol).send(&spans(&["bad", "bad"])).await.expect("a backend");

        assert_eq!((sent.accepted, sent.refused.len()), (0, 2));
    }
}

/// Otherwise a backend out of order would cost every span that it is sent meanwhile.
#[tokio::test]
async fn a_backend_that_refuses_everything_is_unavailable() {
    for (http, grpc) in [(500, Code::Internal), (400, Code::InvalidArgument), (413, Code::ResourceExhausted)]
    {
        for protocol in BOTH {
            let backend = Receiver::new().await;
            backend.manners(Manners { says: Some((http, grpc)), ..Manners::default() });

            let sent = sender(&backend, protocol).send(&spans(&["a", "b", "c", "d"])).await;

            let reason = sent.expect_err("nothing is taken").reason;
            assert!(reason.starts_with("it refuses whatever it is sent: "), "{reason}");
            assert!(reason.contains("as it was told"), "{reason}");
            // Halves down to one span, none, and one span more.
            assert_eq!(backend.requests().len(), 5, "it is found out soon");
        }
    }
}

/// What a backend thinks of an empty request is not the whole truth.
#[tokio::test]
async fn one_that_takes_other_spans_is_believed_though_it_refuses_an_empty_request() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        backend.manners(Manners { refuses: Some("bad"), refuses_empty: true, ..Manners::default() });

        let sent =
            sender(&backend, protocol).send(&spans(&["bad", "good", "good"])).await.expect("a backend");

        assert_eq!((sent.accepted, sent.refused[0].span), (2, 0));
    }
}

#[tokio::test]
async fn spans_thrown_away_are_counted() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        backend.manners(Manners { throws_away: Some("old"), ..Manners::default() });

        let sent = sender(&backend, protocol).send(&spans(&["old", "new", "old"])).await.expect("a backend");

        assert_eq!((sent.accepted, sent.rejected, sent.refused.len()), (1, 2, 0));
        assert_eq!(sent.remark.as_deref(), Some("\"old\" was thrown away"));
        assert_eq!(backend.requests().len(), 1, "what was thrown away is not sent again");
    }
}

#[tokio::test]
async fn when_all_are_thrown_away_it_is_known_which() {
    for protocol in BOTH {
        let backend = Receiver::new().await;
        backend.manners(Manners { throws_away: Some("old"), ..Manners::default() });

        let sent = sender(&backend, protocol).send(&spans(&["old", "old"])).await.expect("a backend");

        assert_eq!((sent.accepted, sent.rejected), (0, 0));
        let reason = "\"old\" was thrown away".to_owned();
        assert_eq!(sent.refused, [0, 1].map(|span| Refused { span, reason: reason.clone() }));
    }
}

/// A backend that breaks after it took something does not cost the spans after that.
#[tokio::test]
async fn one_that_breaks_in_the_middle_costs_no_span() {
    let backend = Receiver::new().await;
    let sender = sender(&backend, Protocol::Http);
    backend.manners(Manners { refuses: Some("bad"), ..Manners::default() });
    let names = ["bad", "good", "good", "good"];
    assert_eq!(sender.send(&spans(&names)).await.expect("a backend").refused.len(), 1);

    backend.manners(Manners { says: Some((500, Code::Internal)), ..Manners::default() });
    let broken = sender.send(&spans(&names)).await.expect_err("nothing is taken");
    assert_eq!(broken.retry_after, None::<Duration>);
}
