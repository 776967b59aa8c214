//! Streams: who reads along and who comes late get every chunk once, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runlog::model::RunId;
use runlog::runtime::{Chunks, Error};
use runlog::store::Chunk;
use runlog::store::memory::{Call, Fate, Faults};
use runlog::{Cx, CxError, Retry, Runtime, Workflow};
use tokio::sync::Notify;

use crate::support::{Ground, Memory, on_both, soon};

on_both! {
    who_reads_along_and_who_comes_late_get_every_chunk_once_in_order
    a_reader_goes_on_after_the_place_that_it_has
    what_the_code_sends_again_after_a_crash_is_not_there_twice
    a_step_that_runs_again_is_another_source
    several_streams_of_a_run_do_not_meet
    a_chunk_that_cannot_be_kept_is_refused
    a_stream_of_a_run_that_does_not_exist_says_so
    every_attempt_sends_its_own_chunks
}

const LEASE: Duration = Duration::from_millis(800);

/// Sends the numbers up to the first of its input, waits for the signal `go`, and sends those up to the second.
fn counting() -> Workflow<(u32, u32), ()> {
    Workflow::function("counting", async |cx: Cx, (first, second): (u32, u32)| {
        let numbers = cx.stream("numbers");
        for n in 0..first {
            numbers.send(&n).await?;
        }
        cx.signal::<()>("go").await?;
        for n in first..second {
            numbers.send(&n).await?;
        }
        Ok::<_, CxError>(())
    })
}

async fn all(mut chunks: Chunks) -> Vec<Chunk> {
    let mut read = Vec::new();
    while let Some(chunk) = soon("the next chunk", chunks.next()).await {
        read.push(chunk.unwrap());
    }
    read
}

fn numbers(chunks: &[Chunk]) -> Vec<u32> {
    chunks.iter().map(|chunk| chunk.data.read().unwrap()).collect()
}

fn assert_dense(chunks: &[Chunk]) {
    let places: Vec<u32> = chunks.iter().map(|chunk| chunk.n).collect();
    assert_eq!(places, (1..).take(places.len()).collect::<Vec<u32>>());
}

async fn who_reads_along_and_who_comes_late_get_every_chunk_once_in_order(ground: impl Ground) {
    let here = ground.builder().workflow(counting()).start().await.unwrap();
    let there = ground.builder().workflow(counting()).start().await.unwrap();
    let run = here.run(&counting(), (40, 80)).start().await.unwrap();
    let readers =
        [&here, &there].map(|runtime| tokio::spawn(all(runtime.stream(run.id(), "numbers", 0).unwrap())));
    let mut first = here.stream(run.id(), "numbers", 0).unwrap();
    assert_eq!(soon("a chunk", first.next()).await.unwrap().unwrap().n, 1);
    run.signal("go", &()).await.unwrap();
    run.wait().await.unwrap();

    let late = all(there.stream(run.id(), "numbers", 0).unwrap()).await;

    assert_eq!(numbers(&late), (0..80).collect::<Vec<_>>());
    assert_dense(&late);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), late);
    }
    let page = here.chunks(run.id(), "numbers", 70, 5).await.unwrap();
    assert_eq!(numbers(&page), [70, 71, 72, 73, 74]);
}

async fn a_reader_goes_on_after_the_place_that_it_has(ground: impl Ground) {
    let runtime = ground.builder().workflow(counting()).start().await.unwrap();
    let run = runtime.run(&counting(), (3, 6)).start().await.unwrap();
    let mut first = runtime.stream(run.id(), "numbers", 0).unwrap();
    soon("a chunk", first.next()).await.unwrap().unwrap();
    let place = soon("a chunk", first.next()).await.unwrap().unwrap().n;
    drop(first);
    let rest = tokio::spawn(all(runtime.stream(run.id(), "numbers", place).unwrap()));
    run.signal("go", &()).await.unwrap();

    assert_eq!(numbers(&rest.await.unwrap()), [2, 3, 4, 5]);
}

async fn what_the_code_sends_again_after_a_crash_is_not_there_twice(ground: impl Ground) {
    let builder = || ground.builder().workflow(counting()).lease(LEASE);
    let first = builder().start().await.unwrap();
    let run = first.run(&counting(), (5, 8)).start().await.unwrap().id();
    let mut reader = first.stream(run, "numbers", 0).unwrap();
    for n in 1..=5 {
        assert_eq!(soon("a chunk", reader.next()).await.unwrap().unwrap().n, n);
    }
    first.crash();
    let second = builder().start().await.unwrap();
    second.signal(run, "go", &()).await.unwrap();

    let chunks = all(second.stream(run, "numbers", 0).unwrap()).await;

    assert_eq!(numbers(&chunks), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_dense(&chunks);
    assert!(chunks.iter().all(|chunk| chunk.sending.source == 0 && chunk.step.is_none()));
    assert_eq!(numbers(&all(reader).await), [5, 6, 7], "who read along saw no seam");
}

async fn a_step_that_runs_again_is_another_source(ground: impl Ground) {
    let (bodies, stuck) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let code = {
        let (bodies, stuck) = (Arc::clone(&bodies), Arc::clone(&stuck));
        move |cx: Cx, (): ()| {
            let (bodies, stuck) = (Arc::clone(&bodies), Arc::clone(&stuck));
            async move {
                let tokens = cx.stream("tokens");
                let body = || async {
                    let first = bodies.fetch_add(1, Ordering::SeqCst) == 0;
                    tokens.send(&1).await?;
                    tokens.send(&2).await?;
                    if first {
                        stuck.notify_one();
                        std::future::pending::<()>().await;
                    }
                    tokens.send(&3).await
                };
                cx.step("ask", body).await?;
                tokens.send(&4).await
            }
        }
    };
    let asking = Workflow::function("asking", code);
    let builder = || ground.builder().workflow(asking.clone()).lease(LEASE);
    let first = builder().start().await.unwrap();
    let run = first.run(&asking, ()).start().await.unwrap().id();
    soon("the body is at work", stuck.notified()).await;
    first.crash();
    let second = builder().start().await.unwrap();

    let chunks = all(second.stream(run, "tokens", 0).unwrap()).await;

    assert_eq!(bodies.load(Ordering::SeqCst), 2);
    assert_eq!(numbers(&chunks), [1, 2, 1, 2, 3, 4]);
    let sources: Vec<i64> = chunks.iter().map(|chunk| chunk.sending.source).collect();
    assert!(sources[0] == sources[1] && sources[2] == sources[3] && sources[3] == sources[4], "{sources:?}");
    assert!(sources[1] != sources[2] && sources[0] != 0 && sources[5] == 0, "{sources:?}");
    assert_eq!((chunks[4].step.as_deref(), chunks[5].step.as_deref()), (Some("ask#0"), None));
}

async fn several_streams_of_a_run_do_not_meet(ground: impl Ground) {
    let code = Workflow::function("two", async |cx: Cx, (): ()| {
        let (even, odd) = (cx.stream("even"), cx.stream("odd"));
        for n in 0..10_u32 {
            if n % 2 == 0 { even.send(&n).await? } else { odd.send(&n).await? }
        }
        Ok::<_, CxError>(())
    });
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();

    assert_eq!(numbers(&all(runtime.stream(run.id(), "even", 0).unwrap()).await), [0, 2, 4, 6, 8]);
    assert_eq!(numbers(&all(runtime.stream(run.id(), "odd", 0).unwrap()).await), [1, 3, 5, 7, 9]);
    assert_eq!(all(runtime.stream(run.id(), "none", 0).unwrap()).await, []);
    let streams = runtime.streams(run.id()).await.unwrap();
    let streams: Vec<_> = streams.iter().map(|(name, chunks)| (name.as_str(), *chunks)).collect();
    assert_eq!(streams, [("even", 5), ("odd", 5)]);
}

async fn a_chunk_that_cannot_be_kept_is_refused(ground: impl Ground) {
    let code = Workflow::function("refused", async |cx: Cx, (): ()| {
        let big = cx.stream("s").send(&"x".repeat(64 << 10)).await;
        let nul = cx.stream("s").send("a\0b").await;
        let name = cx.stream("").send(&1).await;
        for n in 0..64 {
            cx.stream(&format!("s{n}")).send(&n).await.ok();
        }
        let many = cx.stream("one more").send(&1).await;
        Ok::<_, CxError>([big, nul, name, many].map(|answer| answer.unwrap_err().to_string()))
    });
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();

    let [big, nul, name, many] = soon("its answers", run.output()).await.unwrap();

    assert!(big.contains("chunk of stream s") && big.contains("65536"), "{big}");
    assert!(nul.contains("NUL"), "{nul}");
    assert!(name.contains("the stream's name is empty"), "{name}");
    assert!(many.contains("streams of task refused") && many.contains("64"), "{many}");
    assert!(matches!(runtime.stream(run.id(), "", 0), Err(Error::Name(_))));
}

async fn a_stream_of_a_run_that_does_not_exist_says_so(ground: impl Ground) {
    let runtime = ground.builder().start().await.unwrap();
    let nobody = RunId::from_uuid("01890000-0000-7000-8000-000000000000".parse().unwrap()).unwrap();
    let mut chunks = runtime.stream(nobody, "s", 0).unwrap();
    let answer = soon("an answer", chunks.next()).await;
    assert!(matches!(answer, Some(Err(Error::NotFound { run })) if run == nobody), "{answer:?}");
}

async fn every_attempt_sends_its_own_chunks(ground: impl Ground) {
    let code = Workflow::function("twice", async |cx: Cx, (): ()| {
        cx.stream("s").send(&cx.attempt()).await?;
        anyhow::ensure!(cx.attempt() == 2, "once more");
        Ok(())
    });
    let code = code.retry(Retry::fixed(Duration::from_millis(1)).max_attempts(2));
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();

    let chunks = all(runtime.stream(run.id(), "s", 0).unwrap()).await;

    assert_eq!(numbers(&chunks), [1, 2]);
    assert_eq!(chunks.iter().map(|chunk| chunk.sending.attempt).collect::<Vec<_>>(), [1, 2]);
}

/// Loses every third write of chunks, and every third answer to one.
#[derive(Default)]
struct Losing {
    asked: AtomicU32,
    lost: AtomicU32,
}

impl Losing {
    fn fate(&self, call: &Call) -> Fate {
        if call.method != "write_chunks" || self.asked.fetch_add(1, Ordering::SeqCst) % 3 != 2 {
            return Fate::Passes;
        }
        self.lost.fetch_add(1, Ordering::SeqCst);
        Fate::Lost
    }
}

impl Faults for Losing {
    fn on_call(&self, call: &Call) -> Fate {
        self.fate(call)
    }

    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        self.fate(call)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_questions_and_answers_neither_lose_nor_repeat_a_chunk() {
    let ground = Memory::new().await;
    let losing = Arc::new(Losing::default());
    let node = Runtime::on_store(ground.0.connect_with(losing.clone())).workflow(counting());
    let node = node.start().await.unwrap();
    let run = node.run(&counting(), (20, 30)).start().await.unwrap();
    run.signal("go", &()).await.unwrap();

    let chunks = all(node.stream(run.id(), "numbers", 0).unwrap()).await;

    assert_eq!(numbers(&chunks), (0..30).collect::<Vec<_>>());
    assert_dense(&chunks);
    assert!(losing.lost.load(Ordering::SeqCst) > 5, "nothing was lost");
}

/// Loses the first answer to a write of chunks.
#[derive(Default)]
struct LosingOne {
    lost: AtomicU32,
}

impl Faults for LosingOne {
    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        match call.method == "write_chunks" && self.lost.fetch_add(1, Ordering::SeqCst) == 0 {
            true => Fate::Lost,
            false => Fate::Passes,
        }
    }
}

#[tokio::test]
async fn a_chunk_of_a_step_that_was_written_twice_hides_none_of_the_tasks_own() {
    let ground = Memory::new().await;
    let losing = Arc::new(LosingOne::default());
    let code = Workflow::function("mixed", async |cx: Cx, (): ()| {
        cx.step("first", || async { cx.stream("s").send(&"of the step").await }).await?;
        cx.stream("s").send(&"its own").await
    });
    let node = Runtime::on_store(ground.0.connect_with(losing.clone())).workflow(code.clone());
    let node = node.start().await.unwrap();
    let run = node.run(&code, ()).start().await.unwrap();

    let chunks = all(node.stream(run.id(), "s", 0).unwrap()).await;

    let texts: Vec<String> = chunks.iter().map(|chunk| chunk.data.read().unwrap()).collect();
    assert_eq!(texts, ["of the step", "its own"]);
    assert!(losing.lost.load(Ordering::SeqCst) > 1, "nothing was lost");
}
