//! OTLP over gRPC.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use prost::bytes::BufMut;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::settings::{Otlp, OtlpError};
use super::transport::{Answer, Unavailable, cut, innermost};
use crate::telemetry::Hushed;

/// How often a connection with a request under way is asked whether its peer is there, and how long that may take: a machine
/// that went away says nothing, and its connection would be used for a quarter of an hour.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

const KEEP_ALIVE_ANSWER_MAX: Duration = Duration::from_secs(10);

/// Spawns what drives a connection, so that the host hears nothing of it either. h2's spans have no parent on purpose, and so
/// none that would say that telemetry is suppressed: no subscriber hears them.
struct Quietly;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Quietly {
    fn execute(&self, driver: F) {
        tokio::spawn(Hushed::new(driver.with_subscriber(NoSubscriber::default())));
    }
}

/// The method that takes spans.
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Sends a request that is encoded, and reads the answer to it.
struct Encoded;

impl Codec for Encoded {
    type Encode = Vec<u8>;
    type Decode = ExportTraceServiceResponse;
    type Encoder = Encoded;
    type Decoder = Encoded;

    fn encoder(&mut self) -> Encoded {
        Encoded
    }

    fn decoder(&mut self) -> Encoded {
        Encoded
    }
}

impl Encoder for Encoded {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, request: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&request);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<ExportTraceServiceResponse>, Status> {
        let read = ExportTraceServiceResponse::decode(from);
        read.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

pub(super) struct Grpc {
    endpoint: Endpoint,
    /// Made by the first request: it takes a runtime to make it.
    channel: OnceLock<Channel>,
    headers: MetadataMap,
    timeout: Duration,
    gzip: bool,
}

impl Grpc {
    pub(super) fn new(otlp: &Otlp) -> Result<Grpc, OtlpError> {
        let wrong = |problem: String| OtlpError::Endpoint { endpoint: otlp.endpoint().to_owned(), problem };
        let url = otlp.traces_url()?;
        let endpoint = Endpoint::from_shared(url.to_string())
            .and_then(|endpoint| endpoint.user_agent(Otlp::USER_AGENT))
            .map_err(|error| wrong(error.to_string()))?;
        let endpoint = endpoint
            .connect_timeout(otlp.request_timeout())
            .executor(Quietly)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER_MAX);
        let endpoint = match url.scheme() {
            "https" => {
                let tls = match otlp.pem() {
                    Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
                    None => ClientTlsConfig::new().with_native_roots(),
                };
                endpoint.tls_config(tls).map_err(|error| wrong(innermost(&error)))?
            }
            _ => endpoint,
        };
        let (headers, timeout, gzip) = (metadata(otlp)?, otlp.request_timeout(), otlp.is_gzip());
        Ok(Grpc { endpoint, channel: OnceLock::new(), headers, timeout, gzip })
    }

    pub(super) async fn traces(&self, request: Vec<u8>) -> Result<ExportTraceServiceResponse, Answer> {
        let mut client = tonic::client::Grpc::new(self.channel());
        if self.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        let asked = async {
            let not_ready = |error: tonic::transport::Error| Status::from_error(error.into());
            client.ready().await.map_err(not_ready)?;
            client.unary(self.request(request), PathAndQuery::from_static(TRACES), Encoded).await
        };
        self.answer(asked).await
    }

    pub(super) async fn metrics(
        &self,
        request: ExportMetricsServiceRequest,
    ) -> Result<ExportMetricsServiceResponse, Answer> {
        let mut client = MetricsServiceClient::new(self.channel());
        if self.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        self.answer(client.export(self.request(request))).await
    }

    /// Waits for what was asked, no longer than a request may take.
    async fn answer<T>(
        &self,
        asked: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, Answer> {
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(answered) => answered.map(tonic::Response::into_inner).map_err(|status| judge(&status)),
            Err(_) => Err(Answer::Unavailable(Unavailable::too_late(self.timeout))),
        }
    }

    fn channel(&self) -> Channel {
        self.channel.get_or_init(|| self.endpoint.connect_lazy()).clone()
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        request
    }
}

fn metadata(otlp: &Otlp) -> Result<MetadataMap, OtlpError> {
    let mut headers = MetadataMap::new();
    for (name, value) in otlp.headers() {
        let wrong = |problem: &str| OtlpError::Header { name: name.clone(), problem: problem.to_owned() };
        let key = AsciiMetadataKey::from_bytes(name.to_lowercase().as_bytes())
            .map_err(|_| wrong("its name is none that gRPC can send"))?;
        // The library would send other bytes as they are, which not everybody reads.
        let mut value = AsciiMetadataValue::try_from(value.as_str())
            .ok()
            .filter(|_| value.is_ascii())
            .ok_or_else(|| wrong("its value has other characters than printable ASCII"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// Says what a status means, as OTLP's specification has it, and beyond it: a status that this side made up, and one that is
/// about whoever sends, say nothing about what was sent.
fn judge(status: &Status) -> Answer {
    if let Some(source) = status.source() {
        return Answer::Unavailable(Unavailable::new(innermost(source), None));
    }
    let said = match status.message() {
        "" => format!("{:?}", status.code()),
        message => format!("{:?}: {message}", status.code()),
    };
    let retry = status.get_details_retry_info();
    let pause = retry.as_ref().and_then(|retry| retry.retry_delay);
    let unavailable = || Answer::Unavailable(Unavailable::new(&said, pause));
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented => unavailable(),
        Code::ResourceExhausted if retry.is_some() => unavailable(),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Internal
        | Code::ResourceExhausted => Answer::Refused { reason: cut(&said) },
    }
}

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the headers: keys are among them.
        f.debug_struct("Grpc").field("endpoint", &self.endpoint.uri()).finish_non_exhaustive()
    }
}
