//! Where code of a task stands in its run's trace, asked by the real OpenTelemetry SDK and `tracing` layers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span as _, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use runlog::model::event::RunCreated;
use runlog::model::{Event, OpKey, RunEvent, SpanId, TaskName, TraceContext};
use runlog::telemetry::{CodeFilter, ids};
use runlog::{Cx, CxError, Error, Retry, RunId, Runtime, Status, Workflow};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::support::{Ground, Memory, Postgres, soon, until};

/// A host with OpenTelemetry: what its own spans and events come to.
pub struct Host {
    spans: InMemorySpanExporter,
    logs: InMemoryLogExporter,
    provider: SdkTracerProvider,
    logger: SdkLoggerProvider,
}

impl Host {
    pub fn new() -> Host {
        let (spans, logs) = (InMemorySpanExporter::default(), InMemoryLogExporter::default());
        let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let logger = SdkLoggerProvider::builder().with_simple_exporter(logs.clone()).build();
        Host { spans, logs, provider, logger }
    }

    pub fn dispatch(&self) -> tracing::Dispatch {
        let spans = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("host"));
        let logs = OpenTelemetryTracingBridge::new(&self.logger);
        Registry::default().with(spans.with_filter(CodeFilter)).with(logs.with_filter(CodeFilter)).into()
    }

    pub fn tracer(&self) -> opentelemetry_sdk::trace::SdkTracer {
        self.provider.tracer("host")
    }

    /// Returns the finished spans of a name.
    pub fn spans(&self, name: &str) -> Vec<SpanData> {
        let finished = self.spans.get_finished_spans().unwrap();
        finished.into_iter().filter(|span| span.name == name).collect()
    }

    /// Returns the one span of a name.
    #[track_caller]
    pub fn span(&self, name: &str) -> SpanData {
        let mut found = self.spans(name);
        assert_eq!(found.len(), 1, "spans called {name}");
        found.remove(0)
    }
}

/// Returns where a span stands: `trace, parent`.
fn place(span: &SpanData) -> (String, String) {
    (span.span_context.trace_id().to_string(), span.parent_span_id.to_string())
}

fn task(name: &str) -> TaskName {
    TaskName::new(name).unwrap()
}

fn op(name: &str) -> OpKey {
    OpKey { name: name.into(), occurrence: 0 }
}

/// Returns a span of a run that was started under nothing, as [`place`] does.
fn under(run: RunId, span: SpanId) -> (String, String) {
    (ids::run(run, None).trace_id.to_string(), span.to_string())
}

async fn runtime(workflows: &[&Workflow<(), ()>]) -> Runtime {
    let builder = Memory::new().await.builder();
    workflows
        .iter()
        .fold(builder, |builder, workflow| builder.workflow((*workflow).clone()))
        .start()
        .await
        .unwrap()
}

/// Starts a run and waits for its end.
async fn ran(runtime: &Runtime, workflow: &Workflow<(), ()>) -> RunId {
    let run = runtime.run(workflow, ()).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    run.id()
}

async fn created(runtime: &Runtime, run: RunId) -> RunCreated {
    match runtime.events(run, 0, 1).await.unwrap().remove(0).event {
        Event::Run(RunEvent::Created(created)) => created,
        other => panic!("{other:?}"),
    }
}

/// Injects what is current into headers, as an HTTP client's instrumentation does.
fn injected() -> HashMap<String, String> {
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&Context::current(), &mut headers);
    headers
}

#[tokio::test]
async fn spans_stand_under_the_attempt_and_in_a_step_under_the_step() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let tracer = host.tracer();
    let workflow = Workflow::function("traced", move |cx: Cx, ()| {
        let tracer = tracer.clone();
        async move {
            tracing::info_span!("first").in_scope(|| tracing::info_span!("inner").in_scope(|| ()));
            tracer.start("by hand").end();
            let body = async || {
                tracing::info_span!("in the step").in_scope(|| ());
                tokio::task::yield_now().await;
                tracer.start("by hand in the step").end();
                anyhow::Ok(cx.traceparent())
            };
            let outer = tracing::info_span!("around the step");
            let of_step = cx.step("charge", body).instrument(outer).await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
            async { tokio::task::yield_now().await }.instrument(tracing::info_span!("last")).await;
            assert_ne!(of_step, cx.traceparent());
            Ok::<_, CxError>(())
        }
    });
    let runtime = runtime(&[&workflow]).await;
    let run = ran(&runtime, &workflow).await;

    let of_attempt = under(run, ids::attempt(run, &task("traced"), 1));
    let of_step = under(run, ids::step(run, &task("traced"), 1, &op("charge")));
    for name in ["first", "by hand", "around the step", "last"] {
        assert_eq!(place(&host.span(name)), of_attempt, "{name}");
    }
    for name in ["in the step", "by hand in the step"] {
        assert_eq!(place(&host.span(name)), of_step, "{name}");
    }
    assert_eq!(host.span("inner").parent_span_id, host.span("first").span_context.span_id());
    assert!(host.span("first").parent_span_is_remote, "the attempt's span is exported from the log");
    assert_eq!(created(&runtime, run).await.trace, None);
}

#[tokio::test]
async fn each_attempt_and_each_task_has_a_span_of_its_own() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let dag = Workflow::dag("dag");
    let first = dag
        .task("first", |cx: Cx, ()| async move {
            tracing::info_span!("try", attempt = cx.attempt()).in_scope(|| ());
            if cx.attempt() == 1 { anyhow::bail!("once") } else { Ok(()) }
        })
        .retry(Retry::fixed(Duration::from_millis(1)).max_attempts(2));
    let second = dag.task_after("second", &first, |_: Cx, (), ()| async move {
        tracing::info_span!("second").in_scope(|| ());
        anyhow::Ok(())
    });
    let workflow = dag.output(&second);
    let runtime = runtime(&[&workflow]).await;
    let run = ran(&runtime, &workflow).await;
    let tries: Vec<_> = host.spans("try").iter().map(place).collect();
    assert_eq!(tries, [1, 2].map(|attempt| under(run, ids::attempt(run, &task("first"), attempt))));
    assert_eq!(place(&host.span("second")), under(run, ids::attempt(run, &task("second"), 1)));
}

#[tokio::test]
async fn a_run_is_started_under_what_its_caller_says_or_is_in() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let child = Workflow::function("child", async |_: Cx, ()| {
        tracing::info_span!("in the child").in_scope(|| ());
        Ok::<_, CxError>(())
    });
    let of_child = child.clone();
    let parent = Workflow::function("parent", move |cx: Cx, ()| {
        let child = of_child.clone();
        async move {
            tracing::info_span!("in the parent").in_scope(|| ());
            cx.child(&child, ()).await
        }
    });
    let runtime = runtime(&[&parent, &child]).await;
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let run = runtime.run(&parent, ()).traceparent(given).tracestate("shop=1").start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let (run, view) = (run.id(), run.get().await.unwrap());
    let below = view.children[0].0;

    let recorded = created(&runtime, run).await.trace.unwrap();
    assert_eq!((&*recorded.traceparent(), recorded.state.unwrap().as_str()), (given, "shop=1"));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736".to_owned();
    let attempt = ids::attempt(run, &task("parent"), 1);
    let span = host.span("in the parent");
    assert_eq!(place(&span), (trace.clone(), attempt.to_string()));
    assert_eq!(span.span_context.trace_state().header(), "shop=1");
    let of_child = created(&runtime, below).await.trace.unwrap();
    assert_eq!((of_child.trace_id.to_string(), of_child.span_id), (trace.clone(), ids::start(run)));
    assert_eq!(of_child.state.unwrap().as_str(), "shop=1");
    assert_eq!(
        place(&host.span("in the child")),
        (trace, ids::attempt(below, &task("child"), 1).to_string())
    );

    let calling = tracing::info_span!("a request");
    let called = async { runtime.run(&child, ()).start().await.unwrap().id() }.instrument(calling).await;
    let request = host.span("a request").span_context;
    let recorded = created(&runtime, called).await.trace.unwrap();
    assert_eq!(recorded.trace_id.to_string(), request.trace_id().to_string());
    assert_eq!(recorded.span_id.to_string(), request.span_id().to_string());
    let many = async { runtime.start_many(vec![runtime.run(&child, ())]).await.unwrap().remove(0).run.id() };
    let many = many.instrument(tracing::info_span!("many")).await;
    let recorded = created(&runtime, many).await.trace.unwrap();
    assert_eq!(recorded.span_id.to_string(), host.span("many").span_context.span_id().to_string());
}

#[tokio::test]
async fn what_is_no_context_is_refused_at_the_door() {
    let workflow = Workflow::function("traced", async |_: Cx, ()| Ok::<_, CxError>(()));
    let runtime = runtime(&[&workflow]).await;
    let wrong = runtime.run(&workflow, ()).traceparent("00-1-2-3").start().await.unwrap_err();
    assert!(matches!(&wrong, Error::Field { field: "traceparent", .. }), "{wrong}");
    let wrong = runtime.run(&workflow, ()).tracestate("a").start().await.unwrap_err();
    assert!(matches!(&wrong, Error::Field { field: "tracestate", .. }), "{wrong}");
}

#[tokio::test]
async fn an_unsampled_caller_keeps_the_codes_spans_unsampled() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let workflow = Workflow::function("traced", async |cx: Cx, ()| {
        tracing::info_span!("unwanted").in_scope(|| ());
        assert!(cx.traceparent().ends_with("-00"));
        Ok::<_, CxError>(())
    });
    let runtime = runtime(&[&workflow]).await;
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let run = runtime.run(&workflow, ()).traceparent(given).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    assert!(host.spans("unwanted").is_empty());
}

#[tokio::test]
async fn spawned_futures_keep_the_place_at_which_they_are_spawned() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let workflow = Workflow::function("traced", async |cx: Cx, ()| {
        let tell = |name: &'static str| async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            tracing::info_span!("spawned", by = name, otel.name = name).in_scope(|| ());
        };
        tokio::spawn(tell("by tokio")).await.unwrap();
        cx.spawn(tell("by the context")).await.unwrap();
        runlog::spawn(tell("by name")).await.unwrap();
        let open = tracing::info_span!("open");
        let inside = open.in_scope(|| runlog::spawn(tell("inside of a span")));
        inside.await.unwrap();
        let body = async || {
            let spawned = runlog::spawn(async move {
                tell("in the step").await;
                runlog::spawn(tell("twice")).await.unwrap();
            });
            spawned.await.unwrap();
            anyhow::Ok(())
        };
        cx.step("charge", body).await
    });
    let runtime = runtime(&[&workflow]).await;
    let run = ran(&runtime, &workflow).await;
    let of_attempt = under(run, ids::attempt(run, &task("traced"), 1));
    let of_step = under(run, ids::step(run, &task("traced"), 1, &op("charge")));
    assert_eq!(host.span("by tokio").parent_span_id, opentelemetry::SpanId::INVALID);
    assert_eq!(place(&host.span("by the context")), of_attempt);
    assert_eq!(place(&host.span("by name")), of_attempt);
    assert_eq!(host.span("inside of a span").parent_span_id, host.span("open").span_context.span_id());
    assert_eq!((place(&host.span("in the step")), place(&host.span("twice"))), (of_step.clone(), of_step));
    assert!(
        runlog::spawn(async { Context::current().span().span_context().is_valid() })
            .await
            .is_ok_and(|is| !is)
    );
}

#[tokio::test]
async fn what_is_sent_out_names_the_span_that_sends_it() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let told: Arc<Mutex<BTreeMap<&str, (String, String)>>> = Arc::default();
    let noted = Arc::clone(&told);
    let workflow = Workflow::function("traced", move |cx: Cx, ()| {
        let told = Arc::clone(&noted);
        async move {
            let note = |at| {
                let pair = (injected()["traceparent"].clone(), cx.traceparent());
                told.lock().unwrap().insert(at, pair);
            };
            note("task");
            tracing::info_span!("client").in_scope(|| note("span"));
            cx.step("charge", async || {
                note("step");
                anyhow::Ok(())
            })
            .await?;
            note("after");
            Ok::<_, CxError>(())
        }
    });
    let runtime = runtime(&[&workflow]).await;
    let run = ran(&runtime, &workflow).await;
    let told = told.lock().unwrap().clone();
    for (at, (header, accessor)) in &told {
        assert_eq!(header, accessor, "{at}");
    }
    let trace = ids::run(run, None);
    let of = |span: SpanId| trace.under(span).traceparent();
    assert_eq!(told["task"].0, of(ids::attempt(run, &task("traced"), 1)));
    assert_eq!(told["after"].0, told["task"].0);
    assert_eq!(told["step"].0, of(ids::step(run, &task("traced"), 1, &op("charge"))));
    let client = host.span("client").span_context.span_id().to_string();
    assert_eq!(TraceContext::parse(&told["span"].0).unwrap().span_id.to_string(), client);
}

#[tokio::test]
async fn a_panic_leaves_nothing_behind() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let workflow = Workflow::function("traced", async |cx: Cx, ()| {
        let body = async || -> anyhow::Result<()> {
            let _open = tracing::info_span!("panicking").entered();
            panic!("in a step")
        };
        cx.step("charge", body).await.unwrap_err();
        tracing::info_span!("after the step").in_scope(|| ());
        if cx.attempt() == 1 {
            let _open = tracing::info_span!("panicking").entered();
            panic!("in the task");
        }
        Ok::<_, CxError>(())
    })
    .retry(Retry::fixed(Duration::from_millis(1)).max_attempts(2));
    let runtime = runtime(&[&workflow]).await;
    let outer = host.tracer().start("outer");
    let outer = Context::current_with_span(outer).attach();
    let run = ran(&runtime, &workflow).await;
    assert!(Context::current().span().span_context().is_valid(), "the test's own context is there");
    drop(outer);
    assert!(!Context::current().span().span_context().is_valid());
    let places: Vec<_> =
        host.spans("after the step").iter().map(|span| span.parent_span_id.to_string()).collect();
    assert_eq!(places, [1, 2].map(|attempt| ids::attempt(run, &task("traced"), attempt).to_string()));
}

#[test]
fn runs_at_once_do_not_mix() {
    let host = Host::new();
    let dispatch = host.dispatch();
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
        .build()
        .unwrap();
    threads.block_on(async {
        let workflow = Workflow::function("traced", async |cx: Cx, ()| {
            for n in 0..20 {
                let span = tracing::info_span!("work", run = %cx.run_id());
                async { tokio::time::sleep(Duration::from_micros(n * 50)).await }.instrument(span).await;
                cx.step("step", async || {
                    tracing::info_span!("step", run = %cx.run_id()).in_scope(|| ());
                    anyhow::Ok(())
                })
                .await?;
            }
            Ok::<_, CxError>(())
        });
        let runtime = runtime(&[&workflow]).await;
        let runs = (0..16).map(|_| ran(&runtime, &workflow));
        futures_util::future::join_all(runs).await;
    });
    let spans = [host.spans("work"), host.spans("step")].concat();
    assert_eq!(spans.len(), 16 * 20 * 2);
    for span in spans {
        let of = |attribute: &&KeyValue| attribute.key.as_str() == "run";
        let run: RunId = span.attributes.iter().find(of).unwrap().value.as_str().parse().unwrap();
        assert_eq!(span.span_context.trace_id().to_string(), ids::run(run, None).trace_id.to_string());
        if span.name == "work" {
            assert_eq!(span.parent_span_id.to_string(), ids::attempt(run, &task("traced"), 1).to_string());
        }
    }
}

#[tokio::test]
async fn after_a_crash_the_code_stands_where_it_stood() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let ground = Postgres::new().await;
    let held = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&held);
    let workflow = Workflow::function("traced", move |cx: Cx, ()| {
        let gate = Arc::clone(&gate);
        async move {
            tracing::info_span!("in the task").in_scope(|| ());
            let body = async || {
                tracing::info_span!("in the step").in_scope(|| ());
                gate.acquire().await.map(tokio::sync::SemaphorePermit::forget)?;
                anyhow::Ok(())
            };
            cx.step("held", body).await
        }
    });
    let lease = Duration::from_millis(500);
    let node =
        || ground.builder().workflow(workflow.clone()).lease(lease).poll_interval(Duration::from_millis(10));
    let first = node().start().await.unwrap();
    let run = first.run(&workflow, ()).start().await.unwrap().id();
    until("its step runs", async || host.spans("in the step").len() == 1).await;
    first.crash();
    let second = node().start().await.unwrap();
    until("its step runs again", async || host.spans("in the step").len() == 2).await;
    held.add_permits(1);
    assert_eq!(soon("its end", second.handle(run).wait()).await.unwrap(), Status::Succeeded);

    let of_attempt = under(run, ids::attempt(run, &task("traced"), 1));
    let of_step = under(run, ids::step(run, &task("traced"), 1, &op("held")));
    let places = |name| host.spans(name).iter().map(place).collect::<Vec<_>>();
    assert_eq!(places("in the task"), [of_attempt.clone(), of_attempt]);
    assert_eq!(places("in the step"), [of_step.clone(), of_step]);
}

#[tokio::test]
async fn events_reach_a_logs_pipeline_with_their_span() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let workflow = Workflow::function("traced", async |cx: Cx, ()| {
        tracing::info!("in the task");
        cx.step("charge", async || {
            tracing::warn!("in the step");
            anyhow::Ok(())
        })
        .await?;
        tracing::info_span!("open").in_scope(|| tracing::error!("in a span"));
        Ok::<_, CxError>(())
    });
    let runtime = runtime(&[&workflow]).await;
    let run = ran(&runtime, &workflow).await;
    let logs = host.logs.get_emitted_logs().unwrap();
    let place = |text: &str| {
        let body = |log: &&opentelemetry_sdk::logs::in_memory_exporter::LogDataWithResource| {
            format!("{:?}", log.record.body()).contains(&format!("\"{text}\""))
        };
        let found = logs.iter().find(body).unwrap_or_else(|| panic!("no log {text}"));
        let context = found.record.trace_context().unwrap_or_else(|| panic!("{text} has no context"));
        (context.trace_id.to_string(), context.span_id.to_string())
    };
    assert_eq!(place("in the task"), under(run, ids::attempt(run, &task("traced"), 1)));
    assert_eq!(place("in the step"), under(run, ids::step(run, &task("traced"), 1, &op("charge"))));
    assert_eq!(place("in a span").1, host.span("open").span_context.span_id().to_string());
}

#[tokio::test]
async fn what_the_engine_and_its_libraries_say_reaches_no_pipeline() {
    let host = Host::new();
    let _guard = tracing::dispatcher::set_default(&host.dispatch());
    let workflow = Workflow::function("traced", async |cx: Cx, ()| {
        tracing::info_span!(target: "h2::client", "of a library").in_scope(|| ());
        tracing::info!(target: "sqlx::query", "of a library");
        tracing::info_span!(target: "h2o", "of the code").in_scope(|| ());
        cx.transaction("book", |tx| {
            Box::pin(async { sqlx::raw_sql("select 1").execute(&mut **tx).await.map(drop) })
        })
        .await
    });
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(workflow.clone()).start().await.unwrap();
    ran(&runtime, &workflow).await;
    runtime.shutdown(Duration::from_secs(1)).await.unwrap();
    let spans = host.spans.get_finished_spans().unwrap();
    assert_eq!(spans.iter().map(|span| &*span.name).collect::<Vec<_>>(), ["of the code"]);
    let logs = host.logs.get_emitted_logs().unwrap();
    assert!(logs.is_empty(), "{:?}", logs.iter().map(|log| log.record.body().cloned()).collect::<Vec<_>>());
}
