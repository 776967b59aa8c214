//! Folds the events about one attempt at one task.

use super::condition;
use crate::model::Timestamp;
use crate::model::event::{
    Allowed, AttemptFailed, AttemptStarted, ChildFinished, ChildStarted, PatchMarked, Place, Recorded,
    SignalAwaited, StepFailed, StepStarted, TaskEvent,
};
use crate::model::failure::{Failure, TASK_TIMED_OUT};
use crate::model::ids::OpKey;
use crate::model::state::{Attempt, AttemptEnd, Child, Op, OpState, RunState, Signal, StepTimes, TaskState};
use crate::model::status::{Status, TaskStatus};

type Folded = Result<(), String>;

pub(super) fn evolve(state: &mut RunState, recorded: &Recorded, place: &Place, event: &TaskEvent) -> Folded {
    if state.status != Status::Running {
        return Err(format!("the run is {}, not RUNNING", state.status));
    }
    if is_progress(event) {
        state.blocked = None;
    }
    let (at, _) = state.task(&place.task).ok_or_else(|| format!("the plan has no task {:?}", place.task))?;
    match event {
        TaskEvent::AttemptStarted(event) => {
            condition::allow_start(state, at)?;
            attempt_started(task(state, at)?, recorded, place, event)
        }
        TaskEvent::TimeoutExtended(event) => {
            let attempt = running(task(state, at)?, place)?;
            attempt.deadline = Some(event.deadline);
            Ok(())
        }
        TaskEvent::AttemptSucceeded(event) => {
            let task = task(state, at)?;
            end_attempt(task, recorded, place, None, None)?;
            task.status = TaskStatus::Succeeded;
            task.output = Some(event.output.clone());
            task.due.clear();
            ready_successors(state, at, recorded.at);
            Ok(())
        }
        TaskEvent::AttemptFailed(event) => attempt_failed(task(state, at)?, recorded, place, event),
        TaskEvent::SignalAwaited(event) => signal_awaited(state, at, place, event),
        TaskEvent::ChildStarted(event) => child_started(state, at, place, event),
        TaskEvent::ChildFinished(event) => child_finished(state, at, event),
        TaskEvent::TimerFired(event) => op_timed_out(task(state, at)?, &event.op, "sleep"),
        TaskEvent::SignalTimedOut(event) => op_timed_out(task(state, at)?, &event.op, "signal"),
        TaskEvent::StepStarted(event) => step_started(task(state, at)?, recorded, place, event),
        TaskEvent::StepCompleted(event) => {
            let task = task(state, at)?;
            let times = step_times(task, place, &event.op, recorded.at, event.us)?;
            let (input_hash, output) = (event.input_hash.clone(), event.output.clone());
            write_op(task, place, &event.op, OpState::StepCompleted { input_hash, output, times })
        }
        TaskEvent::StepFailed(event) => step_failed(task(state, at)?, recorded, place, event),
        TaskEvent::TimerStarted(event) => {
            let task = task(state, at)?;
            refuse_known(task, place, &event.op)?;
            write_op(task, place, &event.op, OpState::Timer { fire_at: event.fire_at, fired: false })?;
            task.due.insert((event.fire_at, event.op.clone()));
            Ok(())
        }
        TaskEvent::WaitAbandoned(event) => abandoned(state, at, place, &event.op),
        TaskEvent::RaceWon(event) => {
            let task = task(state, at)?;
            refuse_known(task, place, &event.op)?;
            let (winner, lost) = (event.winner, event.lost.clone());
            write_op(task, place, &event.op, OpState::Race { winner, lost, spawned: event.spawned })
        }
        TaskEvent::TimeRead(event) => {
            let task = task(state, at)?;
            refuse_known(task, place, &event.op)?;
            write_op(task, place, &event.op, OpState::Time { now: event.now })
        }
        TaskEvent::PatchMarked(event) => patch_marked(task(state, at)?, place, event),
        TaskEvent::ConditionsOpened(event) => condition::opened(state, at, recorded, event),
        TaskEvent::ConditionDecided(event) => condition::decided(state, at, event),
        TaskEvent::TaskSkipped(event) => {
            condition::skipped(task(state, at)?, recorded, event)?;
            ready_successors(state, at, recorded.at);
            Ok(())
        }
        TaskEvent::TaskReused(_) | TaskEvent::TaskResumed(_) | TaskEvent::OpReused(_) => {
            Err("a replay takes over before it starts".to_owned())
        }
    }
}

/// Says whether the event shows that the code at hand fits the log: only an attempt's own code leads to it.
fn is_progress(event: &TaskEvent) -> bool {
    match event {
        TaskEvent::AttemptStarted(_)
        | TaskEvent::TimerFired(_)
        | TaskEvent::SignalTimedOut(_)
        | TaskEvent::ChildFinished(_)
        | TaskEvent::TaskReused(_)
        | TaskEvent::TaskResumed(_)
        | TaskEvent::OpReused(_)
        | TaskEvent::ConditionsOpened(_)
        | TaskEvent::ConditionDecided(_)
        | TaskEvent::TaskSkipped(_) => false,
        TaskEvent::TimeoutExtended(_)
        | TaskEvent::AttemptSucceeded(_)
        | TaskEvent::AttemptFailed(_)
        | TaskEvent::StepStarted(_)
        | TaskEvent::StepCompleted(_)
        | TaskEvent::StepFailed(_)
        | TaskEvent::TimerStarted(_)
        | TaskEvent::SignalAwaited(_)
        | TaskEvent::WaitAbandoned(_)
        | TaskEvent::ChildStarted(_)
        | TaskEvent::RaceWon(_)
        | TaskEvent::TimeRead(_)
        | TaskEvent::PatchMarked(_) => true,
    }
}

fn task(state: &mut RunState, at: usize) -> Result<&mut TaskState, String> {
    state.tasks.get_mut(at).ok_or_else(|| "the task is gone".to_owned())
}

fn running<'task>(task: &'task mut TaskState, place: &Place) -> Result<&'task mut Attempt, String> {
    let (status, current) = (task.status, task.attempt());
    match task.attempts.last_mut() {
        Some(attempt) if status == TaskStatus::Running && current == place.attempt => Ok(attempt),
        _ => Err(format!("attempt {} of a task that is {status} at attempt {current}", place.attempt)),
    }
}

fn attempt_started(
    task: &mut TaskState,
    recorded: &Recorded,
    place: &Place,
    event: &AttemptStarted,
) -> Folded {
    if task.status != TaskStatus::Queued || place.attempt != task.attempt() + 1 {
        let current = task.attempt();
        return Err(format!(
            "attempt {} of a task that is {} at attempt {current}",
            place.attempt, task.status
        ));
    }
    let last_end = task.attempts.last().and_then(|last| last.end.as_ref()).map(|end| end.at);
    let created_at = last_end.or(task.ready_at).unwrap_or(recorded.at);
    task.attempts.push(Attempt {
        node: recorded.node,
        created_at,
        queued_until: task.retry_at.map_or(created_at, |at| at.max(created_at)),
        assigned_at: recorded.at,
        started_at: recorded.at,
        deadline: event.deadline,
        end: None,
    });
    task.ready_at.get_or_insert(recorded.at);
    task.retry_at = None;
    task.status = TaskStatus::Running;
    Ok(())
}

fn end_attempt(
    task: &mut TaskState,
    recorded: &Recorded,
    place: &Place,
    error: Option<Failure>,
    allowed: Option<Allowed>,
) -> Folded {
    running(task, place)?.end = Some(AttemptEnd { at: recorded.at, error, allowed });
    Ok(())
}

fn attempt_failed(task: &mut TaskState, recorded: &Recorded, place: &Place, event: &AttemptFailed) -> Folded {
    end_attempt(task, recorded, place, Some(event.error.clone()), event.allowed)?;
    if event.retry_at.is_none() {
        task.due.clear();
    }
    task.retry_at = event.retry_at;
    task.status = match event.retry_at {
        Some(_) => TaskStatus::Queued,
        None if event.error.kind == TASK_TIMED_OUT => TaskStatus::TimedOut,
        None => TaskStatus::Failed,
    };
    Ok(())
}

fn ready_successors(state: &mut RunState, done: usize, at: Timestamp) {
    let Some(plan) = &state.plan else { return };
    let done = u16::try_from(done).unwrap_or(u16::MAX);
    let rests = |place: &u16| state.tasks.get(usize::from(*place)).is_some_and(TaskState::lets_others_begin);
    let ready: Vec<usize> = plan
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| task.after.contains(&done) && task.after.iter().all(rests))
        // Who has conditions can begin when they are met.
        .filter(|(_, task)| task.conditions.is_none())
        .map(|(place, _)| place)
        .collect();
    for place in ready {
        if let Some(task) = state.tasks.get_mut(place) {
            task.ready_at.get_or_insert(at);
        }
    }
}

/// Refuses a second beginning; what an earlier attempt dropped or failed at may begin again, as anything.
fn refuse_known(task: &TaskState, place: &Place, key: &OpKey) -> Folded {
    match task.ops.get(key) {
        Some(Op { attempt, state: OpState::Abandoned | OpState::StepFailed { .. }, .. })
            if *attempt < place.attempt =>
        {
            Ok(())
        }
        Some(op) => Err(format!("{} {key} is recorded already", op.state.kind())),
        None => Ok(()),
    }
}

fn write_op(task: &mut TaskState, place: &Place, key: &OpKey, state: OpState) -> Folded {
    running(task, place)?;
    // What the operation waited for before is over, whatever it is now.
    remove_due(task, key);
    task.ops.insert(key.clone(), Op { attempt: place.attempt, reused: false, state });
    Ok(())
}

fn patch_marked(task: &mut TaskState, place: &Place, event: &PatchMarked) -> Folded {
    running(task, place)?;
    match task.patches.insert(event.patch.clone(), event.applies) {
        Some(_) => Err(format!("patch {:?} is marked already", event.patch)),
        None => Ok(()),
    }
}

fn step_started(task: &mut TaskState, recorded: &Recorded, place: &Place, event: &StepStarted) -> Folded {
    refuse_known(task, place, &event.op)?;
    let state = OpState::StepStarted { input_hash: event.input_hash.clone(), at: recorded.at };
    write_op(task, place, &event.op, state)
}

fn step_failed(task: &mut TaskState, recorded: &Recorded, place: &Place, event: &StepFailed) -> Folded {
    let times = step_times(task, place, &event.op, recorded.at, event.us)?;
    let state = OpState::StepFailed {
        input_hash: event.input_hash.clone(),
        error: event.error.clone(),
        retry_at: event.retry_at,
        allowed: event.allowed,
        times,
    };
    write_op(task, place, &event.op, state)?;
    if let Some(retry_at) = event.retry_at {
        task.due.insert((retry_at, event.op.clone()));
    }
    Ok(())
}

/// Returns the times of a step's try that ended at `at`, unless the step has its outcome already.
/// Tries count from the beginning of the task's attempt.
fn step_times(
    task: &TaskState,
    place: &Place,
    key: &OpKey,
    at: Timestamp,
    us: u64,
) -> Result<StepTimes, String> {
    let tries = match task.ops.get(key).map(|op| (op.attempt, &op.state)) {
        None | Some((_, OpState::StepStarted { .. })) => 0,
        Some((attempt, OpState::StepFailed { .. } | OpState::Abandoned)) if attempt < place.attempt => 0,
        Some((_, OpState::StepFailed { times, .. })) => times.tries,
        Some((_, other)) => return Err(format!("{} {key} is recorded already", other.kind())),
    };
    let took = chrono::TimeDelta::microseconds(i64::try_from(us).unwrap_or(i64::MAX));
    let started_at = at.checked_sub_signed(took).unwrap_or(at);
    Ok(StepTimes { started_at, finished_at: at, tries: tries + 1 })
}

fn remove_due(task: &mut TaskState, key: &OpKey) {
    let at = match task.ops.get(key).map(|op| &op.state) {
        Some(OpState::Timer { fire_at, .. }) => Some(*fire_at),
        Some(OpState::Signal { deadline, .. }) => *deadline,
        Some(OpState::StepFailed { retry_at, .. }) => *retry_at,
        _ => None,
    };
    if let Some(at) = at {
        task.due.remove(&(at, key.clone()));
    }
}

fn op_timed_out(task: &mut TaskState, key: &OpKey, kind: &str) -> Folded {
    remove_due(task, key);
    match task.ops.get_mut(key).map(|op| &mut op.state) {
        Some(OpState::Timer { fired, .. }) if !*fired && kind == "sleep" => *fired = true,
        Some(OpState::Signal { outcome: outcome @ None, .. }) if kind == "signal" => *outcome = Some(None),
        _ => return Err(format!("no {kind} {key} is open")),
    }
    Ok(())
}

fn signal_awaited(state: &mut RunState, at: usize, place: &Place, event: &SignalAwaited) -> Folded {
    refuse_known(task(state, at)?, place, &event.op)?;
    let buffered =
        state.signals.iter().position(|signal| signal.name == event.signal && signal.key == event.key);
    let taken = buffered.and_then(|position| state.signals.remove(position));
    let task = task(state, at)?;
    if let (None, Some(deadline)) = (&taken, event.deadline) {
        task.due.insert((deadline, event.op.clone()));
    }
    let outcome = taken.map(|signal| Some(signal.payload));
    let (signal, key) = (event.signal.clone(), event.key.clone());
    let op = OpState::Signal { signal, key, deadline: event.deadline, outcome };
    write_op(task, place, &event.op, op)
}

/// Ends a wait that the code dropped. A signal that reached it meanwhile is the next wait's.
fn abandoned(state: &mut RunState, at: usize, place: &Place, key: &OpKey) -> Folded {
    let task = task(state, at)?;
    let untaken = match task.ops.get(key).map(|op| &op.state) {
        Some(OpState::Signal { signal, key, outcome: Some(Some(payload)), .. }) => {
            Some(Signal { name: signal.clone(), key: key.clone(), payload: payload.clone() })
        }
        _ => None,
    };
    write_op(task, place, key, OpState::Abandoned)?;
    if let Some(signal) = untaken {
        state.signals.push_front(signal);
    }
    Ok(())
}

fn child_started(state: &mut RunState, at: usize, place: &Place, event: &ChildStarted) -> Folded {
    let task = task(state, at)?;
    refuse_known(task, place, &event.op)?;
    let op = OpState::Child { run: event.run, input_hash: event.input_hash.clone(), outcome: None };
    write_op(task, place, &event.op, op)?;
    let child = Child { task: place.task.clone(), op: event.op.clone(), outcome: None };
    match state.children.insert(event.run, child) {
        Some(_) => Err(format!("child run {} was started before", event.run)),
        None => Ok(()),
    }
}

fn child_finished(state: &mut RunState, at: usize, event: &ChildFinished) -> Folded {
    let child = state.children.get_mut(&event.run).ok_or_else(|| format!("no child run {}", event.run))?;
    if child.outcome.is_some() {
        return Err(format!("child run {} ended before", event.run));
    }
    child.outcome = Some(event.outcome.clone());
    match task(state, at)?.ops.get_mut(&event.op).map(|op| &mut op.state) {
        Some(OpState::Child { run, outcome, .. }) if *run == event.run => {
            *outcome = Some(event.outcome.clone())
        }
        // The wait was dropped, or a later attempt began it again with another child.
        Some(OpState::Abandoned | OpState::Child { .. }) => {}
        _ => return Err(format!("no child {} is recorded", event.op)),
    }
    Ok(())
}
