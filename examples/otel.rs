//! The code's own spans, of `tracing` and OpenTelemetry, beside a run: they stand under the attempt and step that opened them,
//! and what the code calls is told so: `cargo run --example otel`.

use std::collections::BTreeMap;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use runlog::model::{OpKey, TaskName};
use runlog::telemetry::{CodeFilter, ids};
use runlog::testing::postgres::locate;
use runlog::{Cx, Runtime, Workflow};
use tracing_subscriber::prelude::*;

#[tracing::instrument(skip_all)]
async fn look_up(account: u32) -> anyhow::Result<String> {
    tracing::info!(account, "found");
    Ok(format!("account {account}"))
}

async fn onboarding(cx: Cx, account: u32) -> anyhow::Result<String> {
    let found = look_up(account).await?;
    let body = async || {
        let _sending = tracing::info_span!("send mail").entered();
        // An instrumented HTTP client sends it by itself.
        anyhow::Ok(cx.traceparent())
    };
    let sent = cx.step("mail", body).await?;
    assert_ne!(sent, cx.traceparent(), "the mail was sent by a span inside of the step");
    let later = async { tracing::info_span!("index").in_scope(|| ()) };
    runlog::spawn(later).await?;
    Ok(found)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // As in every host: an exporter, a provider, a layer. Yours sends to a collector, this one keeps what it is given.
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop")).with_filter(CodeFilter);
    tracing_subscriber::registry().with(spans).with(runlog::telemetry::log_layer()).init();

    let database = locate(std::env::var("DATABASE_URL").ok().as_deref()).await?.start("otel").await?;
    let onboarding = Workflow::function("onboarding", onboarding);
    let runtime = Runtime::builder(sqlx::PgPool::connect(database.url()).await?).workflow(onboarding.clone());
    let runtime = runtime.start().await?;
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let run = runtime.run(&onboarding, 7).traceparent(caller).start().await?;
    println!("{}", run.output().await?);

    // The spans of the run itself are exported from its log; their ids are known before.
    let (task, mail) = (TaskName::new("onboarding")?, OpKey { name: "mail".into(), occurrence: 0 });
    let attempt = (ids::attempt(run.id(), &task, 1).to_string(), "attempt 1 of onboarding");
    let step = (ids::step(run.id(), &task, 1, &mail).to_string(), "step mail");
    let known = BTreeMap::from([attempt, step]);
    for span in exporter.get_finished_spans()? {
        let parent = known.get(&span.parent_span_id.to_string()).unwrap_or(&"(unknown)");
        println!("{:<9} under {parent:<23} in trace {}", span.name, span.span_context.trace_id());
    }
    runtime.shutdown(std::time::Duration::from_secs(5)).await?;
    Ok(())
}
