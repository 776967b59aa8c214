//! A run exported to a backend and read back through that backend's own interface, span by span.
//!
//! The backend is one in this process; with `PHOENIX_URL` (and `PHOENIX_GRPC_URL`) Arize Phoenix, which `scripts/otel-check`
//! installs, with `JAEGER_QUERY_URL` (and `JAEGER_OTLP_URL`) a Jaeger.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::DateTime;
use runlog::Export;
use runlog::model::TraceId;
use runlog::telemetry::otlp::Otlp;
use runlog::telemetry::spans::{Span, SpanStatus, Value};
use serde_json::Value as Json;

use super::{family, ordered, serving};
use crate::cli::verbs::on;
use crate::support::{Ground, Postgres, until};
use crate::telemetry::receiver::Receiver;

/// A span as every backend gives it back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    span_id: String,
    parent: Option<String>,
    name: String,
    start_us: i64,
    end_us: i64,
    is_error: bool,
    /// Texts, numbers and flags, as texts.
    attributes: BTreeMap<String, String>,
    /// Names of events, and when they were.
    events: Vec<(String, i64)>,
}

enum Backend {
    Here(Receiver),
    Phoenix(String),
    Jaeger(String),
}

impl Backend {
    /// Reads a trace; what is not there yet is missing.
    async fn read(&self, http: &reqwest::Client, trace: TraceId) -> Result<Vec<Shown>> {
        let get = async |url: String| -> Result<Json> {
            let answer = http.get(&url).send().await?;
            anyhow::ensure!(answer.status().is_success(), "{url}: {}", answer.status());
            Ok(serde_json::from_slice(&answer.bytes().await?)?)
        };
        let mut shown: Vec<Shown> = match self {
            Backend::Here(receiver) => {
                let trace = receiver.trace(trace, None);
                trace.spans.iter().map(|received| derived(&received.span)).collect()
            }
            Backend::Phoenix(url) => {
                let page =
                    get(format!("{url}/v1/projects/default/spans?limit=1000&trace_id={trace}")).await?;
                list(&page["data"]).map(phoenix).collect::<Result<_>>()?
            }
            Backend::Jaeger(url) => {
                let traces = get(format!("{url}/api/traces/{trace}")).await.unwrap_or_default();
                let warnings: Vec<&Json> =
                    list(&traces["data"][0]["spans"]).flat_map(|span| list(&span["warnings"])).collect();
                assert!(warnings.is_empty(), "Jaeger warns: {warnings:?}");
                list(&traces["data"][0]["spans"]).map(jaeger).collect::<Result<_>>()?
            }
        };
        shown.sort();
        Ok(shown)
    }
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn derived(span: &Span) -> Shown {
    let text = |value: &Value| match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Texts(_) => None,
    };
    Shown {
        span_id: span.span_id.to_string(),
        parent: span.parent.map(|parent| parent.to_string()),
        name: span.name.clone(),
        start_us: span.start.timestamp_micros(),
        end_us: span.end.timestamp_micros(),
        is_error: matches!(span.status, SpanStatus::Error { .. }),
        attributes: span
            .attributes
            .iter()
            .filter_map(|(key, value)| Some((key.to_string(), text(value)?)))
            .collect(),
        events: span
            .events
            .iter()
            .map(|event| (event.name.to_owned(), event.at.timestamp_micros()))
            .collect(),
    }
}

fn text(json: &Json) -> Result<String> {
    json.as_str().map(str::to_owned).with_context(|| format!("{json} is no text"))
}

fn number(json: &Json) -> Result<i64> {
    json.as_i64().with_context(|| format!("{json} is no number"))
}

/// Phoenix keeps attributes as a tree, and adds its own kind.
fn phoenix(span: &Json) -> Result<Shown> {
    let instant = |json: &Json| anyhow::Ok(DateTime::parse_from_rfc3339(&text(json)?)?.timestamp_micros());
    let mut attributes = BTreeMap::new();
    flatten("", &span["attributes"], &mut attributes);
    attributes.retain(|key, _| !key.starts_with("openinference."));
    Ok(Shown {
        span_id: text(&span["context"]["span_id"])?,
        parent: span["parent_id"].as_str().map(str::to_owned),
        name: text(&span["name"])?,
        start_us: instant(&span["start_time"])?,
        end_us: instant(&span["end_time"])?,
        is_error: span["status_code"] == "ERROR",
        attributes,
        events: list(&span["events"])
            .map(|event| Ok((text(&event["name"])?, instant(&event["timestamp"])?)))
            .collect::<Result<_>>()?,
    })
}

fn flatten(name: &str, json: &Json, into: &mut BTreeMap<String, String>) {
    match json {
        Json::Object(members) => {
            for (key, value) in members {
                flatten(&format!("{name}{}{key}", if name.is_empty() { "" } else { "." }), value, into);
            }
        }
        Json::String(text) => {
            into.insert(name.to_owned(), text.clone());
        }
        Json::Number(_) | Json::Bool(_) => {
            into.insert(name.to_owned(), json.to_string());
        }
        Json::Array(_) | Json::Null => {}
    }
}

/// Jaeger keeps what OpenTelemetry has of its own as tags beside the span's.
fn jaeger(span: &Json) -> Result<Shown> {
    let tags = || list(&span["tags"]);
    let tag = |key: &str| tags().find(|tag| tag["key"] == key).map(|tag| &tag["value"]);
    let own = |key: &str| {
        key == "error" || key.starts_with("otel.") || key.starts_with("span.") || key.starts_with("internal.")
    };
    let as_text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parent = list(&span["references"]).find(|reference| reference["refType"] == "CHILD_OF");
    let start_us = number(&span["startTime"])?;
    Ok(Shown {
        span_id: text(&span["spanID"])?,
        parent: parent.map(|parent| text(&parent["spanID"])).transpose()?,
        name: text(&span["operationName"])?,
        start_us,
        end_us: start_us + number(&span["duration"])?,
        is_error: tag("error") == Some(&Json::Bool(true)),
        attributes: tags()
            .filter_map(|tag| Some((tag["key"].as_str()?, &tag["value"])))
            // Lists come as the text of a JSON array.
            .filter(|(key, value)| !own(key) && !value.as_str().is_some_and(|text| text.starts_with('[')))
            .map(|(key, value)| (key.to_owned(), as_text(value)))
            .collect(),
        events: list(&span["logs"])
            .map(|log| {
                let name = list(&log["fields"]).find(|field| field["key"] == "event");
                Ok((text(&name.context("an event without a name")?["value"])?, number(&log["timestamp"])?))
            })
            .collect::<Result<_>>()?,
    })
}

/// Finds the backend to test, and where it takes spans by a protocol.
async fn found(protocol: &str) -> (Backend, String) {
    let set = |name: &str| std::env::var(name).ok().map(|url| url.trim_end_matches('/').to_owned());
    let (backend, http, grpc) = match (set("PHOENIX_URL"), set("JAEGER_QUERY_URL")) {
        (Some(url), _) => {
            let grpc = set("PHOENIX_GRPC_URL").unwrap_or_else(|| "http://localhost:4317".to_owned());
            (Backend::Phoenix(url.clone()), url, grpc)
        }
        (None, Some(url)) => {
            let http = set("JAEGER_OTLP_URL").unwrap_or_else(|| "http://localhost:4318".to_owned());
            (Backend::Jaeger(url), http.clone(), http.replace(":4318", ":4317"))
        }
        (None, None) => {
            let receiver = Receiver::new().await;
            let url = receiver.http();
            (Backend::Here(receiver), url.clone(), url)
        }
    };
    (backend, if protocol == "grpc" { grpc } else { http })
}

/// Waits until a trace is there, and says that it is the one that the log says.
async fn assert_read_back(backend: &Backend, spans: &[Span], how: &str) -> Result<()> {
    let http = reqwest::Client::new();
    let mut expected: Vec<Shown> = spans.iter().map(derived).collect();
    expected.sort();
    let trace = spans[0].trace_id;
    until("all spans are there", async || {
        backend.read(&http, trace).await.is_ok_and(|read| read.len() >= expected.len())
    })
    .await;
    let read = backend.read(&http, trace).await?;
    assert_eq!(read, expected, "{how}");
    println!("{how}: {} spans of trace {trace} read back as the log says them", read.len());
    Ok(())
}

/// By both protocols; one run that comes through after a failed try, one that fails.
const WAYS: [(&str, u32); 2] = [("http/protobuf", 1), ("grpc", 2)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_read_back_from_a_backend_is_the_one_that_the_log_says() -> Result<()> {
    let _installed = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let ground = Postgres::new().await;
    let runtime = serving(&ground).await?;
    for (protocol, fails) in WAYS {
        let (backend, to) = found(protocol).await;
        let run = ordered(&runtime, fails).await?;
        let spans = family(&runtime, run).await?;

        let id = run.to_string();
        let export = ["trace", "export", &id, "--children", "--protocol", protocol, "--to", &to];
        let told = on(&ground.url, &export).await?;
        assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);

        assert_read_back(&backend, &spans, protocol).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_exported_live_is_the_same_and_stays_so_when_it_is_exported_again() -> Result<()> {
    let _installed = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    for (protocol, fails) in WAYS {
        let (backend, to) = found(protocol).await;
        let otlp = if protocol == "grpc" { Otlp::grpc(&to) } else { Otlp::http(&to) };
        let ground = Postgres::new().await;
        let runtime = serving(&ground).await?;
        let export = Export::otlp(otlp).interval(Duration::from_millis(20));
        let exporter = ground.builder().client().export(export).start().await?;
        let run = ordered(&runtime, fails).await?;
        let spans = family(&runtime, run).await?;

        assert_read_back(&backend, &spans, &format!("live by {protocol}")).await?;

        let id = run.to_string();
        let export = ["trace", "export", &id, "--children", "--protocol", protocol, "--to", &to];
        let told = on(&ground.url, &export).await?;
        assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
        assert_read_back(&backend, &spans, &format!("again by {protocol}")).await?;
        exporter.shutdown(Duration::from_secs(5)).await?;
    }
    Ok(())
}
