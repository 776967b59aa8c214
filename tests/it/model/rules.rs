//! Rules of a run's life that were broken once.

use std::time::Duration;

use runlog::model::command::MessageBody;
use runlog::model::decide::decide;
use runlog::model::effects::wake_at;
use runlog::model::event::*;
use runlog::model::limits::EVENTS_MAX;
use runlog::model::{
    Command, Event, Failure, Message, MessageId, Now, Plan, Report, Retry, Rules, RunEvent, RunState, Status,
    TaskEvent, TaskRules, TaskStatus, Verdict, snapshot,
};

use super::samples::*;

fn now(second: i64, rules: &Rules) -> Now<'_> {
    Now { at: at(second), chance: 0.0, rules }
}

fn tick(state: &RunState, second: i64) -> Vec<Event> {
    decide(state, Command::Tick, now(second, &Rules::default())).expect("a decision")
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

fn message(body: MessageBody) -> Message {
    Message { id: MessageId(1), sent_at: at(1), body }
}

fn deliver(state: &RunState, bodies: impl IntoIterator<Item = MessageBody>) -> Vec<Event> {
    let messages = bodies.into_iter().map(message).collect();
    decide(state, Command::Deliver { messages, live: true }, now(9, &Rules::default())).expect("a decision")
}

fn ended(child: u64) -> MessageBody {
    let outcome = ChildOutcome { status: Status::Succeeded, output: Some(payload("1")), error: None };
    MessageBody::ChildFinished { run: run(child), outcome }
}

fn child(child: u64) -> ChildStarted {
    let workflow = runlog::model::WorkflowName::new("invoice").expect("a name");
    let version = runlog::model::Version::new("1").expect("a version");
    ChildStarted { op: op("open child"), run: run(child), workflow, version, input_hash: "h".into() }
}

fn cancel() -> MessageBody {
    MessageBody::Cancel { reason: None, by: None, grace_ms: 1_000 }
}

fn signal(name: &str) -> MessageBody {
    MessageBody::Signal { name: signal_name(name), key: None, payload: payload("1") }
}

/// A started run of one task, `a`, and nothing open.
fn plain() -> RunState {
    let plan = Plan::function(task_name("a"));
    let start = RunEvent::from(RunStarted { plan, assigned_at: None });
    follow(queued(), [start.into(), of_task("a", 1, AttemptStarted { deadline: None })])
}

#[test]
fn a_step_that_was_retried_and_completed_leaves_nothing_due() {
    let failed = StepFailed {
        op: op("charge"),
        input_hash: None,
        error: Failure::new("E", "no"),
        retry_at: Some(at(40)),
        allowed: None,
        us: 1,
    };
    let done = StepCompleted { op: op("charge"), input_hash: None, output: payload("1"), us: 1 };
    let state = follow(plain(), [of_task("a", 1, failed), of_task("a", 1, done)]);
    assert_eq!(wake_at(&state, at(41)), state.deadline);
}

#[test]
fn a_cancelled_run_wakes_for_nothing_but_its_abort_and_its_waits() {
    let cancel = CancelRequested { reason: None, by: None, abort_at: at(9_500_000) };
    let failed = AttemptFailed { error: Failure::new("E", "no"), retry_at: Some(at(30)), allowed: None };
    let state = follow(plain(), [of_task("a", 1, failed), RunEvent::from(cancel).into()]);
    assert!(state.deadline.is_some_and(|deadline| deadline < at(9_500_000)));
    assert_eq!(wake_at(&state, at(9)), Some(at(9_500_000)));
    assert_eq!(tick(&state, 9_400_000), []);
    assert_eq!(kinds(&tick(&state, 9_500_000)), ["run_cancelled"]);
}

#[test]
fn the_on_failure_task_does_not_begin_beside_another_task() {
    let failed = AttemptFailed { error: Failure::new("E", "no"), retry_at: Some(at(30)), allowed: None };
    let state = follow(
        running(),
        [of_task("a", 1, failed), of_task("b", 1, AttemptStarted { deadline: Some(at(35)) })],
    );

    let events = tick(&state, 36);
    let state = follow(state, events);

    let under_way: Vec<_> = state.tasks.iter().filter(|task| task.status == TaskStatus::Running).collect();
    assert_eq!(under_way.len(), 1, "{under_way:?}");
}

#[test]
fn a_child_may_end_after_its_wait_was_dropped() {
    let state = follow(running(), [of_task("a", 1, WaitAbandoned { op: op("open child") })]);
    let events = deliver(&state, [ended(7)]);
    assert_eq!(kinds(&events), ["child_finished"]);
    let state = follow(state, events);
    assert!(state.children[&run(7)].outcome.is_some());
}

#[test]
fn a_child_of_an_earlier_attempt_does_not_answer_for_a_later_one() {
    let failed = AttemptFailed { error: Failure::new("E", "no"), retry_at: Some(at(30)), allowed: None };
    let state = follow(
        running(),
        [
            of_task("a", 1, WaitAbandoned { op: op("open child") }),
            of_task("a", 1, failed),
            of_task("a", 2, AttemptStarted { deadline: None }),
            of_task("a", 2, child(8)),
        ],
    );
    let events = deliver(&state, [ended(7)]);
    let state = follow(state, events);
    assert!(state.children[&run(7)].outcome.is_some());
    let (_, task) = state.task(&task_name("a")).expect("a task");
    let waiting = &task.ops[&op("open child")].state;
    assert!(matches!(waiting, runlog::model::state::OpState::Child { outcome: None, .. }), "{waiting:?}");
}

#[test]
fn a_childs_end_that_comes_twice_is_one_event() {
    let events = deliver(&running(), [ended(7), ended(7)]);
    assert_eq!(kinds(&events), ["child_finished"]);
}

#[test]
fn a_full_log_ends_its_run_and_can_still_be_cancelled() {
    let full = RunState { seq: EVENTS_MAX, ..running() };
    let failed = deliver(&full, [signal("go")]);
    assert_eq!(kinds(&failed), ["run_failed"]);
    let told = deliver(&full, [cancel()]);
    assert_eq!(kinds(&told), ["cancel_requested"]);
    let ended = deliver(&follow(full, told), [signal("go")]);
    assert_eq!(kinds(&ended), ["run_cancelled"], "what was promised is kept");
}

#[test]
fn a_task_that_ended_takes_no_signal() {
    let state = follow(running(), [of_task("a", 1, AttemptSucceeded { output: payload("1") })]);
    let events = deliver(&state, [signal("go")]);
    let state = follow(state, events);
    assert_eq!(state.signals.len(), 1, "it waits for the next one that asks");
}

#[test]
fn a_blocked_run_that_goes_on_is_blocked_no_more() {
    let blocked = RunEvent::from(RunBlocked { report: "step 2 is gone".into() });
    let state = follow(running(), [blocked.into()]);
    let waits = of_task("a", 1, TimerFired { op: op("open sleep") });
    let state = follow(state, [waits]);
    assert!(state.blocked.is_some(), "time passes without the code");
    let state = follow(state, [of_task("a", 1, TimeRead { op: op("now"), now: at(4) })]);
    assert_eq!(state.blocked, None);
}

#[test]
fn a_snapshot_keeps_how_a_child_ended() {
    let null = runlog::model::Payload::null();
    let outcomes = [
        ChildOutcome { status: Status::Succeeded, output: Some(null), error: None },
        ChildOutcome { status: Status::Failed, output: None, error: Some(Failure::new("E", "no")) },
        ChildOutcome { status: Status::Cancelled, output: None, error: None },
    ];
    for outcome in outcomes {
        let finished = ChildFinished { op: op("open child"), run: run(7), outcome };
        let state = follow(running(), [of_task("a", 1, finished)]);
        let bytes = snapshot::write(&state).expect("bytes");
        let read = snapshot::read(state.id, state.seq, snapshot::FORMAT, &bytes);
        assert_eq!(read.as_ref(), Some(&state));
    }
}

#[test]
fn a_damaged_snapshot_is_ignored() {
    let state = running();
    let bytes = snapshot::write(&state).expect("bytes");
    let read = |run, seq, format, bytes: &[u8]| snapshot::read(run, seq, format, bytes);
    assert!(read(state.id, state.seq, snapshot::FORMAT, &bytes).is_some());
    assert_eq!(read(run(99), state.seq, snapshot::FORMAT, &bytes), None);
    assert_eq!(read(state.id, state.seq + 1, snapshot::FORMAT, &bytes), None);
    assert_eq!(read(state.id, state.seq, snapshot::FORMAT + 1, &bytes), None);
    assert_eq!(read(state.id, state.seq, snapshot::FORMAT, &bytes[..bytes.len() - 1]), None);
    assert_eq!(read(state.id, state.seq, snapshot::FORMAT, &[bytes.as_slice(), &[0]].concat()), None);
    assert_eq!(read(state.id, state.seq, snapshot::FORMAT, &[]), None);
}

#[test]
fn a_task_whose_last_attempt_ran_out_of_time_fails_its_run() {
    let rules = Rules {
        tasks: vec![TaskRules {
            retry: Retry::fixed(Duration::from_secs(5)).max_attempts(2),
            timeout: Some(Duration::from_secs(10)),
        }],
    };
    let plan = Plan::function(task_name("a"));
    let start = Command::Start { plan, assigned_at: None };
    let mut state = queued();
    let mut seen = Vec::new();
    for (second, command) in [(2, start), (12, Command::Tick), (17, Command::Tick), (30, Command::Tick)] {
        let events = decide(&state, command, now(second, &rules)).expect("a decision");
        seen.push(kinds(&events).join(" "));
        state = follow(state, events);
    }
    let expected =
        ["run_started attempt_started", "attempt_failed", "attempt_started", "attempt_failed run_failed"];
    assert_eq!(seen, expected);
    assert_eq!((state.status, state.tasks[0].status), (Status::Failed, TaskStatus::TimedOut));
    assert_eq!(Verdict::from(true), Verdict::Retry);
}

#[test]
fn a_run_is_not_started_before_its_time() {
    let rules = Rules::default();
    let state = queued();
    let due = state.queued_until();
    let start = |instant| {
        let command = Command::Start { plan: plan(), assigned_at: None };
        decide(&state, command, Now { at: instant, chance: 0.0, rules: &rules }).expect("a decision")
    };
    assert_eq!(start(due - chrono::TimeDelta::microseconds(1)), []);
    assert_eq!(kinds(&start(due)).first(), Some(&"run_started"));
}

#[test]
fn a_failed_try_says_what_the_code_allowed() {
    let retry = Retry::fixed(Duration::from_secs(1)).max_attempts(3);
    let rules = Rules { tasks: vec![TaskRules { retry: retry.clone(), timeout: None }] };
    let step = |verdict| Report::StepFailed {
        op: op("charge"),
        input_hash: None,
        error: Failure::new("E", "no"),
        verdict,
        retry: retry.clone().max_attempts(7),
        took: Duration::ZERO,
    };
    let task = |verdict| Report::Failed { error: Failure::new("E", "no"), verdict };
    let cases = [
        (step(Verdict::Retry), 7, false),
        (step(Verdict::Stop), 7, true),
        (task(Verdict::After(Duration::ZERO)), 3, false),
        (task(Verdict::Stop), 3, true),
    ];
    for (report, max, stop) in cases {
        let command = Command::Advance { task: task_name("a"), attempt: 1, reports: vec![report] };
        let events = decide(&plain(), command, now(9, &rules)).expect("a decision");
        let allowed = match &events[0] {
            Event::Task(_, TaskEvent::StepFailed(failed)) => failed.allowed,
            Event::Task(_, TaskEvent::AttemptFailed(failed)) => failed.allowed,
            other => panic!("{other:?}"),
        };
        assert_eq!(allowed, Some(Allowed { max, stop }));
    }
}
