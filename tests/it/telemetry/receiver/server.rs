//! The servers: one port, gRPC and HTTP, from the protobuf crates' own server side.

use std::future::pending;
use std::io::Read;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::post;
use flate2::read::GzDecoder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{Shared, Verdict};

/// Serves until it is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, tls: Option<Arc<ServerConfig>>) {
    let router = router(&shared);
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (router, tls, mut cuts) = (router.clone(), tls.clone(), shared.cuts());
        connections.spawn(async move {
            let served = async move {
                match tls {
                    None => connection(stream, router).await,
                    Some(tls) => {
                        // One who does not believe the certificate goes away.
                        if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                            connection(stream, router).await;
                        }
                    }
                }
            };
            tokio::select! {
                () = served => {}
                _cut = cuts.changed() => {}
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, router: Router) {
    let service = TowerToHyperService::new(router);
    // How a connection ends is the client's business.
    let _served = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

fn router(shared: &Arc<Shared>) -> Router {
    let traces =
        TraceServiceServer::new(Grpc(Arc::clone(shared))).accept_compressed(CompressionEncoding::Gzip);
    let metrics =
        MetricsServiceServer::new(Grpc(Arc::clone(shared))).accept_compressed(CompressionEncoding::Gzip);
    let grpc = Routes::new(traces).add_service(metrics).into_axum_router();
    let http = Router::new()
        .route("/v1/traces", post(http_traces))
        .route("/elsewhere", post(http_traces))
        .route("/v1/metrics", post(http_metrics))
        .with_state(Arc::clone(shared));
    grpc.merge(http)
}

struct Grpc(Arc<Shared>);

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let headers = request.metadata().clone().into_headers();
        match self.0.traces("grpc", headers, request.into_inner()) {
            Verdict::Take { rejected, why } => Ok(Response::new(answer(rejected, why))),
            Verdict::Refuse(why) => Err(Status::invalid_argument(why)),
            Verdict::Busy(pause) => {
                let details = ErrorDetails::with_retry_info(Some(pause));
                Err(Status::with_error_details(Code::ResourceExhausted, "overloaded", details))
            }
            Verdict::Say(_, code) => Err(Status::new(code, "as it was told")),
            Verdict::Hang | Verdict::Cut => pending().await,
        }
    }
}

#[tonic::async_trait]
impl MetricsService for Grpc {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.keep_metrics(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

async fn http_traces(
    State(shared): State<Arc<Shared>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResponse {
    let Some(request) = message(&headers, &body) else { return StatusCode::BAD_REQUEST.into_response() };
    match shared.traces(uri.path(), headers, request) {
        Verdict::Take { rejected, why } => match shared.other_answer() {
            Some((kind, text)) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
            None => protobuf(StatusCode::OK, &answer(rejected, why)),
        },
        Verdict::Refuse(why) => {
            let status =
                tonic_types::Status { code: Code::InvalidArgument.into(), message: why, details: Vec::new() };
            protobuf(StatusCode::BAD_REQUEST, &status)
        }
        Verdict::Busy(pause) => {
            let after = HeaderValue::from(pause.as_secs());
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after)]).into_response()
        }
        Verdict::Say(code, _) => {
            (StatusCode::from_u16(code).expect("a code of HTTP's"), "as it was told").into_response()
        }
        Verdict::Hang | Verdict::Cut => pending().await,
    }
}

async fn http_metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> HttpResponse {
    let Some(request) = message(&headers, &body) else { return StatusCode::BAD_REQUEST.into_response() };
    shared.keep_metrics(request);
    protobuf(StatusCode::OK, &ExportMetricsServiceResponse::default())
}

fn message<T: Message + Default>(headers: &HeaderMap, body: &[u8]) -> Option<T> {
    if headers.get(header::CONTENT_TYPE)? != "application/x-protobuf" {
        return None;
    }
    let mut unzipped = Vec::new();
    let plain = match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding == "gzip" => {
            GzDecoder::new(body).read_to_end(&mut unzipped).ok()?;
            unzipped.as_slice()
        }
        Some(_) => return None,
        None => body,
    };
    T::decode(plain).ok()
}

fn protobuf(status: StatusCode, message: &impl Message) -> HttpResponse {
    (status, [(header::CONTENT_TYPE, "application/x-protobuf")], message.encode_to_vec()).into_response()
}

fn answer(rejected: i64, why: String) -> ExportTraceServiceResponse {
    let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: why };
    let partial_success = (partial != ExportTracePartialSuccess::default()).then_some(partial);
    ExportTraceServiceResponse { partial_success }
}
