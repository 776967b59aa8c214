//! What a log asks of the code: for each task, what its last attempt found, and what came then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Clock;
use crate::model::divergence::OpLine;
use crate::model::event::Recorded;
use crate::model::evolve::{IllegalEvent, born, fold_in};
use crate::model::state::{Op, OpState, TaskState};
use crate::model::{Event, Level, OpKey, PatchId, RunEvent, RunId, RunState, TaskEvent, TaskName};
use crate::telemetry::ids;
use crate::workflow::Inputs;
use crate::workflow::context::{AttemptFacts, Foreseen};

/// The last attempt at a task, as the log has it. Earlier attempts are over: no code is ever run against them again.
pub(super) struct Script {
    /// The task's place in the plan that the run started with.
    pub(super) at: usize,
    pub(super) attempt: u32,
    pub(super) facts: AttemptFacts,
    pub(super) inputs: Inputs,
    pub(super) cues: Vec<Cue>,
    /// The operations that the code must ask for.
    pub(super) asks: BTreeSet<OpKey>,
    pub(super) end: Option<End>,
    before: BTreeMap<OpKey, Op>,
    pub(super) after: BTreeMap<OpKey, Op>,
    patches: BTreeMap<PatchId, bool>,
}

/// How the attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The code returned the task's output.
    Succeeded,
    /// The code failed, or was not let finish.
    Failed,
}

/// Something that the log brings to an operation.
pub(super) struct Cue {
    pub(super) key: OpKey,
    pub(super) op: Op,
    /// The operation, when this is its first event of the attempt and only code that asks for it leads to that.
    pub(super) asks: Option<OpLine>,
}

/// Reads a log: the run's state, and the script of every task that began.
///
/// A cancellation ends all scripts: what code does on its way out depends on what it was doing just then.
pub(super) fn read(
    run: RunId,
    log: &[Recorded],
    clock: &Arc<Clock>,
) -> Result<Option<(RunState, Vec<Script>)>, IllegalEvent> {
    let Some((first, rest)) = log.split_first() else { return Ok(None) };
    let mut state = born(run, first)?;
    let mut scripts: BTreeMap<usize, Script> = BTreeMap::new();
    let mut reused: BTreeMap<TaskName, Vec<OpKey>> = BTreeMap::new();
    for recorded in rest {
        fold_in(&mut state, recorded)?;
        match &recorded.event {
            Event::Task(place, TaskEvent::OpReused(event)) => {
                reused.entry(place.task.clone()).or_default().push(event.op.clone());
            }
            Event::Task(place, TaskEvent::AttemptStarted(_)) => {
                let begun =
                    state.task(&place.task).map(|(at, task)| (at, Script::begin(&state, at, task, clock)));
                let script = begun.map(|(at, script)| (at, script.with_reused(reused.get(&place.task))));
                scripts.extend(script);
            }
            event if state.cancel.is_none() => write(&mut scripts, &state, event),
            _ => {}
        }
    }
    for script in scripts.values_mut() {
        if let Some(task) = state.tasks.get(script.at) {
            script.after = task.ops.clone();
            script.patches = task.patches.clone();
        }
    }
    Ok(Some((state, scripts.into_values().collect())))
}

fn write(scripts: &mut BTreeMap<usize, Script>, state: &RunState, event: &Event) {
    let (place, event) = match event {
        Event::Task(place, event) => (place, event),
        Event::Run(RunEvent::SignalReceived(received)) => {
            for (at, script) in scripts {
                let ops = state.tasks.get(*at).map(|task| &task.ops).into_iter().flatten();
                let took = ops.filter(|(_, op)| match &op.state {
                    OpState::Signal { signal, outcome: Some(_), .. } => *signal == received.name,
                    _ => false,
                });
                script.cues.extend(took.map(|(key, op)| Cue {
                    key: key.clone(),
                    op: op.clone(),
                    asks: None,
                }));
            }
            return;
        }
        Event::Run(_) => return,
    };
    let Some((at, task)) = state.task(&place.task) else { return };
    let Some(script) = scripts.get_mut(&at) else { return };
    match event {
        TaskEvent::AttemptSucceeded(_) => script.end = Some(End::Succeeded),
        // The next attempt begins anew, with whatever code there is then.
        TaskEvent::AttemptFailed(failed) if failed.retry_at.is_some() => drop(scripts.remove(&at)),
        TaskEvent::AttemptFailed(_) => script.end = Some(End::Failed),
        event => {
            let Some((key, op)) = event.op().and_then(|key| Some((key, task.ops.get(key)?))) else { return };
            let first = is_asked_for(event) && script.asks.insert(key.clone());
            let asks = first.then(|| line(key, &op.state));
            script.cues.push(Cue { key: key.clone(), op: op.clone(), asks });
        }
    }
}

/// Says whether only code that asks for the operation leads to the event.
fn is_asked_for(event: &TaskEvent) -> bool {
    match event {
        TaskEvent::StepStarted(_)
        | TaskEvent::StepCompleted(_)
        | TaskEvent::StepFailed(_)
        | TaskEvent::TimerStarted(_)
        | TaskEvent::SignalAwaited(_)
        | TaskEvent::ChildStarted(_)
        | TaskEvent::RaceWon(_)
        | TaskEvent::TimeRead(_) => true,
        TaskEvent::AttemptStarted(_)
        | TaskEvent::TimeoutExtended(_)
        | TaskEvent::AttemptSucceeded(_)
        | TaskEvent::AttemptFailed(_)
        | TaskEvent::TimerFired(_)
        | TaskEvent::SignalTimedOut(_)
        | TaskEvent::WaitAbandoned(_)
        | TaskEvent::ChildFinished(_)
        | TaskEvent::PatchMarked(_)
        | TaskEvent::TaskReused(_)
        | TaskEvent::TaskResumed(_)
        | TaskEvent::OpReused(_)
        | TaskEvent::ConditionsOpened(_)
        | TaskEvent::ConditionDecided(_)
        | TaskEvent::TaskSkipped(_) => false,
    }
}

fn line(key: &OpKey, state: &OpState) -> OpLine {
    let input = match state {
        OpState::StepStarted { input_hash, .. }
        | OpState::StepCompleted { input_hash, .. }
        | OpState::StepFailed { input_hash, .. } => input_hash.clone(),
        OpState::Child { input_hash, .. } => Some(input_hash.clone()),
        OpState::Timer { .. }
        | OpState::Signal { .. }
        | OpState::Race { .. }
        | OpState::Time { .. }
        | OpState::Abandoned => None,
    };
    OpLine { kind: state.kind(), op: key.clone(), input, location: None }
}

impl Script {
    fn begin(state: &RunState, at: usize, task: &TaskState, clock: &Arc<Clock>) -> Script {
        let trace = ids::run(state.id, state.origin.trace.as_deref());
        let facts = AttemptFacts::of(state, task, trace, Arc::clone(clock), Level::Error);
        Script {
            at,
            attempt: task.attempt(),
            inputs: facts.inputs(state, at),
            facts,
            cues: Vec::new(),
            asks: BTreeSet::new(),
            end: None,
            before: task.ops.clone(),
            after: BTreeMap::new(),
            patches: BTreeMap::new(),
        }
    }

    /// What a replay took over of its first attempt is asked for like anything else, in the order in which it began.
    fn with_reused(mut self, reused: Option<&Vec<OpKey>>) -> Script {
        for key in reused.into_iter().flatten() {
            if self.before.get(key).is_none_or(|op| op.attempt != self.attempt) {
                continue;
            }
            if let Some(op) = self.before.remove(key) {
                let asks = (op.state != OpState::Abandoned && self.asks.insert(key.clone()))
                    .then(|| line(key, &op.state));
                self.cues.push(Cue { key: key.clone(), op, asks });
            }
        }
        self
    }

    /// Returns what the code's ledger must know beforehand.
    pub(super) fn foreseen(&self, supposed: &BTreeMap<OpKey, OpState>) -> Foreseen {
        Foreseen {
            before: self.before.clone(),
            after: self.after.clone(),
            patches: self.patches.clone(),
            supposed: supposed.clone(),
        }
    }
}
