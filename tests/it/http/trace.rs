//! A request's place in its trace becomes the run's, and what the run's trace tells.

use opentelemetry::trace::{Span, TraceContextExt, Tracer};
use opentelemetry::{Context, propagation::TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use runlog::model::{Event, RunEvent, TraceContext};
use runlog::telemetry::ids;
use runlog::{Cx, Workflow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::telemetry::context::Host;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn trace_of(runtime: &Runtime, run: &str) -> Option<TraceContext> {
    match runtime.events(run.parse().unwrap(), 0, 1).await.unwrap().remove(0).event {
        Event::Run(RunEvent::Created(created)) => created.trace.map(|trace| *trace),
        other => panic!("{other:?}"),
    }
}

/// Starts a run of `gate` with some headers, and returns the context that was recorded.
async fn started(stage: &Stage, headers: &[(&str, &str)]) -> Option<TraceContext> {
    let request =
        headers.iter().fold(posting("/api/v1/runs"), |request, (name, value)| request.header(*name, *value));
    let answer = send(&stage.open(), request.body(Body::from(r#"{"workflow":"gate"}"#)).unwrap()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.text("id");
    let trace = trace_of(&stage.runtime, &id).await;
    let of_run = ids::run(id.parse().unwrap(), trace.as_ref());
    assert_eq!(answer.text("trace_id"), of_run.trace_id.to_string(), "a reader finds the trace");
    trace
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_traceparent_becomes_the_runs_parent() {
    let stage = Stage::new().await;
    let recorded =
        started(&stage, &[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]).await;
    let recorded = recorded.unwrap();
    assert_eq!((&*recorded.traceparent(), recorded.state.unwrap().as_str()), (PARENT, "a=1,b=2"));
    let later = started(&stage, &[("traceparent", &PARENT.replacen("00", "cc", 1))]).await.unwrap();
    assert_eq!((&*later.traceparent(), later.state), (PARENT, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_passed_over() {
    let stage = Stage::new().await;
    for wrong in [
        "",
        "00-0-0-01",
        &PARENT.to_uppercase(),
        &format!("{PARENT}-more"),
        &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
    ] {
        assert_eq!(started(&stage, &[("traceparent", wrong), ("tracestate", "a=1")]).await, None, "{wrong}");
    }
    assert_eq!(
        started(&stage, &[("traceparent", PARENT), ("traceparent", PARENT)]).await,
        None,
        "which of the two"
    );
    assert_eq!(started(&stage, &[("tracestate", "a=1")]).await, None);
    let recorded = started(&stage, &[("traceparent", PARENT), ("tracestate", "A=1")]).await.unwrap();
    assert_eq!((&*recorded.traceparent(), recorded.state), (PARENT, None));
}

#[tokio::test]
async fn a_hosts_own_span_for_the_request_is_nearer_than_the_header() {
    let (stage, host) = (Stage::new().await, Host::new());
    let mut headers = std::collections::HashMap::new();
    headers.insert("traceparent".to_owned(), PARENT.to_owned());
    let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    let span = host.tracer().start_with_context("POST /runs", &caller);
    let (id, of_span) = (span.span_context().span_id().to_string(), Context::new().with_span(span));
    let _in_the_request = of_span.attach();
    let recorded = started(&stage, &[("traceparent", PARENT)]).await.unwrap();
    assert_eq!((recorded.trace_id.to_string(), recorded.span_id.to_string()), (TRACE.to_owned(), id.clone()));
    let without = started(&stage, &[]).await.unwrap();
    assert_eq!(without.span_id.to_string(), id);
    // A header of another trace is what the request says for itself.
    let other = PARENT.replace("4bf9", "0000");
    assert_eq!(started(&stage, &[("traceparent", &other)]).await.unwrap().traceparent(), other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_calls_another_service_is_the_parent_of_the_run_there() {
    let there = Stage::new().await;
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let service = there.open();
    tokio::spawn(async move { axum::serve(socket, service).await });
    let calls = Workflow::function("calls", move |cx: Cx, ()| async move {
        let body = async || {
            let json = r#"{"workflow":"gate"}"#;
            let request = format!(
                "POST /api/v1/runs HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 traceparent: {}\r\ncontent-length: {}\r\n\r\n{json}",
                cx.traceparent(),
                json.len()
            );
            let mut connection = TcpStream::connect(address).await?;
            connection.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            let body: Value = serde_json::from_str(body)?;
            anyhow::Ok(body["id"].as_str().expect("an id").to_owned())
        };
        cx.step("call", body).await
    });
    let here = Postgres::new().await.builder().workflow(calls.clone()).start().await.unwrap();
    let run = here.run(&calls, ()).start().await.unwrap();
    let called = crate::support::soon("its output", run.output()).await.unwrap();
    let recorded = trace_of(&there.runtime, &called).await.unwrap();
    let (task, op) = (
        runlog::model::TaskName::new("calls").unwrap(),
        runlog::model::OpKey { name: "call".into(), occurrence: 0 },
    );
    let of_step = ids::run(run.id(), None).under(ids::step(run.id(), &task, 1, &op));
    assert_eq!(recorded, of_step);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runs_spans_are_listed_page_by_page() {
    let stage = Stage::new().await;
    let app = stage.open();
    let run = start(&app, json!({ "workflow": "echo", "input": 1 })).await;
    ended(&stage, &run).await;
    let all = get(&app, &format!("/api/v1/runs/{run}/trace")).await.json();
    let names: Vec<_> = all["data"].as_array().unwrap().iter().map(|span| span["name"].clone()).collect();
    assert_eq!(names, ["start echo", "step echo", "attempt echo", "run echo"]);
    assert_eq!(all["next"], Value::Null);
    let (start, step) = (&all["data"][0], &all["data"][1]);
    assert_eq!(step["parent_span_id"], start["span_id"]);
    assert_eq!((&start["kind"], &start["parent_span_id"]), (&json!("producer"), &Value::Null));
    assert_eq!(step["attributes"]["runlog.step.tries"], 1);
    assert!(!all.to_string().contains("input"), "no payload is in a span: {all}");

    let (mut paged, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = get(&app, &format!("/api/v1/runs/{run}/trace?limit=1&after={after}")).await.json();
        paged.extend(page["data"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(Value::from(paged), all["data"], "page by page they are the same");
    let nobody = get(&app, "/api/v1/runs/0198f3a2-0000-7000-8000-000000000001/trace").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exports_standing_and_what_was_refused_are_told() {
    let stage = Stage::new().await;
    let app = stage.open();
    let never = get(&app, "/api/v1/traces/export").await.json();
    assert_eq!(
        never,
        json!({
            "exporter": null, "lag_ms": 0, "commits": 0, "catches_up": true, "refused": 0, "refused_spans": [],
        })
    );
    let run = start(&app, json!({ "workflow": "echo", "input": 1 })).await;
    stage
        .ground
        .psql(&format!(
            "insert into runlog.outbox (at, runs, seqs)
             values (clock_timestamp() - interval '1 minute', array['{run}'::uuid], array[1]);
             update runlog.exporter set holder = 1, held_by = 'api-7', refused = 2,
                    held_until = clock_timestamp() + interval '1 minute';
             insert into runlog.refused_spans (run_id, trace_id, span_id, name, reason)
             values ('{run}', 'af', 'b1', 'step charge', 'too long'), ('{run}', null, null, 'the rest of the run', 'new')"
        ))
        .await
        .unwrap();

    let told = get(&app, "/api/v1/traces/export?limit=1").await.json();

    assert_eq!(
        (&told["exporter"], &told["commits"], &told["refused"]),
        (&json!("api-7"), &json!(1), &json!(2))
    );
    assert!(told["lag_ms"].as_u64().is_some_and(|lag| lag >= 60_000), "{told}");
    let refused = told["refused_spans"].as_array().unwrap();
    assert_eq!(refused.len(), 1, "the newest");
    assert_eq!(
        (&refused[0]["run"], &refused[0]["trace_id"], &refused[0]["reason"]),
        (&json!(run), &Value::Null, &json!("new"))
    );
    get(&app, "/api/v1/traces/export?limit=0").await.assert_problem(400, "invalid_query");
    get(&stage.as_tenant("acme"), "/api/v1/traces/export").await.assert_problem(403, "forbidden");
}
