//! An OpenTelemetry backend in the test's process: OTLP over gRPC and HTTP on one port, with whatever manners a test needs.
//!
//! ```ignore
//! let backend = Receiver::new().await;
//! backend.manners(Manners { refuses: Some("step charge"), ..Manners::default() });
//! let sender = Sender::new(&Otlp::grpc(backend.grpc()))?;
//! // …
//! let trace = backend.trace(trace_id, None);
//! assert_eq!(trace.warnings, [] as [&str; 0]);
//! ```

mod server;
mod read;
mod jaeger;
mod authority;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use runlog::model::{SpanId, TraceId};
use runlog::telemetry::spans::Span;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::ServerConfig;

pub use self::jaeger::Trace;
pub use self::read::Received;
use crate::support::soon;

/// A backend. It is gone when it is dropped.
pub struct Receiver {
    pub(super) shared: Arc<Shared>,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

/// How a backend behaves; well, unless told.
#[derive(Clone, Default)]
pub struct Manners {
    /// A request with a span of this name is refused for good.
    pub refuses: Option<&'static str>,
    /// Spans of this name are thrown away and counted; the others are taken.
    pub throws_away: Option<&'static str>,
    /// It says that it is overloaded, and when to come again.
    pub is_busy: Option<Duration>,
    /// It answers every request with this code of HTTP's and of gRPC's.
    pub says: Option<(u16, tonic::Code)>,
    /// It reads requests, and never answers.
    pub hangs: bool,
    /// It reads a request, keeps its spans, and cuts the connection instead of answering; so often.
    pub cuts: u32,
    /// It refuses requests without any span.
    pub refuses_empty: bool,
    /// It answers spans over HTTP with this instead of OTLP's message.
    pub answers: Option<(&'static str, &'static str)>,
}

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    /// How many spans it had.
    pub spans: usize,
    /// Its size, not compressed.
    pub bytes: usize,
}

/// What the servers of both protocols hold together.
pub(super) struct Shared {
    manners: Mutex<Manners>,
    seen: Mutex<Vec<Seen>>,
    taken: watch::Sender<Vec<Received>>,
    metrics: watch::Sender<Vec<ExportMetricsServiceRequest>>,
    /// Cuts every connection.
    cut: watch::Sender<()>,
}

/// What is to be done with a request.
pub(super) enum Verdict {
    Take { rejected: i64, why: String },
    Refuse(String),
    Busy(Duration),
    Say(u16, tonic::Code),
    Hang,
    Cut,
}

impl Receiver {
    /// Begins to serve on a free port.
    pub async fn new() -> Receiver {
        Receiver::serve(None).await
    }

    /// Begins to serve with TLS; returns the PEM of the private authority that signed for it.
    pub async fn with_tls() -> (Receiver, String) {
        let (tls, authority) = authority::localhost();
        (Receiver::serve(Some(Arc::new(tls))).await, authority)
    }

    async fn serve(tls: Option<Arc<ServerConfig>>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            manners: Mutex::default(),
            seen: Mutex::default(),
            taken: watch::Sender::default(),
            metrics: watch::Sender::default(),
            cut: watch::Sender::default(),
        });
        let serving = tokio::spawn(server::serve(listener, Arc::clone(&shared), tls.clone()));
        Receiver { shared, address, tls, serving: Mutex::new(Some(serving)) }
    }

    /// The endpoint for OTLP over HTTP, without `/v1/traces`.
    pub fn http(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.address.port())
    }

    /// The endpoint for OTLP over gRPC.
    pub fn grpc(&self) -> String {
        self.http()
    }

    /// Behaves so from the next request on.
    pub fn manners(&self, manners: Manners) {
        *self.shared.manners.lock().expect("no panic") = manners;
    }

    /// Goes away: connections break, new ones are refused.
    pub async fn go_away(&self) {
        let serving = self.serving.lock().expect("no panic").take();
        if let Some(serving) = serving {
            serving.abort();
            let _aborted = serving.await;
        }
    }

    /// Comes back at the same address.
    pub async fn come_back(&self) {
        self.go_away().await;
        let listener = TcpListener::bind(self.address).await.expect("the same port");
        let serving = server::serve(listener, Arc::clone(&self.shared), self.tls.clone());
        *self.serving.lock().expect("no panic") = Some(tokio::spawn(serving));
    }

    /// Everything that it took, in order; what came twice is there twice.
    pub fn received(&self) -> Vec<Received> {
        self.shared.taken.borrow().clone()
    }

    /// The spans that it took, in order.
    pub fn spans(&self) -> Vec<Span> {
        self.shared.taken.borrow().iter().map(|received| received.span.clone()).collect()
    }

    /// Waits until what was taken is as it should be.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&[Received]) -> bool) {
        let mut taken = self.shared.taken.subscribe();
        soon(what, taken.wait_for(|taken| holds(taken))).await.expect("the backend lives");
    }

    /// Waits until so many spans were taken.
    pub async fn until_spans(&self, count: usize) {
        self.until(&format!("{count} spans"), |taken| taken.len() >= count).await;
    }

    /// A trace as Jaeger shows it. `caller` is the span of another service that the trace stands under, which is not here.
    pub fn trace(&self, trace_id: TraceId, caller: Option<SpanId>) -> Trace {
        Trace::read(&self.shared.taken.borrow(), trace_id, caller)
    }

    /// The requests, in the order in which they came, also those that were not taken.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("no panic").clone()
    }

    /// Waits until so many requests came, and returns them.
    pub async fn until_requests(&self, count: usize) -> Vec<Seen> {
        crate::support::until("requests", async || self.requests().len() >= count).await;
        self.requests()
    }

    /// The metrics that it took.
    pub fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.shared.metrics.borrow().clone()
    }

    /// Waits until metrics came that are as they should be.
    pub async fn until_metrics(
        &self,
        what: &str,
        mut holds: impl FnMut(&[ExportMetricsServiceRequest]) -> bool,
    ) {
        let mut metrics = self.shared.metrics.subscribe();
        soon(what, metrics.wait_for(|metrics| holds(metrics))).await.expect("the backend lives");
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.lock().expect("no panic").take() {
            serving.abort();
        }
    }
}

impl Shared {
    /// Notes a request with spans, and says what is to be done with it; what it takes, it keeps.
    pub(super) fn traces(
        &self,
        path: &str,
        headers: HeaderMap,
        request: ExportTraceServiceRequest,
    ) -> Verdict {
        let bytes = request.encoded_len();
        let mut received = read::spans(request);
        let seen = Seen { path: path.to_owned(), headers, spans: received.len(), bytes };
        self.seen.lock().expect("no panic").push(seen);
        let mut manners = self.manners.lock().expect("no panic");
        if manners.hangs {
            return Verdict::Hang;
        }
        if let Some(pause) = manners.is_busy {
            return Verdict::Busy(pause);
        }
        if let Some((http, grpc)) = manners.says {
            return Verdict::Say(http, grpc);
        }
        if manners.refuses_empty && received.is_empty() {
            return Verdict::Refuse("there is no span".to_owned());
        }
        if let Some(name) = manners.refuses
            && received.iter().any(|received| received.span.name == name)
        {
            return Verdict::Refuse(format!("{name:?} will not do"));
        }
        let (all, mut why) = (received.len(), String::new());
        if let Some(name) = manners.throws_away {
            received.retain(|received| received.span.name != name);
            if received.len() < all {
                why = format!("{name:?} was thrown away");
            }
        }
        let rejected = i64::try_from(all - received.len()).expect("few");
        self.taken.send_modify(|taken| taken.extend(received));
        if manners.cuts > 0 {
            manners.cuts -= 1;
            self.cut.send_replace(());
            return Verdict::Cut;
        }
        Verdict::Take { rejected, why }
    }

    pub(super) fn keep_metrics(&self, request: ExportMetricsServiceRequest) {
        self.metrics.send_modify(|metrics| metrics.push(request));
    }

    pub(super) fn cuts(&self) -> watch::Receiver<()> {
        self.cut.subscribe()
    }

    /// What is answered over HTTP in OTLP's stead.
    pub(super) fn other_answer(&self) -> Option<(&'static str, &'static str)> {
        self.manners.lock().expect("no panic").answers
    }
}
