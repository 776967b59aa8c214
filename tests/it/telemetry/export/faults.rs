//! Backends that are away, refuse, answer partly, hang or cut connections.

use super::*;
use crate::telemetry::receiver::Manners;

/// An export that gives up on a request soon.
fn impatient(backend: &Receiver) -> Export {
    Export::otlp(Otlp::http(backend.http()).timeout(Duration::from_millis(400))).interval(INTERVAL)
}

struct Stage {
    ground: Postgres,
    backend: Receiver,
    runtime: Runtime,
}

impl Stage {
    /// An export under way to a backend that then behaves so.
    async fn new(manners: Manners) -> Stage {
        let (ground, backend) = (Postgres::new().await, Receiver::new().await);
        let runtime = node(ground.builder()).export(impatient(&backend)).start().await.unwrap();
        exported(&runtime).await;
        backend.manners(manners);
        Stage { ground, backend, runtime }
    }

    /// Runs orders to their ends, which no export holds up.
    async fn work(&self) {
        orders(&self.runtime, 6).await;
        finished(&self.ground).await;
    }

    /// Says that what was not taken is waiting.
    async fn assert_waits(&self) {
        let lag = self.runtime.export_lag().await.unwrap();
        assert!(lag.commits > 0, "{lag:?}");
    }

    async fn assert_shown(&self) {
        assert_shown(&self.backend, &self.runtime, &all_runs(&self.ground).await).await;
        assert_eq!(self.runtime.refused_spans(9).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_away_for_a_while_misses_nothing() {
    let stage = Stage::new(Manners::default()).await;
    stage.backend.go_away().await;
    stage.work().await;
    stage.assert_waits().await;
    assert_eq!(stage.backend.spans(), []);

    stage.backend.come_back().await;
    stage.work().await;

    stage.assert_shown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_hangs_misses_nothing() {
    let stage = Stage::new(Manners { hangs: true, ..Manners::default() }).await;
    stage.work().await;
    stage.backend.until_requests(2).await;
    stage.assert_waits().await;

    stage.backend.manners(Manners::default());

    stage.assert_shown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_busy_is_asked_again_when_it_says() {
    let pause = Duration::from_secs(1);
    let stage = Stage::new(Manners { is_busy: Some(pause), ..Manners::default() }).await;
    stage.work().await;
    stage.backend.until_requests(1).await;
    stage.assert_waits().await;

    stage.backend.manners(Manners::default());

    stage.assert_shown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_refuses_everything_is_no_reason_to_lose_anything() {
    let stage =
        Stage::new(Manners { says: Some((401, tonic::Code::Unauthenticated)), ..Manners::default() }).await;
    stage.work().await;
    stage.backend.until_requests(2).await;
    stage.assert_waits().await;

    stage.backend.manners(Manners::default());

    stage.assert_shown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_get_lost_make_the_same_spans_twice() {
    let stage = Stage::new(Manners { cuts: 3, ..Manners::default() }).await;
    stage.work().await;

    stage.assert_shown().await;
    assert!(stage.backend.spans().len() > by_id(stage.backend.spans()).len(), "some came twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_that_is_refused_for_good_is_parked_and_the_others_are_shown() {
    let stage = Stage::new(Manners { refuses: Some("step reserve"), ..Manners::default() }).await;
    stage.work().await;

    let runs = all_runs(&stage.ground).await;
    assert_shown_but(&stage.backend, &stage.runtime, &runs, &["step reserve"]).await;
    let refused = stage.runtime.refused_spans(100).await.unwrap();
    assert_eq!(refused.len(), 6);
    assert_eq!(stage.runtime.export_lag().await.unwrap().refused, 6);
    for span in &refused {
        let of_run = by_id(derived(&stage.runtime, span.run).await);
        let ids = |id: &(TraceId, SpanId)| (Some(id.0.to_string()), Some(id.1.to_string()));
        let found = of_run.iter().find(|(id, _)| ids(id) == (span.trace_id.clone(), span.span_id.clone()));
        assert_eq!(found.expect("it is its run's").1.name, "step reserve");
        assert_eq!(span.name, "step reserve");
        assert!(span.reason.contains("will not do"), "{}", span.reason);
    }
    let counted = Exposition::read(&stage.runtime.metrics().await);
    assert_eq!(counted.value("runlog_export_spans_total", "", &[("outcome", "refused")]), 6.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_answers_partly_has_the_rest() {
    let stage = Stage::new(Manners { throws_away: Some("step pack"), ..Manners::default() }).await;
    stage.work().await;

    let runs = all_runs(&stage.ground).await;
    assert_shown_but(&stage.backend, &stage.runtime, &runs, &["step pack"]).await;
    let counted = Exposition::read(&stage.runtime.metrics().await);
    assert_eq!(counted.value("runlog_export_spans_total", "", &[("outcome", "refused")]), 6.0);
}
