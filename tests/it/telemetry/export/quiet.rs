//! What the host's own OpenTelemetry hears of an export.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

/// Libraries by which spans travel.
const FOREIGN: [&str; 5] = ["h2", "hyper", "reqwest", "tonic", "tower"];

/// A backend whose threads have nothing to do with the host's `tracing`.
fn elsewhere() -> (tokio::runtime::Runtime, Receiver) {
    let begin = || {
        let threads = tokio::runtime::Runtime::new().unwrap();
        let backend = threads.block_on(Receiver::new());
        (threads, backend)
    };
    std::thread::spawn(begin).join().unwrap()
}

/// Exports a run, and returns where the spans come from that the host recorded meanwhile.
async fn heard(otlp: impl Fn(&Receiver) -> Otlp) -> BTreeSet<String> {
    let recorded = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(recorded.clone()).build();
    // All there is to hear, to the last detail.
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("host"));
    let _guard = tracing::dispatcher::set_default(&Registry::default().with(layer).into());
    let (threads, backend) = elsewhere();
    let ground = Postgres::new().await;
    let export = Export::otlp(otlp(&backend)).interval(INTERVAL);
    let runtime = node(ground.builder()).export(export).start().await.unwrap();
    let run = runtime.run(&item(), 1).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    assert_shown(&backend, &runtime, &[run.id()]).await;
    drop(tracing::trace_span!(target: "host", "listening").entered());
    runtime.shutdown(Duration::from_secs(5)).await.unwrap();
    drop(backend);
    threads.shutdown_background();

    let finished = recorded.get_finished_spans().unwrap();
    let target = |span: &opentelemetry_sdk::trace::SpanData| {
        let target = span.attributes.iter().find(|attribute| attribute.key.as_str() == "target");
        target.map_or_else(|| span.name.to_string(), |target| target.value.to_string())
    };
    finished.iter().map(target).collect()
}

#[tokio::test]
async fn the_hosts_opentelemetry_hears_nothing_of_an_export() {
    for heard in
        [heard(|backend| Otlp::http(backend.http())).await, heard(|backend| Otlp::grpc(backend.grpc())).await]
    {
        assert!(heard.contains("host"), "it listens: {heard:?}");
        let foreign = heard.iter().filter(|target| {
            FOREIGN.iter().any(|name| target.split("::").next().is_some_and(|first| first == *name))
        });
        assert_eq!(foreign.collect::<Vec<_>>(), [] as [&str; 0]);
    }
}
