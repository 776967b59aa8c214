//! Watching runs.

use axum::http::HeaderValue;
use futures_util::StreamExt;
use runlog::{Cx, CxError, Workflow};

use super::*;
use crate::support::{PATIENCE, soon};

/// One message of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    id: Option<u64>,
    event: String,
    data: Value,
}

/// Opens a stream; gives its messages as they come.
async fn open(
    app: &Router,
    path: &str,
    last: Option<u64>,
) -> impl futures_util::Stream<Item = Told> + Unpin + use<> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    if let Some(last) = last {
        request.headers_mut().insert("last-event-id", HeaderValue::from(last));
    }
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let chunks = response.into_body().into_data_stream();
    Box::pin(futures_util::stream::unfold((chunks, String::new()), |(mut chunks, mut text)| async move {
        loop {
            if let Some((message, rest)) = text.split_once("\n\n") {
                let told = read(message);
                text = rest.to_owned();
                match told {
                    Some(told) => return Some((told, (chunks, text))),
                    None => continue,
                }
            }
            let chunk = chunks.next().await?.ok()?;
            text.push_str(str::from_utf8(&chunk).unwrap());
        }
    }))
}

/// Reads a message; `None` for a comment.
fn read(message: &str) -> Option<Told> {
    let mut told = Told::default();
    for line in message.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => told.id = id.parse().ok(),
            Some(("event", event)) => event.clone_into(&mut told.event),
            Some(("data", data)) => told.data = serde_json::from_str(data).unwrap(),
            _ => {}
        }
    }
    (!told.event.is_empty()).then_some(told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_every_event_once_and_ends_with_the_run() {
    let stage = Stage::new().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let mut told = open(&app, &format!("/api/v1/runs/{id}/stream"), None).await;
    let first = soon("the first event", told.next()).await.unwrap();
    assert_eq!((first.id, first.event.as_str()), (Some(1), "run.event"));
    assert_eq!(first.data, get(&app, &format!("/api/v1/runs/{id}/events/1")).await.json());
    post(&app, &format!("/api/v1/runs/{id}/signals/go"), r#"{"payload":"x"}"#).await;
    let rest: Vec<Told> = soon("the end", told.collect()).await;
    let (end, events) = rest.split_last().unwrap();
    assert_eq!((end.event.as_str(), &end.data), ("end", &json!({ "status": "SUCCEEDED" })));
    let seqs: Vec<u64> = events.iter().filter_map(|told| told.id).collect();
    assert_eq!(seqs, (2..=seqs.len() as u64 + 1).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap().data["kind"], "run_succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let stage = Stage::new().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let path = format!("/api/v1/runs/{id}/stream");
    let (mut seen, mut last) = (Vec::new(), None);
    post(&app, &format!("/api/v1/runs/{id}/signals/go"), "{}").await;
    // Every reconnection takes one event and is cut.
    loop {
        let mut told = open(&app, &path, last).await;
        let one = soon("an event", told.next()).await.unwrap();
        if one.event == "end" {
            break;
        }
        last = one.id;
        seen.extend(one.id);
    }
    let all = get(&app, &format!("/api/v1/runs/{id}")).await.json()["events"].as_u64().unwrap();
    assert_eq!(seen, (1..=all).collect::<Vec<_>>());
    let mut after = open(&app, &format!("{path}?after={}", all - 1), None).await;
    assert_eq!(soon("the last event", after.next()).await.unwrap().id, Some(all));
    let answer = get(&app, &format!("{path}?after=x")).await;
    answer.assert_problem(400, "invalid_query");
    let spoiled = Request::get(&path).header("last-event-id", "x").body(Body::empty()).unwrap();
    send(&app, spoiled).await.assert_problem(400, "invalid_header");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_ten_thousand_events_behind_is_told_to_read_anew() {
    async fn code(cx: Cx, _input: Value) -> Result<(), CxError> {
        let steps = (0..10_010).map(|_| cx.step("s", || std::future::ready(anyhow::Ok(()))));
        for step in steps.collect::<Vec<_>>() {
            step.await?;
        }
        Ok(())
    }
    let ground = Postgres::new().await;
    let long = Workflow::function("long", code);
    let runtime = ground.builder().workflow(long.clone()).start().await.unwrap();
    let run = runtime.run(&long, Value::Null).start().await.unwrap();
    // For as long as it gets on: ten thousand commits take their time.
    let mut seen = 0;
    while tokio::time::timeout(PATIENCE, run.wait()).await.is_err() {
        let events = run.get().await.unwrap().events;
        assert!(events > seen, "waited too long for its end");
        seen = events;
    }
    let app = router(&runtime).allow_all_insecure().into_router();
    let told: Vec<Told> =
        soon("the end", open(&app, &format!("/api/v1/runs/{}/stream", run.id()), None).await.collect()).await;
    let events = run.get().await.unwrap().events;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[0].event.as_str(), &told[0].data), ("reset", &json!({ "seq": events })));
    assert_eq!(told[0].id, Some(u64::from(events)), "a reconnection goes on from there");
    assert_eq!(told[1].event, "end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_counted_and_the_five_hundred_and_first_is_refused() {
    let stage = Stage::new().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let path = format!("/api/v1/runs/{id}/stream");
    let mut open_ones = Vec::new();
    for _ in 0..500 {
        open_ones.push(app.clone().oneshot(Request::get(&path).body(Body::empty()).unwrap()).await.unwrap());
    }
    let refused = get(&app, &path).await;
    refused.assert_problem(503, "too_many_streams");
    assert_eq!(refused.header("retry-after"), "1");
    open_ones.pop();
    let mut told = open(&app, &path, None).await;
    assert_eq!(soon("an event", told.next()).await.unwrap().id, Some(1), "there is room again");
}
