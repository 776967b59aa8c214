//! Folds what a replay takes over.

use crate::model::event::{OpReused, Place, TaskResumed, TaskReused, Trigger};
use crate::model::state::{Op, RunState, TakenOver};
use crate::model::status::Status;

type Folded = Result<(), String>;

pub(super) fn task(state: &mut RunState, place: &Place, event: &TaskReused) -> Folded {
    check(state, place)?;
    take(state, place, TakenOver::Output(event.output.clone()))
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
    match ops.insert(event.op.clone(), op) {
        Some(_) => Err(format!("{} is taken over already", event.op)),
        None => Ok(()),
    }
}

/// A replay takes over right after its creation, and nothing else does.
fn check(state: &RunState, place: &Place) -> Folded {
    if !matches!(state.origin.trigger, Trigger::Replay { .. }) {
        return Err(format!("the run is no replay, but {}", state.origin.trigger.kind()));
    }
    let of_task = |taken: &TakenOver| match taken {
        TakenOver::Output(_) => 1,
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
