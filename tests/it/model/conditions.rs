//! What conditions make of a run that has only just started: it does not end in the commit that starts it.

use runlog::model::condition::{Conditions, Expr, Term};
use runlog::model::decide::decide;
use runlog::model::effects::wake_at;
use runlog::model::event::SignalReceived;
use runlog::model::plan::{PlannedTask, Role};
use runlog::model::{Command, Event, Key, Now, Plan, Rules, RunEvent, RunState, Status, TaskRules};

use super::samples::*;

fn stop(key: Option<Key>) -> Event {
    let stop = SignalReceived { name: signal_name("stop"), key, payload: payload("1"), sent_at: at(1) };
    RunEvent::from(stop).into()
}

/// One task, with conditions on the signal `stop`, of a run that had it while it was queued.
fn started(conditions: impl FnOnce(&mut Conditions) -> &mut Option<Expr>) -> (RunState, Vec<&'static str>) {
    started_with(stop(None), conditions)
}

fn started_with(
    signal: Event,
    conditions: impl FnOnce(&mut Conditions) -> &mut Option<Expr>,
) -> (RunState, Vec<&'static str>) {
    let queued = follow(queued(), [signal]);
    let term = Term::Signal { name: signal_name("stop"), judged: false };
    let mut of_task = Conditions { terms: vec![term], ..Conditions::default() };
    *conditions(&mut of_task) = Some(Expr::Term(0));
    let task = PlannedTask::new(task_name("a"), vec![], Role::Task);
    let task = PlannedTask { conditions: Some(Box::new(of_task)), ..task };
    let start = Command::Start { plan: Plan { tasks: vec![task], output: 0 }, assigned_at: None };
    obey(queued, start)
}

fn obey(state: RunState, command: Command) -> (RunState, Vec<&'static str>) {
    let rules = Rules { tasks: vec![TaskRules::default()] };
    let events = decide(&state, command, Now { at: at(10), chance: 0.5, rules: &rules }).expect("events");
    let kinds = events.iter().map(Event::kind).collect();
    (follow(state, events), kinds)
}

#[test]
fn a_run_that_starts_with_its_task_skipped_ends_with_the_next_tick() {
    let (state, kinds) = started(|conditions| &mut conditions.skip_if);
    assert_eq!(kinds, ["run_started", "conditions_opened", "task_skipped"]);
    assert_eq!((state.status, wake_at(&state, at(10))), (Status::Running, Some(state.last_at)));
    let (state, kinds) = obey(state, Command::Tick);
    assert_eq!((state.status, kinds), (Status::Succeeded, vec!["run_succeeded"]));
}

#[test]
fn a_run_that_starts_cancelled_by_a_condition_ends_with_the_next_tick() {
    let (state, kinds) = started(|conditions| &mut conditions.cancel_if);
    assert_eq!(kinds, ["run_started", "conditions_opened", "cancel_requested"]);
    assert_eq!((state.status, wake_at(&state, at(10))), (Status::Running, Some(at(10))));
    let (state, kinds) = obey(state, Command::Tick);
    assert_eq!((state.status, kinds), (Status::Cancelled, vec!["run_cancelled"]));
}

#[test]
fn a_signal_to_a_key_meets_no_condition() {
    let of_key = || stop(Some(Key::new("k").expect("a key")));
    let (state, kinds) = started_with(of_key(), |conditions| &mut conditions.wait_for);
    assert_eq!(kinds, ["run_started", "conditions_opened"]);
    let met = |state: &RunState| state.tasks[0].open_gate().expect("it is looked at").terms[0].met;
    assert_eq!(met(&state), None, "it came before");
    let state = follow(state, [of_key()]);
    assert_eq!(met(&state), None, "it came while they are looked at");
    assert_eq!(met(&follow(state, [stop(None)])), Some(true));
}
