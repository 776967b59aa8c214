//! Metrics on their way to an OpenTelemetry backend.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{self as common, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1 as message;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::encode::{SCOPE, nanoseconds};
use super::settings::{Otlp, OtlpError};
use super::transport::{Answer, Transport, Unavailable};
use crate::model::Timestamp;
use crate::model::limits::OTLP_POINTS_MAX;
use crate::telemetry::names::METRICS;

/// Sends what a process counts. Clones share the connection.
#[derive(Clone, Debug)]
pub(crate) struct MetricsSender {
    transport: Arc<Transport>,
    attributes: Arc<[KeyValue]>,
}

/// From when to when something was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

/// What became of figures that were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The backend took them.
    Taken,
    /// It threw some away, or all.
    Refused { reason: String },
}

impl MetricsSender {
    /// Makes a sender for the process called `instance`, without connecting.
    ///
    /// # Errors
    /// [`OtlpError`] when the settings cannot be used.
    pub(crate) fn new(otlp: &Otlp, instance: String) -> Result<MetricsSender, OtlpError> {
        let mut attributes = otlp.resource_attributes();
        // What processes count is added up by backends: each has to be told from the others.
        attributes.push(("service.instance.id".to_owned(), instance));
        let text = |(key, text)| attribute(key, AnyValue::StringValue(text));
        let attributes = attributes.into_iter().map(text).collect();
        Ok(MetricsSender { transport: Arc::new(Transport::new(otlp)?), attributes })
    }

    /// Sends figures, in requests of a bounded size. What is counted goes on being counted: whoever could not send sends more
    /// the next time, and has lost nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when there was no answer.
    pub(crate) async fn send(
        &self,
        families: &[MetricFamily],
        window: Window,
    ) -> Result<Pushed, Unavailable> {
        let mut pushed = Pushed::Taken;
        for metrics in requests(families, window) {
            match self.transport.metrics(self.request(metrics)).await {
                Answer::Taken { rejected: 0, .. } => {}
                Answer::Taken { rejected, remark } => {
                    let remark = remark.unwrap_or_else(|| "without a reason".to_owned());
                    pushed =
                        Pushed::Refused { reason: format!("{rejected} numbers were thrown away: {remark}") };
                }
                Answer::Refused { reason } => pushed = Pushed::Refused { reason },
                Answer::Unavailable(unavailable) => return Err(unavailable),
            }
        }
        Ok(pushed)
    }

    fn request(&self, metrics: Vec<message::Metric>) -> ExportMetricsServiceRequest {
        let scope = InstrumentationScope {
            name: SCOPE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let resource = Resource { attributes: self.attributes.to_vec(), ..Resource::default() };
        ExportMetricsServiceRequest {
            resource_metrics: vec![message::ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![message::ScopeMetrics {
                    scope: Some(scope),
                    metrics,
                    ..message::ScopeMetrics::default()
                }],
                ..message::ResourceMetrics::default()
            }],
        }
    }
}

/// Divides figures among requests: each of as many numbers as fit into one.
fn requests(families: &[MetricFamily], window: Window) -> Vec<Vec<message::Metric>> {
    let mut requests = vec![Vec::new()];
    let mut room = OTLP_POINTS_MAX;
    for family in families {
        let mut rest = family.get_metric();
        while !rest.is_empty() {
            if room == 0 {
                requests.push(Vec::new());
                room = OTLP_POINTS_MAX;
            }
            let (series, later) = rest.split_at(rest.len().min(room));
            requests.last_mut().into_iter().for_each(|request| request.push(metric(family, series, window)));
            (rest, room) = (later, room - series.len());
        }
    }
    requests
}

fn metric(family: &MetricFamily, series: &[Metric], window: Window) -> message::Metric {
    let known = METRICS.iter().find(|metric| metric.name == family.name());
    message::Metric {
        name: family.name().to_owned(),
        description: family.help().to_owned(),
        unit: known.map(|metric| metric.unit.to_owned()).unwrap_or_default(),
        data: Some(data(family.get_field_type(), series, window)),
        ..message::Metric::default()
    }
}

fn data(kind: MetricType, series: &[Metric], window: Window) -> Data {
    let cumulative = message::AggregationTemporality::Cumulative.into();
    match kind {
        MetricType::COUNTER => Data::Sum(message::Sum {
            // Counters here count whole things.
            data_points: series
                .iter()
                .map(|one| number(one, Value::AsInt(one.get_counter().get_value() as i64), window))
                .collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        MetricType::HISTOGRAM => Data::Histogram(message::Histogram {
            data_points: series.iter().map(|one| histogram(one, window)).collect(),
            aggregation_temporality: cumulative,
        }),
        MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => Data::Gauge(message::Gauge {
            data_points: series
                .iter()
                .map(|one| number(one, Value::AsDouble(one.get_gauge().get_value()), window))
                .collect(),
        }),
    }
}

fn number(one: &Metric, value: Value, window: Window) -> message::NumberDataPoint {
    message::NumberDataPoint {
        attributes: labels(one),
        start_time_unix_nano: nanoseconds(window.since),
        time_unix_nano: nanoseconds(window.until),
        value: Some(value),
        ..message::NumberDataPoint::default()
    }
}

fn histogram(one: &Metric, window: Window) -> message::HistogramDataPoint {
    let histogram = one.get_histogram();
    let buckets = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let (mut below, mut counts, mut bounds) = (0, Vec::new(), Vec::new());
    // Prometheus counts what lies below each bound, OTLP what lies between two.
    for bucket in buckets {
        counts.push(bucket.cumulative_count().saturating_sub(below));
        bounds.push(bucket.upper_bound());
        below = bucket.cumulative_count();
    }
    counts.push(histogram.get_sample_count().saturating_sub(below));
    message::HistogramDataPoint {
        attributes: labels(one),
        start_time_unix_nano: nanoseconds(window.since),
        time_unix_nano: nanoseconds(window.until),
        count: histogram.get_sample_count(),
        sum: Some(histogram.get_sample_sum()),
        bucket_counts: counts,
        explicit_bounds: bounds,
        ..message::HistogramDataPoint::default()
    }
}

fn labels(one: &Metric) -> Vec<KeyValue> {
    let label = |label: &prometheus::proto::LabelPair| {
        attribute(label.name(), AnyValue::StringValue(label.value().to_owned()))
    };
    one.get_label().iter().map(label).collect()
}

fn attribute(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(common::AnyValue { value: Some(value) }), ..KeyValue::default() }
}
