//! Folds what a replay takes over.

use crate::model::event::{
    ChildFinished, OpReused, Place, ReusedOp, TaskResumed, TaskReused, TaskSkipped, Trigger,
};
use crate::model::state::{Child, Op, OpState, RunState, TakenOver};
use crate::model::status::Status;

type Folded = Result<(), String>;

pub(super) fn task(state: &mut RunState, place: &Place, event: &TaskReused) -> Folded {
    check(state, place)?;
    take(state, place, TakenOver::Output(event.output.clone()))
}

pub(super) fn skip(state: &mut RunState, place: &Place, event: &TaskSkipped) -> Folded {
    check(state, place)?;
    take(state, place, TakenOver::Skipped(event.because.clone()))
}

pub(super) fn resume(state: &mut RunState, place: &Place, event: &TaskResumed) -> Folded {
    check(state, place)?;
    let (run, patches) = (event.work, event.patches.clone());
    take(state, place, TakenOver::Work { run, patches, ops: Default::default() })
}

pub(super) fn op(state: &mut RunState, place: &Place, event: &OpReused) -> Folded {
    check(state, place)?;
    let Some(TakenOver::Work { ops, .. }) = state.taken_over.get_mut(&place.task) else {
        return Err(format!("task {} is not resumed", place.task));
    };
    let op = Op { attempt: u32::from(!event.optional), reused: true, state: event.recorded.clone().into() };
    if ops.insert(event.op.clone(), op).is_some() {
        return Err(format!("{} is taken over already", event.op));
    }
    let ReusedOp::ReplayedChild { run, .. } = event.recorded else { return Ok(()) };
    let child = Child { task: place.task.clone(), op: event.op.clone(), outcome: None };
    match state.children.insert(run, child) {
        Some(_) => Err(format!("child run {run} is taken over already")),
        None => Ok(()),
    }
}

/// A child's replay may end before its parent's starts.
pub(super) fn child_finished(state: &mut RunState, place: &Place, event: &ChildFinished) -> Folded {
    let child = state.children.get_mut(&event.run).filter(|child| child.outcome.is_none());
    let child = child.ok_or_else(|| format!("no child run {} is under way", event.run))?;
    let recorded = match state.taken_over.get_mut(&place.task) {
        Some(TakenOver::Work { ops, .. }) => ops.get_mut(&event.op).map(|op| &mut op.state),
        Some(TakenOver::Output(_) | TakenOver::Skipped(_)) | None => None,
    };
    let Some(OpState::Child { run, outcome, .. }) = recorded.filter(|_| child.op == event.op) else {
        return Err(format!("no child {} is taken over", event.op));
    };
    if *run != event.run {
        return Err(format!("child {} is run {run}", event.op));
    }
    *outcome = Some(event.outcome.clone());
    child.outcome = Some(event.outcome.clone());
    Ok(())
}

/// A replay takes over right after its creation, and nothing else does.
fn check(state: &RunState, place: &Place) -> Folded {
    if !matches!(state.origin.trigger, Trigger::Replay { .. }) {
        return Err(format!("the run is no replay, but {}", state.origin.trigger.kind()));
    }
    let of_task = |taken: &TakenOver| match taken {
        TakenOver::Output(_) | TakenOver::Skipped(_) => 1,
        TakenOver::Work { ops, .. } => 1 + ops.len(),
    };
    let taken_over: usize = state.taken_over.values().map(of_task).sum();
    let is_new = usize::try_from(state.seq) == Ok(1 + taken_over);
    if state.status != Status::Queued || !is_new || place.attempt != 0 {
        return Err("a replay takes over right after its creation, as attempt 0".to_owned());
    }
    Ok(())
}

fn take(state: &mut RunState, place: &Place, taken: TakenOver) -> Folded {
    match state.taken_over.insert(place.task.clone(), taken) {
        Some(_) => Err(format!("task {} is taken over already", place.task)),
        None => Ok(()),
    }
}
