//! One event of every kind, each legal in [`running`] or [`queued`].

use std::collections::BTreeMap;

use runlog::model::condition::{Conditions, Expr, SkipReason, Term};
use runlog::model::event::*;
use runlog::model::evolve::{born, evolve};
use runlog::model::failure::CHILD;
use runlog::model::plan::{PlannedTask, Role};
use runlog::model::state::StepTimes;
use runlog::model::{
    Event, Failure, Key, Namespace, NodeId, OpKey, PatchId, Payload, Plan, Recorded, RunEvent, RunId,
    RunState, SignalName, Status, TaskEvent, TaskName, Timestamp, Version, WorkflowName,
};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_767_225_600 + second, 0).expect("a time")
}

pub(crate) fn run(n: u64) -> RunId {
    RunId::from_tick((1_767_225_600_000 << 12) + n, n)
}

pub(crate) fn task_name(text: &str) -> TaskName {
    TaskName::new(text).expect("a name")
}

pub(crate) fn op(name: &str) -> OpKey {
    OpKey { name: name.into(), occurrence: 0 }
}

pub(crate) fn payload(text: &str) -> Payload {
    Payload::parse(text).expect("JSON")
}

pub(crate) fn signal_name(text: &str) -> SignalName {
    SignalName::new(text).expect("a name")
}

pub(crate) fn recorded(seq: u32, event: impl Into<Event>) -> Recorded {
    Recorded { seq, at: at(i64::from(seq)), node: Some(NodeId(1)), event: event.into() }
}

pub(crate) fn of_task(task: &str, attempt: u32, event: impl Into<TaskEvent>) -> Event {
    Event::Task(Place { task: task_name(task), attempt }, event.into())
}

pub(crate) fn created() -> RunCreated {
    RunCreated {
        workflow: WorkflowName::new("checkout").expect("a name"),
        version: Version::new("3").expect("a version"),
        namespace: Namespace::new("shop").expect("a name"),
        key: Some(Key::new("order-42").expect("a key")),
        input: payload(r#"{"b":123456789012345678901234567890,"a":1}"#),
        metadata: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
        priority: 5,
        start_at: Some(at(1)),
        start_deadline: Some(at(9_000)),
        timeout_ms: Some(9_000_000),
        trigger: Trigger::Parent,
        parent: Some(Parent { run: run(1), task: task_name("a"), op: op("invoice"), depth: 1 }),
        trace: None,
        limit: None,
    }
}

/// Three tasks beside each other and one that runs on failure; the output is the third one's.
pub(crate) fn plan() -> Plan {
    let task = |name: &str, role| PlannedTask::new(task_name(name), vec![], role);
    let tasks = [("a", Role::Task), ("b", Role::Task), ("done", Role::Task), ("refund", Role::OnFailure)];
    Plan { tasks: tasks.map(|(name, role)| task(name, role)).into(), output: 2 }
}

/// As [`plan`], with two tasks whose conditions are a time, another one, or a signal.
pub(crate) fn conditional_plan() -> Plan {
    let terms = vec![
        Term::Elapsed { ms: 70_000 },
        Term::Elapsed { ms: 80_000 },
        Term::Signal { name: signal_name("go on"), judged: false },
    ];
    let wait_for = Some(Expr::Any(vec![Expr::All(vec![Expr::Term(0), Expr::Term(1)]), Expr::Term(2)]));
    let conditions = Conditions { terms, wait_for, ..Conditions::default() };
    let task = |name| PlannedTask {
        conditions: Some(Box::new(conditions.clone())),
        ..PlannedTask::new(task_name(name), vec![], Role::Task)
    };
    let mut plan = plan();
    plan.tasks.extend(["open", "closed"].map(task));
    plan
}

fn failure() -> Failure {
    let mut failure = Failure::new(CHILD, "card declined").at("src/pay.rs:12");
    failure.chain.push("HTTP 402".to_owned());
    failure
}

pub(crate) fn times(second: i64) -> StepTimes {
    StepTimes { started_at: at(second), finished_at: at(second + 1), tries: 2 }
}

pub(crate) fn reused_step() -> ReusedOp {
    ReusedOp::Step { input_hash: Some("9f86d081".to_owned()), output: payload("{}"), times: times(3) }
}

/// One event of every kind. Task events are of attempt 1 at task `a`, but for the one that begins task `b` and those that
/// stand before any attempt.
pub(crate) fn samples() -> Vec<Event> {
    let run_events: [RunEvent; 10] = [
        created().into(),
        RunClaimed {}.into(),
        RunStarted { plan: plan(), assigned_at: Some(at(2)) }.into(),
        CancelRequested { reason: Some("why".into()), by: Some("who".into()), abort_at: at(99) }.into(),
        SignalReceived { name: signal_name("paid"), key: None, payload: payload("[1e400]"), sent_at: at(3) }
            .into(),
        RunBlocked { report: "step 2 is gone".into() }.into(),
        RunSucceeded {}.into(),
        RunFailed { task: Some(task_name("a")), error: failure() }.into(),
        RunCancelled { reason: Some("why".into()), by: None }.into(),
        RunTimedOut { timeout: Timeout::Run, deadline: at(9_000) }.into(),
    ];
    let input_hash = Some("9f86d081".to_owned());
    let outcome =
        ChildOutcome { status: Status::Succeeded, output: Some(payload("{\"total\":3}")), error: None };
    let task_events: [TaskEvent; 23] = [
        AttemptStarted { deadline: Some(at(500)) }.into(),
        TimeoutExtended { deadline: at(600) }.into(),
        AttemptSucceeded { output: payload("\"ok\"") }.into(),
        AttemptFailed { error: failure(), retry_at: Some(at(30)), allowed: None }.into(),
        StepStarted { op: op("charge"), input_hash: input_hash.clone() }.into(),
        StepCompleted { op: op("charge"), input_hash: input_hash.clone(), output: payload("{}"), us: 1_500 }
            .into(),
        StepFailed {
            op: op("charge"),
            input_hash,
            error: failure(),
            retry_at: Some(at(40)),
            allowed: None,
            us: 7,
        }
        .into(),
        TimerStarted { op: op("nap"), fire_at: at(50) }.into(),
        TimerFired { op: op("open sleep") }.into(),
        SignalAwaited { op: op("paid"), signal: signal_name("paid"), key: None, deadline: Some(at(60)) }
            .into(),
        SignalTimedOut { op: op("open signal") }.into(),
        WaitAbandoned { op: op("open sleep") }.into(),
        ChildStarted {
            op: op("invoice"),
            run: run(8),
            workflow: WorkflowName::new("invoice").expect("a name"),
            version: Version::new("1").expect("a version"),
            input_hash: "60303ae2".into(),
        }
        .into(),
        ChildFinished { op: op("open child"), run: run(7), outcome }.into(),
        RaceWon { op: op("first"), winner: 1, lost: Vec::new(), spawned: false }.into(),
        TimeRead { op: op("now"), now: at(4) }.into(),
        PatchMarked { patch: PatchId::new("fraud check").expect("an id"), applies: true }.into(),
        TaskReused { output: payload("[1]") }.into(),
        TaskResumed { work: run(1), patches: [(PatchId::new("fraud check").expect("an id"), true)].into() }
            .into(),
        OpReused { op: op("charge"), optional: true, recorded: reused_step() }.into(),
        ConditionsOpened { due: vec![(0, at(70))] }.into(),
        ConditionDecided { term: 1, met: true }.into(),
        TaskSkipped { because: SkipReason::Condition { condition: "signal `stop`".into() } }.into(),
    ];
    let place = |event: TaskEvent| match event {
        TaskEvent::AttemptStarted(_) => of_task("b", 1, event),
        TaskEvent::TaskReused(_) => of_task("done", 0, event),
        TaskEvent::TaskResumed(_) => of_task("b", 0, event),
        TaskEvent::OpReused(_) => of_task("a", 0, event),
        TaskEvent::ConditionsOpened(_) | TaskEvent::TaskSkipped(_) => of_task("closed", 0, event),
        TaskEvent::ConditionDecided(_) => of_task("open", 0, event),
        event => of_task("a", 1, event),
    };
    run_events.into_iter().map(Event::Run).chain(task_events.into_iter().map(place)).collect()
}

pub(crate) fn queued() -> RunState {
    born(run(2), &recorded(1, RunEvent::from(created()))).expect("a birth")
}

/// A replay that has not started; its task `a` goes on with its work.
pub(crate) fn replay() -> RunState {
    let trigger = Trigger::Replay { of: run(1), by: None, reason: None, from: None, trace: None };
    let created = RunCreated { trigger, parent: None, key: None, ..created() };
    let state = born(run(2), &recorded(1, RunEvent::from(created))).expect("a birth");
    follow(state, [of_task("a", 0, TaskResumed { work: run(1), patches: Default::default() })])
}

/// A run whose task `a` is under way with a sleep, a signal and a child open; `b` waits, `done` has its output, and
/// `open` waits for its conditions, which nobody looks at for `closed`.
pub(crate) fn running() -> RunState {
    let child = ChildStarted {
        op: op("open child"),
        run: run(7),
        workflow: WorkflowName::new("invoice").expect("a name"),
        version: Version::new("1").expect("a version"),
        input_hash: "h".into(),
    };
    let events: [Event; 8] = [
        RunEvent::from(RunStarted { plan: conditional_plan(), assigned_at: None }).into(),
        of_task("open", 0, ConditionsOpened { due: vec![(0, at(70)), (1, at(80))] }),
        of_task("a", 1, AttemptStarted { deadline: None }),
        of_task("done", 1, AttemptStarted { deadline: None }),
        of_task("done", 1, AttemptSucceeded { output: payload("1") }),
        of_task("a", 1, TimerStarted { op: op("open sleep"), fire_at: at(50) }),
        of_task(
            "a",
            1,
            SignalAwaited {
                op: op("open signal"),
                signal: signal_name("go"),
                key: None,
                deadline: Some(at(60)),
            },
        ),
        of_task("a", 1, child),
    ];
    follow(queued(), events)
}

/// Folds events that must be legal.
pub(crate) fn follow(state: RunState, events: impl IntoIterator<Item = Event>) -> RunState {
    events.into_iter().fold(state, |state, event| {
        let next = recorded(state.seq + 1, event);
        evolve(state, &next).expect("a legal event")
    })
}

/// A run of each status.
pub(crate) fn of_status(status: Status) -> RunState {
    let end = |event: RunEvent| follow(running(), [event.into()]);
    match status {
        Status::Queued => queued(),
        Status::Running => running(),
        Status::Succeeded => end(RunSucceeded {}.into()),
        Status::Failed => end(RunFailed { task: None, error: failure() }.into()),
        Status::Cancelled => end(RunCancelled { reason: None, by: None }.into()),
        Status::TimedOut => end(RunTimedOut { timeout: Timeout::Run, deadline: at(1) }.into()),
    }
}
