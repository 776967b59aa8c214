//! Folds the events about the run as a whole.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::condition;
use crate::model::event::{Recorded, RunCreated, RunEvent, RunStarted, SignalReceived, TaskSkipped};
use crate::model::ids::RunId;
use crate::model::plan::{PlannedTask, Role};
use crate::model::state::{Cancel, End, OpState, Origin, RunState, Signal, TakenOver, TaskState};
use crate::model::status::{Status, TaskStatus};

pub(super) fn created(run: RunId, recorded: &Recorded, event: &RunCreated) -> RunState {
    let origin = Origin {
        workflow: event.workflow.clone(),
        version: event.version.clone(),
        namespace: event.namespace.clone(),
        key: event.key.clone(),
        input: event.input.clone(),
        metadata: event.metadata.clone(),
        priority: event.priority,
        created_at: run.created_at(),
        start_at: event.start_at,
        start_deadline: event.start_deadline,
        timeout_ms: event.timeout_ms,
        trigger: event.trigger.clone(),
        parent: event.parent.clone(),
        trace: event.trace.clone(),
        limit: event.limit.clone(),
    };
    RunState {
        id: run,
        seq: recorded.seq,
        status: Status::Queued,
        origin,
        plan: None,
        tasks: Vec::new(),
        taken_over: BTreeMap::new(),
        assigned_at: None,
        started_at: None,
        finished_at: None,
        deadline: None,
        last_at: recorded.at,
        node: recorded.node,
        claims: 0,
        cancel: None,
        blocked: None,
        signals: VecDeque::new(),
        children: BTreeMap::new(),
        end: None,
    }
}

pub(super) fn evolve(state: &mut RunState, recorded: &Recorded, event: &RunEvent) -> Result<(), String> {
    match event {
        RunEvent::Created(_) => Err("the run exists already".to_owned()),
        RunEvent::Claimed(_) => {
            state.claims += 1;
            Ok(())
        }
        RunEvent::Started(event) => started(state, recorded, event),
        RunEvent::CancelRequested(event) => {
            require_running(state)?;
            if state.cancel.is_some() {
                return Err("its end was asked for before".to_owned());
            }
            state.cancel = Some(Cancel {
                reason: event.reason.clone(),
                by: event.by.clone(),
                at: recorded.at,
                abort_at: event.abort_at,
            });
            Ok(())
        }
        RunEvent::SignalReceived(event) => signal_received(state, event),
        RunEvent::Blocked(event) => {
            require_running(state)?;
            state.blocked = Some(event.report.clone());
            Ok(())
        }
        RunEvent::Succeeded(_) => {
            let output = state.plan.as_ref().map(|plan| usize::from(plan.output));
            let output = output.and_then(|at| state.tasks.get(at));
            if !output.is_some_and(TaskState::lets_others_begin) {
                return Err("its output task has no output".to_owned());
            }
            finish(state, recorded, Status::Succeeded, None)
        }
        RunEvent::Failed(event) => {
            let end = End::Failed { task: event.task.clone(), error: event.error.clone() };
            finish(state, recorded, Status::Failed, Some(end))
        }
        RunEvent::Cancelled(event) => {
            let end = End::Cancelled { reason: event.reason.clone(), by: event.by.clone() };
            finish(state, recorded, Status::Cancelled, Some(end))
        }
        RunEvent::TimedOut(event) => {
            let end = End::TimedOut { timeout: event.timeout, deadline: event.deadline };
            finish(state, recorded, Status::TimedOut, Some(end))
        }
    }
}

fn require_running(state: &RunState) -> Result<(), String> {
    match state.status {
        Status::Running => Ok(()),
        status => Err(format!("the run is {status}, not RUNNING")),
    }
}

fn started(state: &mut RunState, recorded: &Recorded, event: &RunStarted) -> Result<(), String> {
    advance(state, Status::Running)?;
    if !event.plan.is_closed() {
        return Err("the plan names a task that it does not hold".to_owned());
    }
    let mut taken_over = std::mem::take(&mut state.taken_over);
    let took_over = !taken_over.is_empty();
    let plan = event.plan.tasks.iter();
    state.tasks = plan.map(|task| planned(recorded, task, taken_over.remove(&task.name))).collect();
    state.plan = Some(event.plan.clone());
    if took_over {
        ready_after_reused(state, recorded);
    }
    state.assigned_at = Some(event.assigned_at.unwrap_or(recorded.at));
    state.started_at = Some(recorded.at);
    let timeout = state.origin.timeout_ms.map(Duration::from_millis);
    state.deadline = timeout.and_then(|timeout| recorded.at.checked_add_signed(chrono_duration(timeout)));
    Ok(())
}

/// Makes a task of the plan, with what a replay takes over of it. Only ordinary tasks go on: nothing failed yet.
fn planned(recorded: &Recorded, task: &PlannedTask, taken_over: Option<TakenOver>) -> TaskState {
    let first = task.after.is_empty() && task.role == Role::Task && task.conditions.is_none();
    let mut planned = TaskState {
        name: task.name.clone(),
        role: task.role,
        status: TaskStatus::Queued,
        created_at: recorded.at,
        ready_at: first.then_some(recorded.at),
        attempts: Vec::new(),
        retry_at: None,
        output: None,
        gate: None,
        skipped: None,
        work: None,
        ops: BTreeMap::new(),
        due: BTreeSet::new(),
        patches: BTreeMap::new(),
    };
    match taken_over.filter(|_| task.role == Role::Task) {
        Some(TakenOver::Output(output)) => {
            planned.status = TaskStatus::Reused;
            planned.output = Some(output);
        }
        Some(TakenOver::Skipped(because)) => {
            condition::skip(&mut planned, recorded.at, &TaskSkipped { because })
        }
        Some(TakenOver::Work { run, patches, ops }) => {
            planned.work = Some(run);
            planned.patches = patches;
            planned.ops = ops;
        }
        None => {}
    }
    planned
}

/// Notes that tasks behind nothing but reused ones can begin.
fn ready_after_reused(state: &mut RunState, recorded: &Recorded) {
    let Some(plan) = &state.plan else { return };
    let rests = |place: &u16| state.tasks.get(usize::from(*place)).is_some_and(TaskState::lets_others_begin);
    let is_ready = |task: &PlannedTask| {
        task.role == Role::Task && task.conditions.is_none() && task.after.iter().all(rests)
    };
    let ready: Vec<bool> = plan.tasks.iter().map(is_ready).collect();
    for (task, _) in state.tasks.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
        task.ready_at.get_or_insert(recorded.at);
    }
}

/// Hands the signal to the oldest wait for its name, or keeps it for the next one.
fn signal_received(state: &mut RunState, event: &SignalReceived) -> Result<(), String> {
    condition::hear(state, event);
    for task in state.tasks.iter_mut().filter(|task| task.is_open()) {
        let waiting = task.ops.iter_mut().find(|(_, op)| op.state.waits_for(&event.name, event.key.as_ref()));
        let Some((key, op)) = waiting else { continue };
        if let OpState::Signal { deadline, outcome, .. } = &mut op.state {
            if let Some(deadline) = deadline {
                task.due.remove(&(*deadline, key.clone()));
            }
            *outcome = Some(Some(event.payload.clone()));
        }
        return Ok(());
    }
    let (name, key, payload) = (event.name.clone(), event.key.clone(), event.payload.clone());
    state.signals.push_back(Signal { name, key, payload });
    Ok(())
}

fn advance(state: &mut RunState, next: Status) -> Result<(), String> {
    if !state.status.may_become(next) {
        return Err(format!("{} may not become {next}", state.status));
    }
    state.status = next;
    Ok(())
}

fn finish(state: &mut RunState, recorded: &Recorded, status: Status, end: Option<End>) -> Result<(), String> {
    advance(state, status)?;
    state.finished_at = Some(recorded.at);
    state.end = end;
    state.blocked = None;
    for task in &mut state.tasks {
        task.due.clear();
        task.retry_at = None;
        let open = matches!(task.status, TaskStatus::Queued | TaskStatus::Running);
        if open && task.role == Role::Task {
            task.status = TaskStatus::Cancelled;
        } else if open {
            task.status = TaskStatus::Skipped;
        }
    }
    Ok(())
}

pub(super) fn chrono_duration(duration: Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(duration).unwrap_or(chrono::TimeDelta::MAX)
}
