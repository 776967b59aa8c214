//! How events stand in the log.

use std::collections::BTreeSet;
use std::path::Path;

use runlog::model::condition::SkipReason;
use runlog::model::event::{
    Allowed, AttemptFailed, ChildFinished, ChildOutcome, CodecError, OpReused, Place, RaceWon, ReplayFrom,
    ReusedOp, RunCreated, RunStarted, SignalAwaited, SignalReceived, TaskSkipped, Trigger,
};
use runlog::model::{Event, Failure, Key, OpKey, Payload, RunEvent, Status, TaskEvent};

use super::samples::*;

fn kinds() -> BTreeSet<(&'static str, i16)> {
    RunEvent::KINDS.iter().chain(TaskEvent::KINDS).copied().collect()
}

fn place_of(event: &Event) -> Option<Place> {
    match event {
        Event::Run(_) => None,
        Event::Task(place, _) => Some(place.clone()),
    }
}

/// Writes an event down and reads it again.
fn again(event: &Event) -> Event {
    let encoded = event.encode().expect("JSON");
    Event::decode(encoded.kind, encoded.schema_version, place_of(event), &encoded.payload).expect("an event")
}

#[test]
fn every_kind_has_a_sample() {
    let sampled: BTreeSet<_> = samples().iter().map(Event::kind).collect();
    assert_eq!(sampled, kinds().into_iter().map(|(kind, _)| kind).collect());
}

#[test]
fn every_kind_is_read_as_it_was_written() {
    for event in samples() {
        assert_eq!(again(&event), event);
    }
}

#[test]
fn what_is_left_out_is_read_as_left_out() {
    let bare = RunCreated {
        key: None,
        metadata: Default::default(),
        priority: 0,
        start_at: None,
        start_deadline: None,
        timeout_ms: None,
        trigger: Trigger::Manual,
        parent: None,
        ..created()
    };
    let encoded = Event::from(RunEvent::from(bare.clone())).encode().expect("JSON");
    assert_eq!(
        encoded.payload,
        r#"{"workflow":"checkout","version":"3","namespace":"shop","input":{"b":123456789012345678901234567890,"a":1},"trigger":"manual"}"#
    );
    let event = Event::from(RunEvent::from(bare));
    assert_eq!(again(&event), event);
}

#[test]
fn what_a_races_losers_had_built_is_read_as_it_was_written() {
    let lost = vec![op("slow"), OpKey { name: "slow".into(), occurrence: 1 }];
    let event = of_task("a", 1, RaceWon { op: op("first"), winner: 1, lost, spawned: true });
    let encoded = event.encode().expect("JSON");
    assert_eq!(encoded.payload, r#"{"op":"first#0","winner":1,"lost":["slow#0","slow#1"],"spawned":true}"#);
    assert_eq!(again(&event), event);
}

#[test]
fn every_trigger_is_read_as_it_was_written() {
    let triggers = [
        Trigger::Manual,
        Trigger::Api { by: None },
        Trigger::Api { by: Some("ci".into()) },
        Trigger::Cron { schedule: "nightly".into(), due: at(1), by: None },
        Trigger::Schedule { schedule: "once".into(), due: Some(at(2)), by: Some("ann".into()) },
        Trigger::Event { id: "1".into(), key: "k".into(), payload: payload("[1, 2]") },
        Trigger::Parent,
        Trigger::Replay { of: run(1), by: None, reason: None, from: None, trace: None },
        replay_by(ReplayFrom::Failed),
        replay_by(ReplayFrom::Start),
        replay_by(ReplayFrom::Task(task_name("a"))),
    ];
    for trigger in triggers {
        let event = Event::from(RunEvent::from(RunCreated { trigger, ..created() }));
        assert_eq!(again(&event), event);
    }
}

fn replay_by(from: ReplayFrom) -> Trigger {
    let (by, reason) = (Some("ann".into()), Some("repaired".into()));
    Trigger::Replay { of: run(1), by, reason, from: Some(from), trace: None }
}

#[test]
fn a_replay_that_an_older_release_recorded_is_still_read() {
    let json =
        r#"{"workflow":"w","version":"1","namespace":"n","input":1,"trigger":{"replay":{"of":"RUN"}}}"#;
    let json = json.replace("RUN", &run(1).to_string());
    let Event::Run(RunEvent::Created(read)) = Event::decode("run_created", 1, None, &json).expect("an event")
    else {
        panic!("no creation")
    };
    assert_eq!(read.trigger, Trigger::Replay { of: run(1), by: None, reason: None, from: None, trace: None });
}

#[test]
fn whatever_a_replay_takes_over_is_read_as_it_was_written() {
    let (input_hash, error) = (None, Failure::new("E", "no"));
    let outcome = ChildOutcome { status: Status::Failed, output: None, error: Some(error.clone()) };
    let kept = [
        reused_step(),
        ReusedOp::Step { input_hash: None, output: Payload::null(), times: times(1) },
        ReusedOp::FailedStep { input_hash: input_hash.clone(), error, allowed: None, times: times(1) },
        ReusedOp::BegunStep { input_hash, at: at(1) },
        ReusedOp::Sleep { fire_at: at(2) },
        ReusedOp::Signal { signal: signal_name("go"), key: None, payload: Payload::null() },
        ReusedOp::MissedSignal { signal: signal_name("go"), key: None },
        ReusedOp::Signal { signal: signal_name("go"), key: Some(key("k")), payload: Payload::null() },
        ReusedOp::MissedSignal { signal: signal_name("go"), key: Some(key("k")) },
        ReusedOp::Child { run: run(3), input_hash: "h".into(), outcome },
        ReusedOp::Race { winner: 1, lost: vec![op("x")], spawned: true },
        ReusedOp::Now { now: at(3) },
        ReusedOp::Abandoned,
    ];
    for recorded in kept {
        let event = of_task("a", 0, OpReused { op: op("x"), optional: false, recorded: recorded.clone() });
        assert_eq!(again(&event), event);
        assert_eq!(ReusedOp::of(&recorded.clone().into()), Some(recorded));
    }
}

#[test]
fn a_childs_outcome_is_read_as_it_was_written() {
    let error = Some(Failure::new("E", "no"));
    let outcomes = [
        ChildOutcome { status: Status::Succeeded, output: Some(payload("[1]")), error: None },
        ChildOutcome { status: Status::Succeeded, output: Some(Payload::null()), error: None },
        ChildOutcome { status: Status::Failed, output: None, error },
        ChildOutcome { status: Status::Cancelled, output: None, error: None },
    ];
    for outcome in outcomes {
        let event = of_task("a", 1, ChildFinished { op: op("c"), run: run(7), outcome });
        assert_eq!(again(&event), event);
    }
}

#[test]
fn a_plan_with_conditions_is_read_as_it_was_written() {
    let mut plan = conditional_plan();
    plan.tasks.drain(..4);
    plan.tasks.truncate(1);
    plan.output = 0;
    let first = plan.tasks.first_mut().expect("a task");
    (first.after, first.optional) = (vec![0], vec![0]);
    let event = Event::from(RunEvent::from(RunStarted { plan, assigned_at: None }));
    assert_eq!(
        event.encode().expect("JSON").payload,
        concat!(
            r#"{"plan":{"tasks":[{"name":"open","after":[0],"role":"task","optional":[0],"conditions":{"terms":["#,
            r#"{"elapsed":{"ms":70000}},{"elapsed":{"ms":80000}},{"signal":{"name":"go on","judged":false}}],"#,
            r#""cancel_if":null,"skip_if":null,"#,
            r#""wait_for":{"any":[{"all":[{"term":0},{"term":1}]},{"term":2}]}}}],"output":0}}"#,
        )
    );
    assert_eq!(again(&event), event);
}

#[test]
fn every_reason_to_skip_is_read_as_it_was_written() {
    let condition = || "signal `stop`".to_owned();
    let reasons = [
        SkipReason::Condition { condition: condition() },
        SkipReason::Unreachable { condition: condition() },
        SkipReason::After { task: task_name("a") },
    ];
    for because in reasons {
        let event = of_task("b", 0, TaskSkipped { because });
        assert_eq!(again(&event), event);
    }
}

#[test]
fn what_a_failed_try_was_allowed_is_read_as_it_was_written() {
    let allowed = Some(Allowed { max: 3, stop: true });
    let failed = AttemptFailed { error: Failure::new("E", "no"), retry_at: None, allowed };
    let event = of_task("a", 3, failed);
    assert!(event.encode().expect("JSON").payload.ends_with(r#","allowed":{"max":3,"stop":true}}"#));
    assert_eq!(again(&event), event);
}

#[test]
fn every_kind_ever_shipped_is_still_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/model/golden");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(&golden).expect("the golden files") {
        let path = file.expect("a file").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let (kind, version) = name.strip_suffix(".json").and_then(|name| name.split_once(".v")).expect(&name);
        let version: i16 = version.parse().expect(&name);
        let sample = samples().into_iter().find(|event| event.kind() == kind).expect(&name);
        let json = std::fs::read_to_string(&path).expect(&name);

        let read = Event::decode(kind, version, place_of(&sample), json.trim_end()).expect(&name);

        assert_eq!(read, sample, "{name}");
        found.insert((sample.kind(), version));
    }
    assert!(found.is_superset(&kinds()), "missing: {:?}", kinds().difference(&found).collect::<Vec<_>>());
}

#[test]
fn what_a_newer_release_wrote_is_named() {
    let unknown = Event::decode("run_paused", 1, None, "{}");
    assert!(matches!(unknown, Err(CodecError::UnknownKind { kind }) if kind == "run_paused"));
    for version in [0, 2] {
        let newer = Event::decode("run_claimed", version, None, "{}");
        assert!(matches!(newer, Err(CodecError::UnknownVersion { newest: 1, .. })), "{newer:?}");
    }
    let malformed = Event::decode("run_blocked", 1, None, "{}");
    assert!(matches!(malformed, Err(CodecError::Payload { .. })), "{malformed:?}");
    let placeless = Event::decode("timer_fired", 1, None, r#"{"op":"nap#0"}"#);
    assert!(matches!(placeless, Err(CodecError::NoPlace { .. })), "{placeless:?}");
}

#[test]
fn a_field_of_a_newer_release_is_passed_over() {
    let read = Event::decode("run_blocked", 1, None, r#"{"report":"r","since":3}"#).expect("an event");
    assert_eq!(read.kind(), "run_blocked");
}

#[test]
fn a_signal_of_a_key_is_read_as_it_was_written() {
    let wait =
        SignalAwaited { op: op("go"), signal: signal_name("go"), key: Some(key("order-7")), deadline: None };
    let event = of_task("a", 1, wait);
    assert_eq!(event.encode().unwrap().payload, r#"{"op":"go#0","signal":"go","key":"order-7"}"#);
    assert_eq!(again(&event), event);
    let came = SignalReceived {
        name: signal_name("go"),
        key: Some(key("order-7")),
        payload: payload("1"),
        sent_at: at(3),
    };
    let event = Event::from(RunEvent::from(came));
    assert_eq!(again(&event), event);
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}
