//! Every status with every event and every command.

use std::fmt::Write as _;

use runlog::model::decide::decide;
use runlog::model::evolve::{evolve, fold};
use runlog::model::{Command, Now, Plan, Rejection, Rules, RunEvent, RunState, Status};

use super::samples::*;

/// Which events each status takes, and a replay that has not started; a status without a column takes none.
const LEGAL: &str = "
                    QUEUED  RUNNING REPLAY
run_created         -       -       -
run_claimed         yes     yes     yes
run_started         yes     -       yes
cancel_requested    -       yes     -
signal_received     yes     yes     yes
run_blocked         -       yes     -
run_succeeded       -       yes     -
run_failed          yes     yes     yes
run_cancelled       yes     yes     yes
run_timed_out       yes     yes     yes
attempt_started     -       yes     -
timeout_extended    -       yes     -
attempt_succeeded   -       yes     -
attempt_failed      -       yes     -
step_started        -       yes     -
step_completed      -       yes     -
step_failed         -       yes     -
timer_started       -       yes     -
timer_fired         -       yes     -
signal_awaited      -       yes     -
signal_timed_out    -       yes     -
wait_abandoned      -       yes     -
child_started       -       yes     -
child_finished      -       yes     -
race_won            -       yes     -
time_read           -       yes     -
patch_marked        -       yes     -
task_reused         -       -       yes
task_resumed        -       -       yes
op_reused           -       -       yes
conditions_opened   -       yes     -
condition_decided   -       yes     -
task_skipped        -       yes     yes
";

#[test]
fn each_status_takes_the_events_of_the_table_and_no_other() {
    let mut table = format!("\n{:20}{:8}{:8}{}\n", "", "QUEUED", "RUNNING", "REPLAY");
    for event in samples() {
        let legal = |state: RunState| {
            let next = recorded(state.seq + 1, event.clone());
            let status_before = state.status;
            match evolve(state, &next) {
                Ok(after) => {
                    let moved = after.status != status_before;
                    assert!(!moved || status_before.may_become(after.status), "{event:?}");
                    assert_eq!(after.status.is_terminal(), event.is_terminal());
                    "yes"
                }
                Err(_) => "-",
            }
        };
        let columns = [of_status(Status::Queued), of_status(Status::Running), replay()].map(legal);
        let [queued, running, replay] = columns;
        writeln!(table, "{:20}{queued:8}{running:8}{replay}", event.kind()).expect("a line");
        for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
            assert_eq!(legal(of_status(status)), "-", "{} in {status}", event.kind());
        }
    }
    assert_eq!(table, LEGAL);
}

#[test]
fn a_run_has_eight_moves() {
    let mut moves = Vec::new();
    for from in Status::ALL {
        for to in Status::ALL.into_iter().filter(|to| from.may_become(*to)) {
            moves.push(format!("{from} → {to}"));
        }
    }
    let expected = [
        "QUEUED → RUNNING",
        "QUEUED → FAILED",
        "QUEUED → CANCELLED",
        "QUEUED → TIMED_OUT",
        "RUNNING → SUCCEEDED",
        "RUNNING → FAILED",
        "RUNNING → CANCELLED",
        "RUNNING → TIMED_OUT",
    ];
    assert_eq!(moves, expected);
}

#[test]
fn an_ended_run_rejects_every_command() {
    let commands = || {
        [
            Command::Start { plan: plan(), assigned_at: None },
            Command::Advance { task: task_name("a"), attempt: 1, reports: vec![] },
            Command::Deliver { messages: vec![], live: true },
            Command::Judge { task: task_name("a"), verdicts: Ok(vec![]) },
            Command::Tick,
            Command::Block { report: "r".into() },
        ]
    };
    for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
        let state = of_status(status);
        for command in commands() {
            let now = Now { at: at(10_000), chance: 0.5, rules: &Rules::default() };
            assert_eq!(decide(&state, command, now), Err(Rejection::Finished { status }));
        }
    }
}

#[test]
fn a_run_starts_once() {
    let start = Command::Start { plan: plan(), assigned_at: None };
    let now = Now { at: at(5), chance: 0.5, rules: &Rules::default() };
    let rejected = Err(Rejection::NotQueued { status: Status::Running });
    assert_eq!(decide(&running(), start, now), rejected);
}

#[test]
fn a_log_has_no_holes_and_begins_with_its_creation() {
    let birth = recorded(1, RunEvent::from(created()));
    let claimed = |seq| recorded(seq, samples().remove(1));
    assert_eq!(fold(run(2), &[]), Ok(None));
    assert!(fold(run(2), &[birth.clone(), claimed(2)]).is_ok());
    for broken in [
        vec![claimed(1)],
        vec![birth.clone(), claimed(3)],
        vec![birth.clone(), claimed(1)],
        vec![birth.clone(), birth],
    ] {
        let error = fold(run(2), &broken).expect_err("illegal");
        assert!(error.to_string().contains("is illegal"), "{error}");
    }
}

#[test]
fn a_plan_names_only_its_own_tasks() {
    for broken in [Plan { output: 4, ..plan() }, with_after(4)] {
        let event = RunEvent::from(runlog::model::event::RunStarted { plan: broken, assigned_at: None });
        assert!(evolve(queued(), &recorded(2, event)).is_err());
    }
}

fn with_after(place: u16) -> Plan {
    let mut plan = plan();
    plan.tasks[0].after.push(place);
    plan
}
