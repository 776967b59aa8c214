//! What a run's code logs: kept with its place, bounded, and never in the code's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runlog::model::RunId;
use runlog::model::limits::LINES_MAX;
use runlog::store::memory::{Call, Fate, Faults};
use runlog::store::{LogLine, LogQuery};
use runlog::{Cx, CxError, Level, ReplayOptions, Retry, Runtime, RuntimeBuilder, Workflow};
use serde_json::Value;

use crate::support::{Ground, Memory, on_both, soon, until};

on_both! {
    a_line_is_kept_with_its_place
    lines_are_read_in_pages_and_counted_by_level
    lines_below_the_runtimes_level_are_not_kept
    code_that_goes_on_elsewhere_does_not_write_again_what_it_wrote
    a_line_that_is_there_twice_tells_by_its_claims
    a_replay_logs_anew_what_stands_between_the_steps_that_it_takes_over
    what_is_too_long_is_cut_and_a_nul_is_shown
    an_attempt_keeps_a_bounded_number_of_lines_and_says_how_many_were_dropped
    the_limit_of_an_attempt_holds_when_its_run_goes_on_elsewhere
    lines_can_be_followed_to_the_runs_end
    a_shutdown_writes_the_lines_that_wait
}

fn logging(code: fn(Cx)) -> Workflow<(), ()> {
    Workflow::function("logging", move |cx: Cx, (): ()| async move {
        code(cx);
        Ok::<_, CxError>(())
    })
}

async fn lines(runtime: &Runtime, run: RunId) -> Vec<LogLine> {
    runtime.logs(run, LogQuery::default().limit(u32::MAX)).await.unwrap()
}

fn messages(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.line.message.as_str()).collect()
}

/// Waits until a run has so many lines.
async fn written(runtime: &Runtime, run: RunId, count: usize) -> Vec<LogLine> {
    until("the lines are written", async || lines(runtime, run).await.len() >= count).await;
    lines(runtime, run).await
}

async fn a_line_is_kept_with_its_place(ground: impl Ground) {
    async fn code(cx: Cx, (): ()) -> anyhow::Result<()> {
        cx.log().field("order", 42).field("who", "Ada").info("begun");
        cx.step("charge", || {
            cx.log().warn(format_args!("try {}", cx.attempt()));
            std::future::ready(Ok::<_, CxError>(()))
        })
        .await?;
        if cx.attempt() == 1 {
            anyhow::bail!("once");
        }
        Ok(())
    }
    let code =
        Workflow::function("placed", code).retry(Retry::fixed(Duration::from_millis(1)).max_attempts(2));
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let before = ground.now().await;
    let run = runtime.run(&code, ()).start().await.unwrap();
    run.wait().await.unwrap();

    let lines = written(&runtime, run.id(), 3).await;

    assert_eq!(messages(&lines), ["begun", "try 1", "begun"], "the step runs once, the code twice");
    assert_eq!(lines.iter().map(|line| line.attempt).collect::<Vec<_>>(), [1, 1, 2]);
    assert_eq!(lines[0].step, None);
    assert_eq!(lines[1].step.as_deref(), Some("charge#0"));
    assert_eq!((lines[0].line.level, lines[1].line.level), (Level::Info, Level::Warn));
    assert!(lines[0].line.target.contains("logs.rs:"), "{}", lines[0].line.target);
    let fields: Value = lines[0].line.fields.as_ref().unwrap().read().unwrap();
    assert_eq!(fields, serde_json::json!({"order": 42, "who": "Ada"}));
    assert_eq!(lines[1].line.fields, None);
    assert!(
        lines[0].at >= before - Duration::from_secs(1) && lines.is_sorted_by_key(|line| (line.at, line.n))
    );
    assert!(lines.iter().all(|line| line.task.as_str() == "placed" && line.node.is_some()));
}

async fn lines_are_read_in_pages_and_counted_by_level(ground: impl Ground) {
    let code = logging(|cx| {
        for n in 0..25 {
            cx.log().at(if n % 5 == 0 { Level::Error } else { Level::Info }, n);
        }
    });
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap().id();
    written(&runtime, run, 25).await;

    let (mut after, mut read) = (0, Vec::new());
    loop {
        let page = runtime.logs(run, LogQuery::default().after(after).limit(10)).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.n;
        read.push(messages(&page).join(" "));
    }

    assert_eq!(read, ["0 1 2 3 4 5 6 7 8 9", "10 11 12 13 14 15 16 17 18 19", "20 21 22 23 24"]);
    let errors = runtime.logs(run, LogQuery::default().level_min(Level::Error)).await.unwrap();
    assert_eq!(messages(&errors), ["0", "5", "10", "15", "20"]);
    let other = LogQuery::default().task("other");
    assert_eq!(runtime.logs(run, other).await.unwrap(), []);
    let counts = runtime.log_counts(run, LogQuery::default()).await.unwrap();
    assert_eq!((counts.of(Level::Error), counts.of(Level::Info), counts.total()), (5, 20, 25));
}

async fn lines_below_the_runtimes_level_are_not_kept(ground: impl Ground) {
    let code = logging(|cx| {
        cx.log().trace("trace");
        cx.log().debug("debug");
        cx.log().info("info");
        cx.log().error("error");
    });
    for (level, kept) in
        [(Level::Info, vec!["info", "error"]), (Level::Trace, vec!["trace", "debug", "info", "error"])]
    {
        let runtime = ground.builder().workflow(code.clone()).log_level(level).start().await.unwrap();
        let run = runtime.run(&code, ()).start().await.unwrap().id();
        assert_eq!(messages(&written(&runtime, run, kept.len()).await), kept);
        runtime.shutdown(Duration::from_secs(5)).await.unwrap();
    }
}

const LEASE: Duration = Duration::from_millis(800);

async fn code_that_goes_on_elsewhere_does_not_write_again_what_it_wrote(ground: impl Ground) {
    async fn code(cx: Cx, (): ()) -> Result<(), CxError> {
        cx.log().info("begun");
        cx.step("first", || std::future::ready(Ok::<_, CxError>(()))).await?;
        cx.log().info("after the first");
        let wait = cx.signal::<()>("go");
        wait.await?;
        cx.log().info("gone on");
        Ok(())
    }
    let code = Workflow::function("logging", code);
    let builder = || ground.builder().workflow(code.clone()).lease(LEASE);
    let first = builder().start().await.unwrap();
    let run = first.run(&code, ()).start().await.unwrap().id();
    written(&first, run, 2).await;
    until("it waits", async || {
        first.events(run, 0, 100).await.unwrap().iter().any(|event| event.event.kind() == "signal_awaited")
    })
    .await;
    first.crash();
    let second = builder().start().await.unwrap();
    second.signal(run, "go", &()).await.unwrap();
    second.handle(run).wait().await.unwrap();

    let lines = written(&second, run, 3).await;

    assert_eq!(messages(&lines), ["begun", "after the first", "gone on"]);
    assert!(lines[2].claims > lines[1].claims, "{lines:?}");
}

async fn a_line_that_is_there_twice_tells_by_its_claims(ground: impl Ground) {
    // Nothing is recorded after the lines: nobody can tell whether they were written.
    let first_body = Arc::new(AtomicBool::new(true));
    let code = Workflow::function("logging", move |cx: Cx, (): ()| {
        let first_body = Arc::clone(&first_body);
        async move {
            cx.log().info("begun");
            let body = || async {
                cx.log().info("at work");
                if first_body.swap(false, Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
                Ok::<_, CxError>(())
            };
            cx.step("work", body).await
        }
    });
    let builder = || ground.builder().workflow(code.clone()).lease(LEASE);
    let first = builder().start().await.unwrap();
    let run = first.run(&code, ()).start().await.unwrap().id();
    written(&first, run, 2).await;
    first.crash();
    let second = builder().start().await.unwrap();
    second.handle(run).wait().await.unwrap();

    let lines = written(&second, run, 4).await;

    assert_eq!(messages(&lines), ["begun", "at work", "begun", "at work"]);
    assert!(lines[2].claims > lines[1].claims, "{lines:?}");
}

async fn a_replay_logs_anew_what_stands_between_the_steps_that_it_takes_over(ground: impl Ground) {
    let fails = Arc::new(AtomicBool::new(true));
    let code = Workflow::function("logging", move |cx: Cx, (): ()| {
        let fails = Arc::clone(&fails);
        async move {
            cx.log().info("begun");
            let body = || {
                cx.log().info("at work");
                std::future::ready(Ok::<_, CxError>(()))
            };
            cx.step("work", body).await?;
            cx.log().info("worked");
            anyhow::ensure!(!fails.swap(false, Ordering::SeqCst), "once");
            Ok(())
        }
    });
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();
    run.wait().await.unwrap();
    let replay = run.replay(ReplayOptions::default()).await.unwrap().run.id();
    runtime.handle(replay).wait().await.unwrap();

    assert_eq!(messages(&written(&runtime, run.id(), 3).await), ["begun", "at work", "worked"]);
    assert_eq!(messages(&written(&runtime, replay, 2).await), ["begun", "worked"]);
}

async fn what_is_too_long_is_cut_and_a_nul_is_shown(ground: impl Ground) {
    let code = logging(|cx| {
        cx.log().field("long", "x".repeat(5_000)).info("a\0b");
        cx.log().info("ü".repeat(20_000));
        let many = (0..40).fold(cx.log(), |log, n| log.field(format!("f{n:02}"), "a\0b"));
        many.info("many");
    });
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap().id();

    let lines = written(&runtime, run, 3).await;

    assert_eq!(lines[0].line.message, "a␀b");
    let fields: Value = lines[0].line.fields.as_ref().unwrap().read().unwrap();
    let long = fields["long"].as_str().unwrap();
    assert!(long.starts_with("xxx") && long.ends_with("… (3976 bytes cut)"), "{long}");
    let message = &lines[1].line.message;
    assert!(message.starts_with("üü") && message.ends_with("… (23616 bytes cut)"), "{message}");
    let fields: Value = lines[2].line.fields.as_ref().unwrap().read().unwrap();
    assert_eq!((fields["f00"].as_str(), fields["…"].as_str()), (Some("a␀b"), Some("8 fields left out")));
}

async fn an_attempt_keeps_a_bounded_number_of_lines_and_says_how_many_were_dropped(ground: impl Ground) {
    const WRITTEN: u32 = LINES_MAX + 321;
    let code = Workflow::function("loud", async |cx: Cx, (): ()| {
        for n in 0..WRITTEN {
            cx.log().info(n);
            if n % 500 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok::<_, CxError>(())
    });
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let said = async || runtime.logs(run.id(), LogQuery::default().level_min(Level::Warn)).await.unwrap();
    let kept = async || {
        let counts = runtime.log_counts(run.id(), LogQuery::default()).await.unwrap();
        u32::try_from(counts.of(Level::Info)).unwrap()
    };
    // What was dropped is said after what was kept is written, in several lines where that takes long.
    until("each line is kept or said to be dropped", async || {
        let dropped: u32 = said().await.iter().map(|line| line.dropped).sum();
        dropped > 0 && kept().await + dropped >= WRITTEN
    })
    .await;

    let (said, kept) = (said().await, kept().await);

    assert!(said.iter().any(|line| line.line.message.contains("the limit")), "{said:?}");
    assert!(said.last().is_some_and(|line| line.line.message.starts_with("dropped")), "{said:?}");
    let dropped: u32 = said.iter().map(|line| line.dropped).sum();
    assert!(kept <= LINES_MAX, "{kept} were kept");
    assert_eq!(kept + dropped, WRITTEN, "{said:?}");
    assert!(said.iter().all(|line| line.task.as_str() == "loud" && line.attempt == 1));
}

async fn the_limit_of_an_attempt_holds_when_its_run_goes_on_elsewhere(ground: impl Ground) {
    the_limit_holds(ground.builder(), ground.builder()).await;
}

/// Lets the answer to every count of lines come late.
struct SlowCount;

impl Faults for SlowCount {
    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        match call.method == "line_counts" {
            true => Fate::Delayed(Duration::from_millis(300)),
            false => Fate::Passes,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_logged_while_the_lines_of_before_are_counted_counts_too() {
    let ground = Memory::new().await;
    let second = Runtime::on_store(ground.0.connect_with(Arc::new(SlowCount)));
    the_limit_holds(ground.builder(), second).await;
}

/// Lets an attempt write up to its limit on one node, and beyond it on another.
async fn the_limit_holds(first: RuntimeBuilder, second: RuntimeBuilder) {
    const BEFORE: u32 = LINES_MAX - 10;
    let code = Workflow::function("loud", async |cx: Cx, (): ()| {
        for n in 0..BEFORE {
            cx.log().info(n);
            if n % 500 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for more in [1, 1, 100] {
            cx.signal::<()>("go").await?;
            (0..more).for_each(|_| cx.log().error("more"));
        }
        Ok::<_, CxError>(())
    });
    let first = first.workflow(code.clone()).lease(LEASE).start().await.unwrap();
    let run = first.run(&code, ()).start().await.unwrap().id();
    until("the lines are written", async || {
        let counts = first.log_counts(run, LogQuery::default()).await.unwrap();
        counts.of(Level::Info) >= u64::from(BEFORE / 2) && first.events(run, 0, 9).await.unwrap().len() == 4
    })
    .await;
    first.shutdown(Duration::from_secs(10)).await.unwrap();
    let second = second.workflow(code.clone()).lease(LEASE).start().await.unwrap();
    let errors = async || second.logs(run, LogQuery::default().level_min(Level::Error)).await.unwrap();
    for more in 1..=2 {
        second.signal(run, "go", &()).await.unwrap();
        // When the second line is written, the lines of before were counted.
        until("one more is written", async || errors().await.len() == more).await;
    }
    second.signal(run, "go", &()).await.unwrap();
    second.handle(run).wait().await.unwrap();
    let said = async || second.logs(run, LogQuery::default().level_min(Level::Warn)).await.unwrap();
    until("it is said how many were dropped", async || {
        said().await.iter().any(|line| line.line.message.contains("an attempt may have"))
    })
    .await;

    let counts = second.log_counts(run, LogQuery::default()).await.unwrap();
    let kept = counts.of(Level::Info) + counts.of(Level::Error);
    assert!(kept <= u64::from(LINES_MAX), "{kept} were kept");
    let dropped: u32 = said().await.iter().map(|line| line.dropped).sum();
    assert_eq!(kept + u64::from(dropped), u64::from(BEFORE) + 102);
}

async fn lines_can_be_followed_to_the_runs_end(ground: impl Ground) {
    async fn code(cx: Cx, (): ()) -> Result<(), CxError> {
        cx.log().info("begun");
        cx.signal::<()>("go").await?;
        cx.log().info("ended");
        Ok(())
    }
    let code = Workflow::function("logging", code);
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();
    let mut tail = runtime.follow_logs(run.id(), LogQuery::default());
    let first = soon("a line", tail.next()).await.unwrap().unwrap();
    run.signal("go", &()).await.unwrap();
    let second = soon("a line", tail.next()).await.unwrap().unwrap();

    assert_eq!([first.line.message, second.line.message], ["begun", "ended"]);
    assert!(soon("the end", tail.next()).await.is_none());
    let late = runtime.follow_logs(run.id(), LogQuery::default().after(first.n));
    let late: Vec<_> = soon("its end", futures_util::StreamExt::collect::<Vec<_>>(late)).await;
    assert_eq!(late.len(), 1);
}

async fn a_shutdown_writes_the_lines_that_wait(ground: impl Ground) {
    let code = logging(|cx| (0..3_000).for_each(|n| cx.log().info(n)));
    let runtime = ground.builder().workflow(code.clone()).start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();
    run.wait().await.unwrap();

    runtime.shutdown(Duration::from_secs(10)).await.unwrap();

    let other = ground.builder().client().start().await.unwrap();
    assert_eq!(lines(&other, run.id()).await.len(), 3_000);
}

/// Loses every write of lines until told otherwise.
#[derive(Default)]
struct Mute {
    over: AtomicBool,
}

impl Faults for Mute {
    fn on_call(&self, call: &Call) -> Fate {
        match call.method == "write_lines" && !self.over.load(Ordering::SeqCst) {
            true => Fate::Lost,
            false => Fate::Passes,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_cannot_be_written_never_hold_up_the_code_and_are_counted() {
    const WRITTEN: u32 = 9_900;
    let ground = Memory::new().await;
    let mute = Arc::new(Mute::default());
    let code = logging(|cx| (0..WRITTEN).for_each(|n| cx.log().info(n)));
    let runtime = Runtime::on_store(ground.0.connect_with(mute.clone())).workflow(code.clone());
    let runtime = runtime.start().await.unwrap();
    let run = runtime.run(&code, ()).start().await.unwrap();

    soon("its end", run.wait()).await.unwrap();

    assert_eq!(lines(&runtime, run.id()).await, [], "the run ended, and no line could be written");
    mute.over.store(true, Ordering::SeqCst);
    let said = async || runtime.logs(run.id(), LogQuery::default().level_min(Level::Warn)).await.unwrap();
    until("it is said how many were dropped", async || !said().await.is_empty()).await;
    let dropped: u32 = said().await.iter().map(|line| line.dropped).sum();
    assert!(dropped > 1_000, "{dropped} were dropped");
    let kept = async || runtime.log_counts(run.id(), LogQuery::default()).await.unwrap().of(Level::Info);
    until("the rest is written", async || kept().await + u64::from(dropped) >= u64::from(WRITTEN)).await;
    assert_eq!(kept().await + u64::from(dropped), u64::from(WRITTEN));
    let message = said().await[0].line.message.clone();
    assert_eq!(message, format!("dropped {dropped} lines: too many waited to be written"));
}
