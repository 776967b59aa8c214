//! What a span tells, on logs written by hand.

use runlog::Failure;
use runlog::model::event::*;
use runlog::model::failure::{PANIC, TASK_TIMED_OUT};
use runlog::model::{
    Event, NodeId, Payload, Recorded, RunEvent, RunId, Status, TraceContext, TraceState, Version,
    WorkflowName,
};
use runlog::telemetry::ids;
use runlog::telemetry::spans::{Span, SpanStatus, Value};

use super::rules::spans_of;
use crate::model::samples::{at, created, of_task, op, payload, plan, run, signal_name, task_name};

/// A log of events, one a second, by node 1 unless it says otherwise.
fn log(events: impl IntoIterator<Item = Event>) -> Vec<Recorded> {
    let recorded = |(seq, event)| Recorded { seq, at: at(i64::from(seq)), node: Some(NodeId(1)), event };
    (1..).zip(events).map(recorded).collect()
}

fn birth() -> Event {
    RunEvent::from(RunCreated { parent: None, trigger: Trigger::Manual, key: None, ..created() }).into()
}

fn started() -> Event {
    RunEvent::from(RunStarted { plan: plan(), assigned_at: None }).into()
}

fn attempt(number: u32) -> Event {
    of_task("a", number, AttemptStarted { deadline: None })
}

fn failed(number: u32, error: Failure, retry: Option<i64>) -> Event {
    of_task("a", number, AttemptFailed { error, retry_at: retry.map(at), allowed: None })
}

fn declined() -> Failure {
    let mut failure = Failure::new("Declined", "card declined").at("src/pay.rs:12");
    failure.chain.push("HTTP 402".to_owned());
    failure
}

fn cancelling() -> Event {
    let (reason, by) = (Some("a typo".into()), Some("ada".into()));
    RunEvent::from(CancelRequested { reason, by, abort_at: at(99) }).into()
}

/// Writes spans a line each, in the order of their ends: name, seconds, outcome, and the error if it is one.
fn lines(spans: &[Span]) -> String {
    let mut text = String::from("\n");
    for span in spans {
        let seconds = |time: runlog::model::Timestamp| (time - at(0)).as_seconds_f64();
        let outcome = span.attribute("runlog.outcome").or(span.attribute("runlog.run.status"));
        let outcome = match outcome {
            Some(Value::Text(text)) => format!(" {text}"),
            _ => String::new(),
        };
        let error = match &span.status {
            SpanStatus::Unset => String::new(),
            SpanStatus::Error { description } => format!(" ERROR {description}"),
        };
        let events: Vec<_> = span.events.iter().map(|event| event.name).collect();
        let events = if events.is_empty() { String::new() } else { format!(" {events:?}") };
        let (start, end) = (seconds(span.start), seconds(span.end));
        text.push_str(&format!("{} {start}..{end}{outcome}{error}{events}\n", span.name));
    }
    text
}

fn text(span: &Span, key: &str) -> String {
    match span.attribute(key) {
        Some(Value::Text(text)) => text.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_run_is_its_start_its_attempts_and_what_they_waited_for() {
    let child = ChildStarted {
        op: op("invoice"),
        run: run(8),
        workflow: WorkflowName::new("invoice").expect("a name"),
        version: Version::new("1").expect("a version"),
        input_hash: "h".into(),
    };
    let outcome = ChildOutcome { status: Status::Succeeded, output: Some(Payload::null()), error: None };
    let step = StepCompleted { op: op("charge"), input_hash: None, output: payload("1"), us: 500_000 };
    let wait = SignalAwaited { op: op("paid"), signal: signal_name("paid"), key: None, deadline: None };
    let paid = SignalReceived { name: signal_name("paid"), key: None, payload: payload("1"), sent_at: at(3) };
    let log = log([
        birth(),
        started(),
        attempt(1),
        of_task("a", 1, step),
        of_task("a", 1, TimerStarted { op: op("sleep"), fire_at: at(6) }),
        of_task("a", 1, TimerFired { op: op("sleep") }),
        of_task("a", 1, child),
        RunEvent::from(paid.clone()).into(),
        of_task("a", 1, wait.clone()),
        of_task("a", 1, SignalAwaited { op: op("again"), ..wait }),
        RunEvent::from(paid).into(),
        of_task("a", 1, ChildFinished { op: op("invoice"), run: run(8), outcome }),
        of_task("a", 1, AttemptSucceeded { output: payload("1") }),
        RunEvent::from(RunSucceeded {}).into(),
    ]);
    let spans = spans_of(run(2), &log);
    let expected = "
start checkout 1..1
step charge 3.5..4 succeeded
sleep 5..6 succeeded
wait paid 9..9 succeeded
wait paid 10..11 succeeded
child invoice 7..12 succeeded
attempt a 3..13 succeeded
run checkout 1..14 SUCCEEDED [\"runlog.started\"]
";
    assert_eq!(lines(&spans), expected);
    assert_eq!(spans[0].attribute("runlog.metadata.team"), Some(&Value::from("payments")));
    assert_eq!(spans[1].attribute("runlog.step.tries"), Some(&Value::Int(1)));
    assert_eq!(spans[5].links[0].to.span_id, ids::start(run(8)));
}

#[test]
fn each_try_is_seen_and_each_attempt_is_a_span() {
    let failed_try = |retry: Option<i64>| StepFailed {
        op: op("charge"),
        input_hash: None,
        error: declined(),
        retry_at: retry.map(at),
        allowed: Some(Allowed { max: 2, stop: false }),
        us: 1_000_000,
    };
    let log = log([
        birth(),
        started(),
        attempt(1),
        of_task("a", 1, failed_try(Some(5))),
        of_task("a", 1, failed_try(Some(9))),
        // The next try never came.
        failed(1, declined(), Some(7)),
        attempt(2),
        of_task("a", 2, failed_try(None)),
        failed(2, declined(), None),
        RunEvent::from(RunFailed { task: Some(task_name("a")), error: declined() }).into(),
    ]);
    let spans = spans_of(run(2), &log);
    let expected = "
start checkout 1..1
step charge 3..6 abandoned ERROR card declined [\"exception\", \"exception\"]
attempt a 3..6 failed ERROR card declined [\"exception\"]
step charge 7..8 failed ERROR card declined [\"exception\"]
attempt a 7..9 failed ERROR card declined [\"exception\"]
run checkout 1..10 FAILED ERROR card declined [\"runlog.started\", \"exception\"]
";
    assert_eq!(lines(&spans), expected);
    let attempt = &spans[2];
    assert_eq!(text(attempt, "runlog.retry_at"), "2026-01-01T00:00:07.000000Z");
    assert_eq!(text(attempt, "error.type"), "Declined");
    assert_eq!(text(attempt, "code.file.path"), "src/pay.rs");
    assert_eq!(attempt.attribute("code.line.number"), Some(&Value::Int(12)));
    let told = |key: &str| {
        let found = attempt.events[0].attributes.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(told("exception.type"), Some(Value::from("Declined")));
    assert_eq!(told("exception.message"), Some(Value::from("card declined")));
    assert_eq!(told("runlog.error.chain"), Some(Value::Texts(vec!["HTTP 402".to_owned()])));
    assert_eq!(spans[5].attribute("runlog.run.retries"), Some(&Value::Int(1)));
    assert_eq!(text(&spans[5], "runlog.run.failed_task"), "a");
}

#[test]
fn to_be_cancelled_is_no_error_and_a_panic_meanwhile_is_one() {
    let cancelled = || {
        let (reason, by) = (Some("a typo".into()), Some("ada".into()));
        RunEvent::from(RunCancelled { reason, by }).into()
    };
    let gives_up = log([
        birth(),
        started(),
        attempt(1),
        of_task("a", 1, TimerStarted { op: op("sleep"), fire_at: at(60) }),
        cancelling(),
        failed(1, Failure::new("CxError", "cancelled: a typo"), None),
        cancelled(),
    ]);
    let spans = spans_of(run(2), &gives_up);
    let expected = "
start checkout 1..1
sleep 4..6 abandoned
attempt a 3..6 cancelled [\"exception\"]
run checkout 1..7 CANCELLED [\"runlog.started\", \"runlog.cancel_requested\"]
";
    assert_eq!(lines(&spans), expected);
    assert_eq!(text(&spans[3], "runlog.cancel.by"), "ada");
    let aborted = log([birth(), started(), attempt(1), cancelling(), cancelled()]);
    assert!(lines(&spans_of(run(2), &aborted)).contains("\nattempt a 3..5 cancelled\n"));
    let panics =
        log([birth(), started(), attempt(1), cancelling(), failed(1, Failure::new(PANIC, "oh"), None)]);
    assert!(lines(&spans_of(run(2), &panics)).contains("\nattempt a 3..5 failed ERROR oh"));
}

#[test]
fn timeouts_are_errors_and_a_signal_that_does_not_come_is_none() {
    let wait =
        SignalAwaited { op: op("paid"), signal: signal_name("paid"), key: None, deadline: Some(at(5)) };
    let of_run = RunEvent::from(RunTimedOut { timeout: Timeout::Run, deadline: at(8) });
    let running = log([
        birth(),
        started(),
        attempt(1),
        of_task("a", 1, wait),
        of_task("a", 1, SignalTimedOut { op: op("paid") }),
        failed(1, Failure::new(TASK_TIMED_OUT, "longer than 3 s"), Some(7)),
        attempt(2),
        of_run.into(),
    ]);
    let expected = "
start checkout 1..1
wait paid 4..5 timed_out
attempt a 3..6 timed_out ERROR longer than 3 s [\"exception\"]
attempt a 7..8 timed_out ERROR the run's time was up
run checkout 1..8 TIMED_OUT ERROR the run took longer than its timeout [\"runlog.started\"]
";
    let spans = spans_of(run(2), &running);
    assert_eq!(lines(&spans), expected);
    assert_eq!(text(&spans[4], "error.type"), "timed_out");
    let queued = RunEvent::from(RunTimedOut { timeout: Timeout::Start, deadline: at(2) });
    let spans = spans_of(run(2), &log([birth(), queued.into()]));
    let expected = "
start checkout 1..1
run checkout 1..2 TIMED_OUT ERROR the run was not started within its start_timeout
";
    assert_eq!(
        (lines(&spans).as_str(), text(&spans[1], "error.type").as_str()),
        (expected, "start_timed_out")
    );
}

#[test]
fn a_takeover_in_mid_attempt_is_one_span_with_the_true_times() {
    let mut log = log([
        birth(),
        started(),
        attempt(1),
        of_task("a", 1, StepStarted { op: op("once"), input_hash: None }),
        RunEvent::from(RunClaimed {}).into(),
        of_task("a", 1, StepCompleted { op: op("once"), input_hash: None, output: payload("1"), us: 9 }),
        of_task("a", 1, AttemptSucceeded { output: payload("1") }),
    ]);
    for recorded in &mut log[4..] {
        recorded.node = Some(NodeId(2));
    }
    let spans = spans_of(run(2), &log);
    let expected = "
start checkout 1..1
step once 4..6 succeeded
attempt a 3..7 succeeded [\"runlog.moved\"]
";
    assert_eq!(lines(&spans), expected);
    assert_eq!((spans[0].node, spans[2].node), (Some(NodeId(1)), Some(NodeId(2))));
    assert_eq!(spans[2].events[0].at, at(5));
}

#[test]
fn a_wait_that_is_dropped_gives_its_signal_back() {
    let wait =
        |name: &str| SignalAwaited { op: op(name), signal: signal_name("paid"), key: None, deadline: None };
    let paid = SignalReceived { name: signal_name("paid"), key: None, payload: payload("1"), sent_at: at(3) };
    let log = log([
        birth(),
        started(),
        attempt(1),
        of_task("a", 1, wait("first")),
        RunEvent::from(paid).into(),
        of_task("a", 1, WaitAbandoned { op: op("first") }),
        of_task("a", 1, wait("second")),
        of_task("a", 1, wait("third")),
        of_task("a", 1, WaitAbandoned { op: op("third") }),
    ]);
    let expected = "
start checkout 1..1
wait paid 4..5 succeeded
wait paid 7..7 succeeded
wait paid 8..9 abandoned
";
    assert_eq!(lines(&spans_of(run(2), &log)), expected);
}

#[test]
fn the_callers_trace_is_the_runs_and_a_childs_is_its_parents() {
    let mut caller =
        TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00").expect("one");
    caller.state = TraceState::parse("shop=1").expect("a state");
    let born = |trace: Option<TraceContext>| {
        let created = RunCreated { trace: trace.map(Box::new), ..created() };
        log([Event::from(RunEvent::from(created))])
    };
    let start = spans_of(run(2), &born(Some(caller.clone()))).remove(0);
    assert_eq!((start.trace_id, start.parent), (caller.trace_id, Some(caller.span_id)));
    assert_eq!((start.flags, &start.state), (caller.flags, &caller.state));
    assert_eq!(start.links, []);
    let of_parent = ids::run(run(1), None);
    let child = spans_of(run(2), &born(Some(of_parent.clone()))).remove(0);
    assert_eq!((child.trace_id, child.parent), (of_parent.trace_id, Some(ids::start(run(1)))));
    assert_eq!(text(&child, "runlog.parent.run.id"), run(1).to_string());
    // The log of a release that knew no traces.
    let old = spans_of(run(2), &born(None)).remove(0);
    assert_eq!((old.parent, old.links[0].to.span_id), (None, ids::start(run(1))));
    assert_ne!(old.trace_id, of_parent.trace_id);
}

#[test]
fn a_replay_is_a_trace_of_its_own_that_names_the_original() {
    let caller = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").expect("one");
    for trace in [None, Some(caller)] {
        let place = ids::run(run(1), trace.as_ref());
        let trigger =
            Trigger::Replay { of: run(1), by: None, reason: None, from: None, trace: trace.map(Box::new) };
        let reused =
            OpReused { op: op("charge"), optional: false, recorded: crate::model::samples::reused_step() };
        let log = log([
            RunEvent::from(RunCreated { trigger, parent: None, key: None, ..created() }).into(),
            of_task("done", 0, TaskReused { output: payload("1") }),
            of_task("a", 0, TaskResumed { work: run(1), patches: Default::default() }),
            of_task("a", 0, reused),
            started(),
            attempt(1),
            of_task("a", 1, AttemptSucceeded { output: payload("1") }),
            RunEvent::from(RunSucceeded {}).into(),
        ]);
        let spans = spans_of(run(2), &log);
        let expected = "
start checkout 1..1
attempt a 6..7 succeeded
run checkout 1..8 SUCCEEDED [\"runlog.started\"]
";
        assert_eq!(lines(&spans), expected, "what is taken over is in the original's trace");
        assert_eq!(spans[0].links[0].to, place);
        assert_ne!(spans[0].trace_id, place.trace_id);
        for span in [&spans[0], &spans[2]] {
            assert_eq!(text(span, "runlog.replay.of"), run(1).to_string());
        }
        assert_eq!(spans[2].attribute("runlog.replay.reused.tasks"), Some(&Value::Int(1)));
        assert_eq!(spans[2].attribute("runlog.replay.reused.ops"), Some(&Value::Int(1)));
    }
}

/// Whoever exported a run exports it with the same ids for ever.
#[test]
fn ids_never_change() {
    let id: RunId = "0198f3a2-0000-7000-8000-000000000001".parse().expect("an id");
    let child: RunId = "0198f3a2-0000-7000-8000-000000000002".parse().expect("an id");
    let task = task_name("charge");
    let text = format!(
        "{}\n{}\n{}\n{}\n{}\n{}\n{}",
        ids::run(id, None).traceparent(),
        ids::start(id),
        ids::whole(id),
        ids::attempt(id, &task, 1),
        ids::step(id, &task, 1, &op("pay")),
        ids::wait(id, &task, 1, &op("pay")),
        ids::child(id, child),
    );
    let expected = "00-a80004ecaa0aaff77ef0f59c02e998b1-a27cdb2d2245ded4-01
a27cdb2d2245ded4
88d2d7a89e02b257
15800daa7b5769d8
bf04e987a4f26918
c2c6c8edd73c714b
c6bcfbe9b82557d5";
    assert_eq!(text, expected);
}
