//! What an operation that the log does not have would have to answer for the rest to fit.
//!
//! Code that waits for such an operation shows nothing of what it does after. So it is played again with one answer
//! after the other: what the log has in that place (was it renamed?), nothing, other outcomes of the run, and the
//! simplest values of JSON (was it inserted?). The first answer after which the code asks for what the log goes on
//! with is taken. No body runs in any of these plays.

use std::collections::BTreeMap;

use super::script::{End, Script};
use super::stage::{Trace, play};
use crate::model::event::ChildOutcome;
use crate::model::state::{Op, OpState, StepTimes};
use crate::model::{OpKey, Payload, SignalName, Status, Timestamp};
use crate::workflow::context::Asked;
use crate::workflow::definition::TaskCode;

/// Operations of one attempt that are supposed: beyond that a diff helps nobody.
const SUPPOSED_MAX: usize = 8;

/// Other outcomes of the run that are tried for one operation.
const OUTCOMES_MAX: usize = 6;

/// Plays the code until it shows all that it can be made to show.
pub(super) async fn play_on(code: &TaskCode, script: &Script, first: Trace) -> Trace {
    let mut supposed = BTreeMap::new();
    let mut trace = first;
    while let Some(stuck) = trace.stuck.clone() {
        // Code that waits for something else is slow to play.
        let tries = supposed.len() < SUPPOSED_MAX && !trace.waits_elsewhere;
        let found = if tries { suppose(code, script, &supposed, &trace, &stuck).await } else { None };
        let Some((reach, answer, better)) = found else {
            trace.code.push(stuck.line);
            break;
        };
        supposed.insert(stuck.line.op, answer);
        trace = better;
        if reach == Reach::End {
            break;
        }
    }
    trace
}

/// How far an answer brought the code; less is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// The next operation of the log, or the one after that: the rest fits.
    Near(usize),
    /// To its end, with all of the log asked for that can be.
    End,
    /// A later operation of the log.
    Far(usize),
    /// Another unknown operation.
    Beyond,
}

async fn suppose(
    code: &TaskCode,
    script: &Script,
    supposed: &BTreeMap<OpKey, OpState>,
    trace: &Trace,
    stuck: &Asked,
) -> Option<(Reach, OpState, Trace)> {
    let mut best: Option<(Reach, OpState, Trace)> = None;
    for answer in answers(script, trace, stuck) {
        let mut supposed = supposed.clone();
        supposed.insert(stuck.line.op.clone(), answer.clone());
        let played = play(code, script, &supposed).await;
        let Some(reach) = reach(script, trace, &played, stuck) else { continue };
        let better = best.as_ref().is_none_or(|(known, ..)| reach < *known);
        if better {
            best = Some((reach, answer, played));
        }
        if matches!(reach, Reach::Near(_)) {
            break;
        }
    }
    best
}

fn reach(script: &Script, before: &Trace, played: &Trace, stuck: &Asked) -> Option<Reach> {
    let now_asked = before.unasked.iter().position(|op| !played.unasked.contains(op));
    match now_asked {
        Some(place @ (0 | 1)) => Some(Reach::Near(place)),
        Some(place) => Some(Reach::Far(place)),
        None if played.end == Some(End::Succeeded) && before.unasked.len() <= 1 => Some(Reach::End),
        // A log that ends here says no more of the code.
        None if played.end.is_none() && before.unasked.len() <= 1 && script.end.is_none() => Some(Reach::End),
        None if played.asked > before.asked && played.end.is_none() => {
            let goes_on = played.stuck.as_ref().is_some_and(|next| next.line.op != stuck.line.op);
            goes_on.then_some(Reach::Beyond)
        }
        None => None,
    }
}

/// Lists what the operation might answer, the likeliest first.
fn answers(script: &Script, trace: &Trace, stuck: &Asked) -> Vec<OpState> {
    let next = trace.unasked.first().and_then(|op| script.after.get(op));
    let mut values: Vec<Payload> = next.and_then(outcome).into_iter().collect();
    values.push(Payload::null());
    for value in script.after.values().filter_map(outcome) {
        if values.len() < 2 + OUTCOMES_MAX && !values.contains(&value) {
            values.push(value);
        }
    }
    let simple = ["0", "\"\"", "false", "[]", "{}"].map(Payload::parse);
    values.extend(simple.into_iter().flatten());
    match stuck.line.kind {
        "step" => values.into_iter().map(|output| step(stuck, output)).collect(),
        "child" => values.into_iter().map(|output| child(script, stuck, output)).collect(),
        "sleep" => vec![OpState::Timer { fire_at: Timestamp::UNIX_EPOCH, fired: true }],
        "signal" => {
            let came = values.into_iter().map(Some);
            came.chain([None]).map(|outcome| signal(stuck, outcome)).collect()
        }
        _ => Vec::new(),
    }
}

fn outcome(op: &Op) -> Option<Payload> {
    match &op.state {
        OpState::StepCompleted { output, .. } => Some(output.clone()),
        OpState::Signal { outcome, .. } => outcome.clone().flatten(),
        OpState::Child { outcome, .. } => outcome.as_ref()?.output.clone(),
        OpState::StepStarted { .. }
        | OpState::StepFailed { .. }
        | OpState::Timer { .. }
        | OpState::Race { .. }
        | OpState::Time { .. }
        | OpState::Abandoned => None,
    }
}

fn step(stuck: &Asked, output: Payload) -> OpState {
    let epoch = Timestamp::UNIX_EPOCH;
    let times = StepTimes { started_at: epoch, finished_at: epoch, tries: 1 };
    OpState::StepCompleted { input_hash: stuck.line.input.clone(), output, times }
}

fn child(script: &Script, stuck: &Asked, output: Payload) -> OpState {
    let outcome = ChildOutcome { status: Status::Succeeded, output: Some(output), error: None };
    let input_hash = stuck.line.input.clone().unwrap_or_default();
    OpState::Child { run: script.facts.run, input_hash, outcome: Some(outcome) }
}

fn signal(stuck: &Asked, outcome: Option<Payload>) -> OpState {
    OpState::Signal {
        signal: SignalName::recorded(&stuck.line.op.name),
        key: None,
        deadline: None,
        outcome: Some(outcome),
    }
}
