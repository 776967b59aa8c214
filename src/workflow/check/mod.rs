//! Plays recorded histories against the code at hand: does it still ask for what they hold?
//!
//! The code is driven as an attempt's is, and every operation is answered from the log, event by event: code that asks
//! for two steps in the other order is told from code that asks for both at once. No body, child, timer or
//! transaction runs. What the code does between its operations is run for real, as after every crash.

mod script;
mod stage;
mod suppose;
mod plan;
mod report;

pub use self::report::{CheckReport, CheckedRun, Divergence, Finding};

use std::collections::BTreeMap;
use std::sync::Arc;

use self::script::Script;
use crate::clock::Clock;
use crate::model::divergence::Diff;
use crate::model::event::Recorded;
use crate::model::{RunId, RunState, Status, TaskName};
use crate::workflow::{Definition, Registry};

/// Checks one history: the whole log of a run so far.
pub(crate) async fn check(
    registry: &Registry,
    run: RunId,
    log: &[Recorded],
    clock: &Arc<Clock>,
) -> CheckedRun {
    let undecided =
        |problem| CheckedRun { run, workflow: None, live: false, finding: Finding::Undecided { problem } };
    let (state, scripts) = match script::read(run, log, clock) {
        Ok(Some(read)) => read,
        Ok(None) => return undecided("its log is empty".to_owned()),
        Err(illegal) => return undecided(illegal.to_string()),
    };
    let origin = &state.origin;
    let finding = match registry.get(&origin.workflow, &origin.version) {
        None => Finding::NoCode,
        Some(code) => compare(code, &state, &scripts).await,
    };
    let live = matches!(state.status, Status::Queued | Status::Running);
    CheckedRun { run, workflow: Some((origin.workflow.clone(), origin.version.clone())), live, finding }
}

/// Judges a task's code that seems not to fit: its diff, which is empty when it does fit; `None` when that cannot be told.
pub(crate) async fn judge(
    code: &Definition,
    run: RunId,
    task: &TaskName,
    log: &[Recorded],
    clock: &Arc<Clock>,
) -> Option<Diff> {
    let (state, scripts) = script::read(run, log, clock).ok()??;
    let script =
        scripts.iter().find(|script| state.tasks.get(script.at).is_some_and(|of| of.name == *task))?;
    match play(code, &state, script).await? {
        Played::Diverges(divergence) => Some(divergence.diff).filter(|diff| !diff.is_empty()),
        Played::Fits { .. } => Some(Diff::of(Vec::new(), Vec::new(), false)),
        Played::Refused { .. } => None,
    }
}

async fn compare(code: &Definition, state: &RunState, scripts: &[Script]) -> Finding {
    let live = matches!(state.status, Status::Queued | Status::Running);
    let mut divergences = Vec::new();
    if let Some(recorded) = state.plan.as_ref().filter(|plan| **plan != code.plan) {
        let diff = plan::diff(recorded, &code.plan);
        divergences.push(Divergence { task: None, blocks: live, diff, waits_elsewhere: false });
    }
    let mut operations = 0;
    for script in scripts {
        match play(code, state, script).await {
            Some(Played::Fits { compared }) => operations += compared,
            Some(Played::Diverges(divergence)) => divergences.push(*divergence),
            Some(Played::Refused { problem }) => return Finding::Undecided { problem },
            // The plan's diff says that the task is gone.
            None => {}
        }
    }
    if divergences.is_empty() { Finding::Fits { operations } } else { Finding::Diverges { divergences } }
}

enum Played {
    Fits { compared: usize },
    Diverges(Box<Divergence>),
    Refused { problem: String },
}

/// Plays one task; `None` when the code has no task of its name.
async fn play(code: &Definition, state: &RunState, script: &Script) -> Option<Played> {
    let task = state.tasks.get(script.at)?;
    let code = code.code.get(code.plan.position(&task.name)?)?;
    let first = stage::play(code, script, &BTreeMap::new()).await;
    if let Some(problem) = first.refused {
        return Some(Played::Refused { problem });
    }
    if !first.diverges {
        return Some(Played::Fits { compared: first.recorded.len() });
    }
    // Without any answer supposed, it shows at least where the code stopped.
    let mut seen = first.code.clone();
    seen.extend(first.stuck.iter().map(|stuck| stuck.line.clone()));
    let plain = Diff::of(first.recorded.clone(), seen, first.end.is_none());
    let trace = suppose::play_on(code, script, first).await;
    let stuck = trace.end.is_none();
    let diff = Diff::of(trace.recorded, trace.code, stuck);
    let divergence = Divergence {
        task: Some(task.name.clone()),
        blocks: task.is_open() && state.status == Status::Running,
        diff: if diff.is_empty() { plain } else { diff },
        waits_elsewhere: trace.waits_elsewhere,
    };
    Some(Played::Diverges(Box::new(divergence)))
}
