//! Metrics over OTLP, read by a backend's side of the protocol.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric};
use prost::Message;
use runlog::telemetry::names::{METRICS, MetricKind};
use runlog::telemetry::otlp::{Otlp, OtlpError};
use runlog::{Error, Runtime};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::context::Host;
use super::exposition::{Exposition, Labels};
use crate::support::{Ground, Memory, Postgres, echo, json, soon, until};

/// What a backend was sent.
#[derive(Clone, Default)]
struct Backend {
    requests: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    refuses: Arc<Mutex<bool>>,
}

#[tonic::async_trait]
impl MetricsService for Backend {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.requests.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

async fn take(State(backend): State<Backend>, body: Bytes) -> (StatusCode, Vec<u8>) {
    if *backend.refuses.lock().unwrap() {
        return (StatusCode::SERVICE_UNAVAILABLE, Vec::new());
    }
    backend.requests.lock().unwrap().push(ExportMetricsServiceRequest::decode(body).expect("a request"));
    (StatusCode::OK, ExportMetricsServiceResponse::default().encode_to_vec())
}

impl Backend {
    /// Listens over HTTP and returns its address.
    async fn http(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/metrics", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    /// Listens over gRPC and returns its address.
    async fn grpc(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = MetricsServiceServer::new(self.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }

    fn requests(&self) -> Vec<ExportMetricsServiceRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the last push, metric by metric.
    fn last(&self) -> BTreeMap<String, Metric> {
        let requests = self.requests();
        let last = requests.last().expect("a request");
        let metrics = last.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        let metrics = metrics.flat_map(|scope| scope.metrics.clone());
        metrics.map(|metric| (metric.name.clone(), metric)).collect()
    }

    fn resource(&self) -> Labels {
        let requests = self.requests();
        let resource = requests.last().unwrap().resource_metrics[0].resource.clone().unwrap();
        labels(&resource.attributes)
    }
}

fn labels(attributes: &[KeyValue]) -> Labels {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => (attribute.key.clone(), text.clone()),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(text).collect()
}

/// Compares a metric with the text of the same moment, but for gauges, which the last push itself may change.
fn assert_same(metric: &Metric, text: &Exposition) {
    let known = METRICS.iter().find(|known| known.name == metric.name).expect(&metric.name);
    assert_eq!((&*metric.description, &*metric.unit), (known.help, known.unit));
    let family = &text.families[&metric.name];
    let sample = |suffix: &str, labels: &Labels| family.samples[&(suffix.to_owned(), labels.clone())];
    let cumulative = i32::from(AggregationTemporality::Cumulative);
    match metric.data.as_ref().expect("data") {
        Data::Sum(sum) => {
            assert_eq!(
                (known.kind, sum.aggregation_temporality, sum.is_monotonic),
                (MetricKind::Counter, cumulative, true)
            );
            assert_eq!(sum.data_points.len(), family.samples.len());
            for point in &sum.data_points {
                let Some(Value::AsInt(value)) = point.value else { panic!("{point:?}") };
                assert_eq!(value as f64, sample("", &labels(&point.attributes)));
                assert!(0 < point.start_time_unix_nano && point.start_time_unix_nano < point.time_unix_nano);
            }
        }
        Data::Gauge(gauge) => {
            assert_eq!(known.kind, MetricKind::Gauge);
            assert_eq!(gauge.data_points.len(), family.samples.len(), "{}", metric.name);
        }
        Data::Histogram(histogram) => {
            assert_eq!((known.kind, histogram.aggregation_temporality), (MetricKind::Histogram, cumulative));
            assert_eq!(histogram.data_points.len(), text.series(&metric.name, "_count").len());
            for point in &histogram.data_points {
                let labels = labels(&point.attributes);
                assert_eq!(point.count as f64, sample("_count", &labels));
                assert_eq!(point.sum, Some(sample("_sum", &labels)));
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                let mut below = 0;
                for (bound, count) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
                    below += count;
                    let mut labels = labels.clone();
                    labels.insert("le".to_owned(), bound.to_string());
                    assert_eq!(below as f64, sample("_bucket", &labels), "{} up to {bound}", metric.name);
                }
            }
        }
        other => panic!("{other:?}"),
    }
}

async fn ran(runtime: &Runtime, runs: u32) {
    for n in 0..runs {
        let run = runtime.run(&echo(), json(&n.to_string())).start().await.unwrap();
        soon("its end", run.wait()).await.unwrap();
    }
}

/// Long enough that only the last push is made.
const SELDOM: Duration = Duration::from_secs(3_600);
const OFTEN: Duration = Duration::from_millis(100);

async fn the_last_push_has_all(backend: Backend, otlp: Otlp) {
    let ground = Postgres::new().await;
    let otlp = otlp.service_name("shop").resource("deployment.environment.name", "test");
    let builder = ground.builder().workflow(echo()).node_name("till").push_metrics(otlp, SELDOM);
    let runtime = builder.start().await.unwrap();
    ran(&runtime, 3).await;
    runtime.shutdown(Duration::from_secs(10)).await.unwrap();

    let text = Exposition::read(&runtime.metrics().await);
    assert_eq!(backend.requests().len(), 1);
    let sent = backend.last();
    assert_eq!(sent.keys().collect::<Vec<_>>(), text.families.keys().collect::<Vec<_>>());
    sent.values().for_each(|metric| assert_same(metric, &text));
    let resource = backend.resource();
    assert_eq!((&*resource["service.name"], &*resource["deployment.environment.name"]), ("shop", "test"));
    assert!(resource["service.instance.id"].starts_with("till-"), "{resource:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_a_backend_is_told_what_the_text_tells() {
    let backend = Backend::default();
    let otlp = Otlp::http(backend.http().await);
    the_last_push_has_all(backend, otlp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_grpc_a_backend_is_told_what_the_text_tells() {
    let backend = Backend::default();
    let otlp = Otlp::grpc(backend.grpc().await);
    the_last_push_has_all(backend, otlp).await;
}

#[tokio::test]
async fn a_backend_that_is_away_harms_nothing_and_misses_nothing() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let backend = Backend::default();
    *backend.refuses.lock().unwrap() = true;
    let otlp = Otlp::http(backend.http().await);
    let builder = Memory::new().await.builder().workflow(echo()).push_metrics(otlp, OFTEN);
    let runtime = builder.start().await.unwrap();
    ran(&runtime, 2).await;
    *backend.refuses.lock().unwrap() = false;
    until("it is pushed to again", async || backend.requests().len() >= 2).await;
    let sums = backend.requests().into_iter().map(|request| {
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        match metrics.iter().find(|metric| metric.name == "runlog_events_total").unwrap().data.as_ref() {
            Some(Data::Sum(sum)) => sum.data_points[0].clone(),
            other => panic!("{other:?}"),
        }
    });
    let text = Exposition::read(&runtime.metrics().await);
    let sums = sums.collect::<Vec<_>>();
    assert!(
        sums.iter()
            .all(|sum| sum.value == Some(Value::AsInt(text.value("runlog_events_total", "", &[]) as i64)))
    );
    assert!(sums.windows(2).all(|two| two[0].start_time_unix_nano == two[1].start_time_unix_nano));
    assert!(sums.windows(2).all(|two| two[0].time_unix_nano < two[1].time_unix_nano));
    assert_eq!(host.spans.get_finished_spans().unwrap().len(), 0, "a push is no span of the host's");
    runtime.shutdown(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_refused_when_the_runtime_starts() {
    let wrong = [
        (Otlp::http("localhost:4318"), OFTEN),
        (Otlp::http("http://localhost:4318"), Duration::from_millis(99)),
        (Otlp::grpc("http://localhost:4317"), SELDOM + OFTEN),
    ];
    for (otlp, every) in wrong {
        let started = Memory::new().await.builder().push_metrics(otlp, every).start().await;
        assert!(matches!(started, Err(Error::Setting { name: "push_metrics", .. })));
    }
}

#[test]
fn the_standard_variables_of_metrics_stand_before_the_general_ones() {
    let read = |pairs: &'static [(&str, &str)]| {
        Otlp::metrics_from_variables(|name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318");
    assert!(read(&[]).unwrap().is_none());
    let found = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318")]).unwrap().unwrap();
    assert_eq!(found.endpoint(), general.1);
    let both = &[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:4318/push"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ];
    assert_eq!(read(both).unwrap().unwrap().endpoint(), "http://metrics:4318/push");
    let none = &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318"), ("OTEL_METRICS_EXPORTER", "none")];
    assert!(read(none).unwrap().is_none());
    let wrong = read(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "nowhere")]).unwrap_err();
    assert!(
        matches!(&wrong, OtlpError::Variable { variable, .. } if variable == "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
        "{wrong}"
    );
}
