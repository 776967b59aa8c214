//! Folds what becomes of a task's conditions.

use std::collections::VecDeque;

use crate::model::Timestamp;
use crate::model::condition::{Conditions, Gate, Known, Skipped, Term};
use crate::model::event::{ConditionDecided, ConditionsOpened, Recorded, SignalReceived, TaskSkipped};
use crate::model::payload::Payload;
use crate::model::state::{RunState, TaskState};
use crate::model::status::TaskStatus;

type Folded = Result<(), String>;

/// Refuses an attempt at a task whose conditions nobody looked at, unless it goes on with its work in a replay.
pub(super) fn allow_start(state: &mut RunState, at: usize) -> Folded {
    let has_conditions = conditions(state, at).is_some();
    let Some(task) = state.tasks.get_mut(at) else { return Ok(()) };
    match &mut task.gate {
        None if has_conditions && task.work.is_none() => {
            Err("its conditions were never looked at".to_owned())
        }
        Some(gate) => {
            // Nobody will ask.
            gate.terms.iter_mut().for_each(|known| known.unjudged.clear());
            Ok(())
        }
        None => Ok(()),
    }
}

pub(super) fn opened(
    state: &mut RunState,
    at: usize,
    recorded: &Recorded,
    event: &ConditionsOpened,
) -> Folded {
    let conditions = conditions(state, at).ok_or("the task has no conditions")?;
    let of = |term: &Term| known(state, term);
    let mut terms: Vec<Known> = conditions.terms.iter().map(of).collect();
    for (term, due) in &event.due {
        match (conditions.terms.get(usize::from(*term)), terms.get_mut(usize::from(*term))) {
            (Some(Term::Elapsed { .. }), Some(known)) => known.due = Some(*due),
            _ => return Err(format!("term {term} is none that time meets")),
        }
    }
    let task = waiting(state, at)?;
    if task.gate.is_some() {
        return Err("its conditions are looked at already".to_owned());
    }
    task.gate = Some(Box::new(Gate { opened_at: recorded.at, terms }));
    Ok(())
}

/// What is known of a term when the tasks before its own came to rest.
fn known(state: &RunState, term: &Term) -> Known {
    match term {
        // Who was skipped has no output to look at.
        Term::Output { task } => {
            let before = state.tasks.get(usize::from(*task));
            let is_missing = before.is_none_or(|task| !task.has_output());
            Known { met: is_missing.then_some(false), ..Known::default() }
        }
        Term::Elapsed { .. } => Known::default(),
        Term::Signal { name, judged } => {
            let buffered = state.signals.iter().filter(|signal| signal.name == *name && signal.key.is_none());
            let buffered: VecDeque<Payload> = buffered.map(|signal| signal.payload.clone()).collect();
            match judged {
                true => Known { unjudged: buffered, ..Known::default() },
                false => Known { met: (!buffered.is_empty()).then_some(true), ..Known::default() },
            }
        }
    }
}

pub(super) fn decided(state: &mut RunState, at: usize, event: &ConditionDecided) -> Folded {
    let term = conditions(state, at).and_then(|conditions| conditions.terms.get(usize::from(event.term)));
    let term = term.cloned().ok_or_else(|| format!("the task has no term {}", event.term))?;
    let task = waiting(state, at)?;
    let gate = task.gate.as_mut().ok_or("its conditions are not looked at")?;
    let known = gate.terms.get_mut(usize::from(event.term)).filter(|known| known.met.is_none());
    let known = known.ok_or_else(|| format!("term {} has its verdict already", event.term))?;
    match term {
        Term::Signal { judged: true, .. } => {
            known.unjudged.pop_front().ok_or("no signal came that could be judged")?;
            if event.met {
                known.met = Some(true);
                known.unjudged.clear();
            }
        }
        Term::Signal { judged: false, .. } => return Err("a signal meets it, and nothing else".to_owned()),
        Term::Elapsed { .. } | Term::Output { .. } => known.met = Some(event.met),
    }
    Ok(())
}

pub(super) fn skipped(task: &mut TaskState, recorded: &Recorded, event: &TaskSkipped) -> Folded {
    if task.status != TaskStatus::Queued || !task.attempts.is_empty() {
        return Err(format!("the task is {} at attempt {}", task.status, task.attempt()));
    }
    skip(task, recorded.at, event);
    Ok(())
}

pub(super) fn skip(task: &mut TaskState, at: Timestamp, event: &TaskSkipped) {
    task.status = TaskStatus::Skipped;
    task.skipped = Some(Skipped { at, because: event.because.clone() });
    if let Some(gate) = &mut task.gate {
        gate.terms.iter_mut().for_each(|known| known.unjudged.clear());
    }
}

/// Lets the conditions that are looked at hear a signal to the run. They take none: it stays for the code.
pub(super) fn hear(state: &mut RunState, event: &SignalReceived) {
    // One to a key is for the wait that asked for it.
    if event.key.is_some() {
        return;
    }
    let Some(plan) = &state.plan else { return };
    for (planned, task) in plan.tasks.iter().zip(&mut state.tasks) {
        let Some(conditions) = planned.conditions.as_ref().filter(|_| task.open_gate().is_some()) else {
            continue;
        };
        let known = task.gate.iter_mut().flat_map(|gate| &mut gate.terms);
        for (term, known) in conditions.terms.iter().zip(known).filter(|(_, known)| known.met.is_none()) {
            match term {
                Term::Signal { name, judged: true } if *name == event.name => {
                    known.unjudged.push_back(event.payload.clone());
                }
                Term::Signal { name, judged: false } if *name == event.name => known.met = Some(true),
                Term::Signal { .. } | Term::Output { .. } | Term::Elapsed { .. } => {}
            }
        }
    }
}

fn conditions(state: &RunState, at: usize) -> Option<&Conditions> {
    state.plan.as_ref()?.tasks.get(at)?.conditions.as_deref()
}

fn waiting(state: &mut RunState, at: usize) -> Result<&mut TaskState, String> {
    let task = state.tasks.get_mut(at).ok_or("the task is gone")?;
    if task.status != TaskStatus::Queued || !task.attempts.is_empty() {
        return Err(format!("the task is {} at attempt {}", task.status, task.attempt()));
    }
    Ok(task)
}
