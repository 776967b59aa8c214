//! Lines and chunks.

use std::sync::Arc;

use runlog::model::{Level, Line, Payload, RunId, StreamName, TaskName};
use runlog::store::writings::{NewChunk, Sending, Written};
use runlog::store::{LogLine, LogQuery, Store};
use serde_json::{Map, Value};

use crate::store::process::*;

fn line(n: i64, task: &str, attempt: u32, level: Level, message: &str) -> LogLine {
    let fields = Map::from_iter([("n".to_owned(), Value::from(n))]);
    LogLine {
        n,
        at: "2026-01-01T00:00:00.000001Z".parse().expect("a time"),
        node: Some(runlog::model::NodeId(7)),
        task: TaskName::new(task).expect("a name"),
        attempt,
        step: (attempt == 2).then(|| "charge#0".to_owned()),
        claims: 3,
        dropped: 0,
        line: Line::new(level, "app::pay", message.to_owned(), fields),
    }
}

async fn read(store: &Arc<dyn Store>, run: RunId, query: LogQuery) -> Vec<i64> {
    store.lines(run, &query).await.expect("lines").iter().map(|line| line.n).collect()
}

pub(super) async fn a_line_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (run, other) = (process.clock.new_run_id(), process.clock.new_run_id());
    let mut lines = vec![
        (run, line(5, "pay", 1, Level::Info, "„weird“ \u{1F980}\n\ttext")),
        (run, line(9, "pay", 2, Level::Error, "")),
        (other, line(5, "pay", 1, Level::Trace, "of another run")),
    ];
    lines[1].1.line.fields = None;
    lines[1].1.node = None;
    lines[1].1.dropped = 12;

    store.write_lines(&lines).await.expect("written");

    let read = store.lines(run, &LogQuery::default()).await.expect("lines");
    assert_eq!(read, [lines[0].1.clone(), lines[1].1.clone()]);
    assert_eq!(store.lines(other, &LogQuery::default()).await.expect("lines"), [lines[2].1.clone()]);
}

pub(super) async fn lines_that_come_again_stay_as_they_were(store: Arc<dyn Store>) {
    let run = Process::join(&store).await.clock.new_run_id();
    let first = (run, line(1, "pay", 1, Level::Info, "first"));
    store.write_lines(std::slice::from_ref(&first)).await.expect("written");
    let again =
        [(run, line(1, "pay", 1, Level::Info, "other")), (run, line(2, "pay", 1, Level::Info, "second"))];

    store.write_lines(&again).await.expect("written");

    let read = store.lines(run, &LogQuery::default()).await.expect("lines");
    assert_eq!(read, [first.1, again[1].1.clone()]);
}

pub(super) async fn lines_are_read_by_task_attempt_and_level_in_pages(store: Arc<dyn Store>) {
    let run = Process::join(&store).await.clock.new_run_id();
    let lines: Vec<_> = [
        (1, "pay", 1, Level::Info),
        (2, "pay", 1, Level::Warn),
        (3, "ship", 1, Level::Error),
        (4, "pay", 2, Level::Debug),
        (5, "pay", 2, Level::Error),
    ]
    .map(|(n, task, attempt, level)| (run, line(n, task, attempt, level, "m")))
    .to_vec();
    store.write_lines(&lines).await.expect("written");

    let all = LogQuery::default;
    assert_eq!(read(&store, run, all()).await, [1, 2, 3, 4, 5]);
    assert_eq!(read(&store, run, all().task("pay")).await, [1, 2, 4, 5]);
    assert_eq!(read(&store, run, all().task("pay").attempt(2)).await, [4, 5]);
    assert_eq!(read(&store, run, all().attempt(1)).await, [1, 2, 3]);
    assert_eq!(read(&store, run, all().level_min(Level::Warn)).await, [2, 3, 5]);
    assert_eq!(read(&store, run, all().limit(2)).await, [1, 2]);
    assert_eq!(read(&store, run, all().after(2).limit(2)).await, [3, 4]);
    assert!(read(&store, run, all().after(5)).await.is_empty());
}

pub(super) async fn the_last_lines_are_read_from_the_end(store: Arc<dyn Store>) {
    let run = Process::join(&store).await.clock.new_run_id();
    let lines: Vec<_> = (1..=9)
        .map(|n| {
            let (task, attempt) = if n % 3 == 0 { ("ship", 1) } else { ("pay", 2 - u32::from(n < 5)) };
            (run, line(n, task, attempt, if n == 8 { Level::Warn } else { Level::Info }, "m"))
        })
        .collect();
    store.write_lines(&lines).await.expect("written");

    let last = |limit| LogQuery::default().last(limit);
    assert_eq!(read(&store, run, last(3)).await, [7, 8, 9]);
    assert_eq!(read(&store, run, last(100)).await, (1..=9).collect::<Vec<_>>());
    assert_eq!(read(&store, run, last(2).task("pay")).await, [7, 8]);
    assert_eq!(read(&store, run, last(2).task("pay").attempt(1)).await, [2, 4]);
    assert_eq!(read(&store, run, last(2).level_min(Level::Warn)).await, [8]);
    assert_eq!(read(&store, run, last(2).before(8)).await, [6, 7]);
    assert_eq!(read(&store, run, last(9).after(4).before(7)).await, [5, 6]);
    assert_eq!(read(&store, run, LogQuery::default().before(4)).await, [1, 2, 3]);
}

pub(super) async fn lines_are_counted_by_level(store: Arc<dyn Store>) {
    let run = Process::join(&store).await.clock.new_run_id();
    let lines: Vec<_> = (1..=6)
        .map(|n| {
            (
                run,
                line(
                    n,
                    if n < 6 { "pay" } else { "ship" },
                    1,
                    if n < 3 { Level::Warn } else { Level::Info },
                    "m",
                ),
            )
        })
        .collect();
    store.write_lines(&lines).await.expect("written");

    let counts = store.line_counts(run, &LogQuery::default().limit(1)).await.expect("counts");
    assert_eq!((counts.of(Level::Warn), counts.of(Level::Info), counts.of(Level::Error)), (2, 4, 0));
    assert_eq!(counts.total(), 6);
    let pay = LogQuery::default().task("pay");
    assert_eq!(store.line_counts(run, &pay).await.expect("counts").total(), 5);
}

fn chunk(run: RunId, stream: &str, source: i64, k: u32, data: &str) -> NewChunk {
    let task = TaskName::new("ask").expect("a name");
    NewChunk {
        run,
        stream: StreamName::new(stream).expect("a name"),
        sending: Sending { task, attempt: 1, source, k },
        step: (source != 0).then(|| "model#0".to_owned()),
        data: Payload::parse(data).expect("JSON"),
    }
}

async fn held(store: &Arc<dyn Store>, run: RunId, stream: &str) -> Vec<(u32, String)> {
    let stream = StreamName::new(stream).expect("a name");
    let chunks = store.chunks(run, &stream, 0, 1_000).await.expect("chunks");
    chunks.into_iter().map(|chunk| (chunk.n, chunk.data.text().to_owned())).collect()
}

fn numbered(texts: &[&str]) -> Vec<(u32, String)> {
    (1..).zip(texts).map(|(n, text)| (n, (*text).to_owned())).collect()
}

pub(super) async fn chunks_get_the_places_at_their_streams_ends(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (run, other) = (process.clock.new_run_id(), process.clock.new_run_id());
    let first = [
        chunk(run, "a", 0, 0, "1"),
        chunk(run, "b", 0, 0, "2"),
        chunk(run, "a", 0, 1, "{\"b\": 1, \"a\": 1}"),
        chunk(other, "a", 0, 0, "4"),
        chunk(run, "a", 77, 0, "5"),
    ];
    assert_eq!(store.write_chunks(&first).await.expect("written"), [Written::New; 5]);
    assert_eq!(store.write_chunks(&[chunk(run, "a", 0, 2, "6")]).await.expect("written"), [Written::New]);

    assert_eq!(held(&store, run, "a").await, numbered(&["1", "{\"b\": 1, \"a\": 1}", "5", "6"]));
    assert_eq!(held(&store, run, "b").await, numbered(&["2"]));
    assert_eq!(held(&store, other, "a").await, numbered(&["4"]));
    let streams = store.streams(run).await.expect("streams");
    let streams: Vec<_> = streams.iter().map(|(name, chunks)| (name.as_str(), *chunks)).collect();
    assert_eq!(streams, [("a", 4), ("b", 1)]);
    let a = StreamName::new("a").expect("a name");
    let page = store.chunks(run, &a, 1, 2).await.expect("chunks");
    assert_eq!(page.iter().map(|chunk| chunk.n).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((page[1].sending.source, page[1].step.as_deref()), (77, Some("model#0")));
}

pub(super) async fn a_chunk_that_is_sent_again_stays_where_it_is(store: Arc<dyn Store>) {
    let run = Process::join(&store).await.clock.new_run_id();
    let sent = [chunk(run, "a", 0, 0, "1"), chunk(run, "a", 0, 1, "2")];
    store.write_chunks(&sent).await.expect("written");

    let again = [chunk(run, "a", 0, 0, "8"), chunk(run, "a", 0, 1, "9"), chunk(run, "a", 0, 2, "3")];
    let answers = store.write_chunks(&again).await.expect("written");

    assert_eq!(answers, [Written::Known { sent: 2 }, Written::Known { sent: 0 }, Written::New]);
    assert_eq!(held(&store, run, "a").await, numbered(&["1", "2", "3"]));
}

pub(super) async fn a_source_that_lacks_a_chunk_is_not_said_to_be_known(store: Arc<dyn Store>) {
    let run = Process::join(&store).await.clock.new_run_id();
    let sent = [chunk(run, "a", 0, 0, "1"), chunk(run, "a", 0, 2, "3")];
    store.write_chunks(&sent).await.expect("written");

    let again = store.write_chunks(&[chunk(run, "a", 0, 0, "1")]).await.expect("written");

    assert_eq!(again, [Written::Known { sent: 0 }]);
}
