//! Whole lives of runs, drawn at random.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use runlog::model::command::{MessageBody, WaitUntil};
use runlog::model::condition::{Conditions, Expr, Term};
use runlog::model::decide::decide;
use runlog::model::effects::{effects, wake_at};
use runlog::model::event::{ChildOutcome, ChildStarted, ReplayFrom, Trigger};
use runlog::model::evolve::{evolve, fold};
use runlog::model::mail::mail;
use runlog::model::plan::{PlannedTask, Role};
use runlog::model::replay::{Takeover, take_over};
use runlog::model::{
    Command, Event, Failure, Key, Message, MessageId, NodeId, Now, PatchId, Payload, Plan, Recorded,
    Rejection, Report, Retry, Rules, RunEvent, RunId, RunState, Status, TaskEvent, TaskRules, TaskStatus,
    Verdict, snapshot,
};

use super::samples::{at, created, op, payload, run, signal_name, task_name};

/// One thing that happens; the numbers choose among what there is.
#[derive(Clone, Debug)]
enum Happening {
    Start,
    Pass { seconds: u32 },
    Report { task: usize, report: u8, op: u8, seconds: u32 },
    Mail { bodies: Vec<u8>, live: bool },
    Block,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        1 => Just(Happening::Start),
        6 => (0_u32..40).prop_map(|seconds| Happening::Pass { seconds }),
        1 => (100_u32..300).prop_map(|seconds| Happening::Pass { seconds }),
        8 => (0_usize..4, 0_u8..14, 0_u8..4, 0_u32..30)
            .prop_map(|(task, report, op, seconds)| Happening::Report { task, report, op, seconds }),
        2 => (proptest::collection::vec(0_u8..14, 1..4), any::<bool>())
            .prop_map(|(bodies, live)| Happening::Mail { bodies, live }),
        1 => Just(Happening::Block),
    ]
}

/// Two tasks beside each other, one after both, and one that runs on failure.
fn diamond() -> Plan {
    let task = |name, after: &[u16], role| PlannedTask::new(task_name(name), after.to_vec(), role);
    let tasks = vec![
        task("a", &[], Role::Task),
        task("b", &[], Role::Task),
        task("c", &[0, 1], Role::Task),
        task("refund", &[], Role::OnFailure),
    ];
    Plan { tasks, output: 2 }
}

/// As [`diamond`], with a task after `b`; `b` and `c` have conditions, `c` does without `b`.
fn conditional() -> Plan {
    let signal = |name: &str, judged| Term::Signal { name: signal_name(name), judged };
    let mut plan = diamond();
    plan.tasks.push(PlannedTask::new(task_name("d"), vec![1], Role::Task));
    let of_b = Conditions {
        terms: vec![signal("s1", false), signal("s0", false), Term::Elapsed { ms: 5_000 }],
        skip_if: Some(Expr::Term(0)),
        wait_for: Some(Expr::Any(vec![Expr::Term(1), Expr::Term(2)])),
        ..Conditions::default()
    };
    let of_c = Conditions {
        terms: vec![
            Term::Output { task: 0 },
            signal("s2", true),
            Term::Elapsed { ms: 15_000 },
            signal("s0", true),
        ],
        cancel_if: Some(Expr::All(vec![Expr::Term(0), Expr::Term(1)])),
        skip_if: Some(Expr::Term(1)),
        wait_for: Some(Expr::Any(vec![Expr::All(vec![Expr::Term(0), Expr::Term(3)]), Expr::Term(2)])),
    };
    plan.tasks[1].conditions = Some(Box::new(of_b));
    plan.tasks[2].conditions = Some(Box::new(of_c));
    plan.tasks[2].optional = vec![1];
    plan
}

struct Life {
    plan: Plan,
    state: RunState,
    log: Vec<Recorded>,
    second: i64,
    rules: Rules,
    children: u64,
}

impl Life {
    fn begin(plan: Plan) -> Life {
        let mut origin = created();
        (origin.timeout_ms, origin.start_deadline, origin.start_at) = (Some(400_000), Some(at(60)), None);
        let first = Recorded { seq: 1, at: at(0), node: None, event: RunEvent::from(origin).into() };
        let state = fold(run(2), std::slice::from_ref(&first)).expect("a birth").expect("a run");
        let retry = Retry::exponential(Duration::from_secs(3)).max_attempts(3);
        let patient = TaskRules { retry: retry.clone(), timeout: None };
        let hasty = TaskRules { retry, timeout: Some(Duration::from_secs(20)) };
        let strict = TaskRules { retry: Retry::none(), timeout: Some(Duration::from_secs(30)) };
        let rules = Rules { tasks: vec![patient.clone(), hasty.clone(), strict, patient.clone(), patient] };
        Life { plan, state, log: vec![first], second: 0, rules, children: 100 }
    }

    /// Replays it: a new life that begins with what this one did.
    fn replay(&self, from: ReplayFrom) -> Life {
        let successor =
            |child: RunId| child.tick().is_multiple_of(2).then(|| RunId::from_tick(child.tick(), 99));
        let takeover = take_over((&self.state, &self.log), Some(&self.plan), &from, false, &successor);
        let mut origin = created();
        (origin.timeout_ms, origin.start_deadline, origin.start_at) = (Some(400_000), None, None);
        (origin.parent, origin.key) = (None, None);
        origin.trigger =
            Trigger::Replay { of: self.state.id, by: None, reason: None, from: Some(from), trace: None };
        let birth = std::iter::once(Event::from(RunEvent::from(origin)));
        let events = birth.chain(takeover.events.iter().map(again));
        let recorded = |(seq, event)| Recorded { seq, at: at(self.second), node: None, event };
        let log: Vec<Recorded> = (1..).zip(events).map(recorded).collect();
        let state = fold(run(3), &log).expect("a legal takeover").expect("a run");
        let plan = self.plan.clone();
        let replay = Life {
            plan,
            state,
            log,
            second: self.second,
            rules: self.rules.clone(),
            children: self.children,
        };
        replay.check();
        replay.check_takeover(&self.state, &takeover);
        replay
    }

    /// What has an output is reused or said not to be; the rest runs; no task is both.
    fn check_takeover(&self, original: &RunState, takeover: &Takeover) {
        for task in self.plan.tasks.iter().filter(|task| task.role == Role::Task) {
            let name = &task.name;
            let reused = takeover.reused.contains(name);
            let becomes = [reused, takeover.skipped.contains(name), takeover.rerun.contains(name)];
            assert_eq!(becomes.into_iter().filter(|is| *is).count(), 1, "{name}: {takeover:?}");
            let had_output = original.task(name).is_some_and(|(_, task)| task.has_output())
                || original.takes_over_output(name);
            let refused = takeover.not_reused.iter().any(|(task, _)| task == name);
            assert_eq!(had_output, reused || refused && had_output, "{name}: {takeover:?}");
            assert_eq!(self.state.takes_over_output(name), reused);
        }
        for (task, ops) in &takeover.resumed {
            assert!(takeover.rerun.contains(task));
            let known =
                original.task(task).map(|(_, task)| task.ops.keys().cloned().collect::<BTreeSet<_>>());
            assert!(known.is_none_or(|known| ops.iter().all(|op| known.contains(op))), "{takeover:?}");
        }
    }

    fn now(&self) -> Now<'_> {
        Now { at: at(self.second), chance: 0.25, rules: &self.rules }
    }

    fn live(&mut self, happening: Happening) {
        if let Happening::Pass { seconds } = happening {
            self.second += i64::from(seconds);
        }
        let lenient = matches!(happening, Happening::Report { .. });
        let Some(command) = self.command(happening) else { return };
        self.obey(command, lenient);
        self.judge();
        for _ in 0..100 {
            if wake_at(&self.state, at(self.second)).is_none_or(|wake| wake > at(self.second)) {
                return self.check();
            }
            assert!(
                self.obey(Command::Tick, false),
                "woken for nothing at {}: {:?}",
                self.second,
                self.state
            );
            self.judge();
        }
        panic!("woken without end: {:?}", self.state);
    }

    /// Answers whatever the conditions ask, now this and then that way, and now and then not at all.
    fn judge(&mut self) {
        while let Some(at) = (0..self.state.tasks.len()).find(|at| self.state.asks(*at)) {
            let seq = self.state.seq;
            let verdict = |(term, _): (u16, &Payload)| (term, !(seq + u32::from(term)).is_multiple_of(3));
            let verdicts = self.state.questions(at).into_iter().map(verdict).collect();
            let verdicts = if seq.is_multiple_of(13) { Err(failure()) } else { Ok(verdicts) };
            let task = self.state.tasks[at].name.clone();
            assert!(self.obey(Command::Judge { task, verdicts }, false), "an answer leads to nothing");
        }
    }

    fn command(&mut self, happening: Happening) -> Option<Command> {
        Some(match happening {
            Happening::Start => Command::Start { plan: self.plan.clone(), assigned_at: None },
            Happening::Pass { .. } => Command::Tick,
            Happening::Block => Command::Block { report: "r".into() },
            Happening::Mail { bodies, live } => {
                let message = |body| Message { id: MessageId(1), sent_at: at(self.second), body };
                let messages = bodies.into_iter().map(|body| message(self.body(body))).collect();
                Command::Deliver { messages, live }
            }
            Happening::Report { task, report, op, seconds } => {
                let running: Vec<_> =
                    self.state.tasks.iter().filter(|task| task.status == TaskStatus::Running).collect();
                let task = running.get(task % running.len().max(1))?;
                let (name, attempt) = (task.name.clone(), task.attempt());
                Command::Advance { task: name, attempt, reports: vec![self.report(report, op, seconds)] }
            }
        })
    }

    fn body(&self, choice: u8) -> MessageBody {
        match choice {
            0 => MessageBody::Cancel { reason: Some("why".into()), by: None, grace_ms: 7_000 },
            1..=6 => MessageBody::Signal {
                name: signal_name(&format!("s{}", choice % 3)),
                key: choice.is_multiple_of(2).then(|| Key::new("k").unwrap()),
                payload: payload("1"),
            },
            _ => {
                let outcome = match choice % 3 {
                    0 => {
                        ChildOutcome { status: Status::Succeeded, output: Some(Payload::null()), error: None }
                    }
                    1 => ChildOutcome { status: Status::Failed, output: None, error: Some(failure()) },
                    _ => ChildOutcome { status: Status::Cancelled, output: None, error: None },
                };
                let started = self.state.children.len().max(1);
                let child = self.state.children.keys().nth(usize::from(choice) % started);
                MessageBody::ChildFinished { run: child.copied().unwrap_or(run(99)), outcome }
            }
        }
    }

    fn report(&mut self, choice: u8, place: u8, seconds: u32) -> Report {
        let wait = Duration::from_secs(u64::from(seconds));
        let retry = Retry::fixed(wait).max_attempts(3);
        let key = |kind: &str| op(&format!("{kind}{place}"));
        match choice {
            0 => Report::StepStarted { op: key("step"), input_hash: None },
            1 | 2 => {
                Report::StepCompleted { op: key("step"), input_hash: None, output: payload("1"), took: wait }
            }
            3 => {
                let verdict = if seconds.is_multiple_of(3) { Verdict::Stop } else { Verdict::Retry };
                let error = failure();
                Report::StepFailed { op: key("step"), input_hash: None, error, verdict, retry, took: wait }
            }
            4 => Report::Sleep { op: key("sleep"), until: WaitUntil::After(wait) },
            5 => Report::AwaitSignal {
                op: key("signal"),
                signal: signal_name(&format!("s{}", place % 3)),
                key: place.is_multiple_of(2).then(|| Key::new("k").unwrap()),
                timeout: (seconds > 9).then_some(wait),
            },
            6 => {
                self.children += 1;
                let (workflow, version) = (created().workflow, created().version);
                let child = run(self.children);
                Report::StartChild {
                    child: ChildStarted {
                        op: key("child"),
                        run: child,
                        workflow,
                        version,
                        input_hash: "h".into(),
                    },
                }
            }
            7 => Report::RaceWon { op: key("race"), winner: 0, lost: vec![key("step")], spawned: false },
            8 => Report::TimeRead { op: key("now"), now: at(self.second) },
            9 => Report::Abandon { op: key(["sleep", "signal", "child"][usize::from(place) % 3]) },
            10 => Report::Extend { by: wait },
            11 => Report::PatchMarked {
                patch: PatchId::new(format!("patch{place}")).expect("an id"),
                applies: seconds.is_multiple_of(2),
            },
            12 => Report::Succeeded { output: payload("2") },
            _ => Report::Failed { error: failure(), verdict: Verdict::Retry },
        }
    }

    /// Carries out a command; says whether it led to events. `lenient` for an attempt's reports, in which the code
    /// may contradict its log: the fold refuses them.
    fn obey(&mut self, command: Command, lenient: bool) -> bool {
        let status = self.state.status;
        let events = match decide(&self.state, command, self.now()) {
            Ok(events) => events,
            Err(Rejection::Finished { status: ended }) => {
                assert!(status.is_terminal() && ended == status);
                return false;
            }
            Err(Rejection::Contradicts { .. }) if lenient => return false,
            Err(rejection) => {
                assert!(matches!(rejection, Rejection::NotQueued { .. }), "{rejection}");
                return false;
            }
        };
        assert!(!status.is_terminal(), "an ended run decides {events:?}");
        mail(&self.state, &events);
        let batch: Vec<Recorded> = (self.state.seq + 1..)
            .zip(&events)
            .map(|(seq, event)| Recorded {
                seq,
                at: at(self.second),
                node: Some(NodeId(1)),
                event: again(event),
            })
            .collect();
        match batch.iter().try_fold(self.state.clone(), evolve) {
            Ok(next) => {
                assert!(next.status == status || status.may_become(next.status));
                self.state = next;
                self.log.extend(batch);
            }
            Err(error) => panic!("{error}: {events:?} on {:?}", self.state),
        }
        !events.is_empty()
    }

    fn check(&self) {
        let (state, now) = (&self.state, at(self.second));
        let folded = fold(state.id, &self.log).expect("a legal log").expect("a run");
        assert_eq!(folded, *state);
        assert_eq!(effects(&folded, now), effects(state, now));
        let bytes = snapshot::write(state).expect("bytes");
        assert_eq!(snapshot::read(state.id, state.seq, snapshot::FORMAT, &bytes).as_ref(), Some(state));
        // Only a signal lets some tasks begin.
        let waits = state.tasks.iter().any(|task| task.open_gate().is_some());
        assert_eq!(
            state.status.is_terminal(),
            effects(state, now).is_empty() && (state.status.is_terminal() || !waits),
            "nothing is in flight: {state:?}"
        );
        assert_eq!(state.status.is_terminal(), state.finished_at.is_some());
        let under_way =
            |role| state.tasks.iter().any(|task| task.role == role && task.status == TaskStatus::Running);
        assert!(!(under_way(Role::Task) && under_way(Role::OnFailure)), "{state:?}");
    }
}

fn failure() -> Failure {
    Failure::new("E", "no")
}

/// Writes an event down and reads it, as a store does.
fn again(event: &Event) -> Event {
    let encoded = event.encode().expect("JSON");
    let place = match event {
        Event::Run(_) => None,
        Event::Task(place, _) => Some(place.clone()),
    };
    Event::decode(encoded.kind, encoded.schema_version, place, &encoded.payload).expect("an event")
}

/// Lives `cases` lives and replays each of them; `each` is shown all logs.
pub(crate) fn lives(cases: u32, each: impl Fn(RunId, &[Recorded])) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let lives = (prop::bool::weighted(0.9), proptest::collection::vec(happening(), 1..60));
    // The same lives each time: among others, all that is asked for below.
    let dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let lived = TestRunner::new_with_rng(config, dice).run(&lives, |(at_once, happenings)| {
        let plan = if happenings.len() % 4 == 3 { conditional() } else { diamond() };
        let mut life = Life::begin(plan);
        if at_once {
            life.live(Happening::Start);
        }
        for happening in &happenings {
            life.live(happening.clone());
        }
        // Wherever it got to, ended or not: what a replay takes over is legal, and it can live, and be replayed itself.
        let from = [ReplayFrom::Failed, ReplayFrom::Start, ReplayFrom::Task(task_name("a"))];
        for from in from.into_iter().skip(happenings.len() % 3).take(1) {
            let unstarted = life.replay(from);
            let mut replay = unstarted.replay(ReplayFrom::Failed);
            assert_eq!(replay.state.taken_over, unstarted.state.taken_over, "nothing is lost on the way");
            replay.live(Happening::Start);
            for happening in &happenings {
                replay.live(happening.clone());
            }
            replay.replay(ReplayFrom::Failed);
            each(replay.state.id, &replay.log);
        }
        each(life.state.id, &life.log);
        Ok(())
    });
    assert!(lived.is_ok(), "{}", lived.err().map(|error| error.to_string()).unwrap_or_default());
}

#[test]
fn every_life_is_legal_and_equals_the_fold_of_its_log() {
    let seen = RefCell::new(BTreeMap::<&str, u32>::new());
    lives(600, |_, log| {
        for recorded in log {
            *seen.borrow_mut().entry(recorded.event.kind()).or_default() += 1;
        }
    });
    let all: BTreeSet<_> = RunEvent::KINDS.iter().chain(TaskEvent::KINDS).map(|(kind, _)| *kind).collect();
    let missing: Vec<_> = all.iter().filter(|kind| !seen.borrow().contains_key(*kind)).collect();
    assert_eq!(missing, [&"run_claimed"], "the store's claims are no command: {:?}", seen.borrow());
}
