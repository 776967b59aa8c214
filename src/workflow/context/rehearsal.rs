//! What a check notes of code that it plays against a log, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ledger::{Ledger, ahead, is_stale};
use crate::model::divergence::OpLine;
use crate::model::state::{Op, OpState};
use crate::model::{OpKey, PatchId};

/// What the code asks for: an operation as it is built.
#[derive(Clone, Copy)]
pub(super) struct Ask<'op> {
    pub(super) op: &'op OpKey,
    pub(super) kind: &'static str,
    pub(super) input: Option<&'op str>,
    pub(super) location: &'static Location<'static>,
}

/// The log of an attempt, as far as a check needs it before it comes to it.
#[derive(Default)]
pub(crate) struct Foreseen {
    /// What the attempt finds of earlier ones.
    pub(crate) before: BTreeMap<OpKey, Op>,
    /// What the whole log comes to.
    pub(crate) after: BTreeMap<OpKey, Op>,
    /// The answers that patches get.
    pub(crate) patches: BTreeMap<PatchId, bool>,
    /// Answers to operations that the log does not have: what would have to be true for the code to go on.
    pub(crate) supposed: BTreeMap<OpKey, OpState>,
}

/// Notes of what an attempt's code asks for. With it a ledger runs no body, starts nothing and reports nothing.
pub(crate) struct Rehearsal {
    attempt: u32,
    foreseen: Foreseen,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    asked: BTreeMap<OpKey, Asked>,
    order: Vec<OpKey>,
    /// Asked for by the losers of a race that is over.
    lost: BTreeSet<OpKey>,
    /// Races whose end the log has come to.
    reached: BTreeSet<OpKey>,
}

/// An operation that the code asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its place among all that were asked for.
    pub(crate) order: usize,
    /// Whether the task's own code asked, and no future that it spawned: those come in any order.
    pub(crate) driven: bool,
    /// Whether an earlier attempt recorded it.
    pub(crate) was_known: bool,
    /// What it is.
    pub(crate) line: OpLine,
}

impl Asked {
    /// Says whether the code goes on without waiting for it.
    pub(crate) fn is_instant(&self) -> bool {
        !self.was_known && matches!(self.line.kind, "now" | "race")
    }

    /// Says whether it is recorded as soon as it is asked for.
    pub(crate) fn is_prompt(&self) -> bool {
        !self.was_known && matches!(self.line.kind, "sleep" | "signal" | "child")
    }
}

impl Ledger {
    /// Makes the ledger of an attempt that is checked against its log: see [`Rehearsal`].
    pub(crate) fn rehearsal(attempt: u32, foreseen: Foreseen) -> Ledger {
        let mut ledger = Ledger::new(attempt, foreseen.before.clone(), foreseen.patches.clone());
        let mut book = ledger.book();
        book.unclaimed.clear();
        book.ahead = ahead(attempt, &foreseen.after);
        drop(book);
        ledger.rehearsal = Some(Rehearsal::new(attempt, foreseen));
        ledger
    }

    /// Notes what the code asks for, if it is checked.
    pub(super) fn note(&self, ask: &Ask<'_>) {
        if let Some(rehearsal) = &self.rehearsal {
            let mut book = self.book();
            let driven = book.driving;
            rehearsal.note(ask, driven, &mut book.ops);
            self.wake_for_reports(book);
        }
    }

    /// Notes what the losers of a race asked for, if the code is checked.
    pub(super) fn lose(&self, lost: &[OpKey]) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.lose(lost);
        }
    }

    /// Looks up what the log will bring for an operation that is answered as soon as it is asked for.
    pub(super) fn foreseen(&self, key: &OpKey) -> Option<&OpState> {
        self.rehearsal.as_ref()?.foreseen(key)
    }

    /// Tells code that is checked that the log has come to the end of a race.
    pub(crate) fn reach(&self, race: &OpKey) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.notes().reached.insert(race.clone());
            self.committed(0, []);
        }
    }

    /// Says whether the log that the code is checked against has come to the end of a race.
    pub(super) fn is_reached(&self, race: &OpKey) -> bool {
        self.rehearsal.as_ref().is_some_and(|rehearsal| rehearsal.notes().reached.contains(race))
    }

    /// Brings a recorded operation to code that is checked.
    pub(crate) fn bring(&self, key: &OpKey, op: &Op) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.bring(key, op, &mut self.book().ops);
            self.committed(0, []);
        }
    }

    /// Returns what code that is checked asked for under that name.
    pub(crate) fn asked(&self, key: &OpKey) -> Option<Asked> {
        self.rehearsal.as_ref()?.notes().asked.get(key).cloned()
    }

    /// Lists what was asked for after the first `from`, in order, without what a race's losers asked for.
    pub(crate) fn asked_since(&self, from: usize) -> Vec<Asked> {
        let Some(rehearsal) = &self.rehearsal else { return Vec::new() };
        let notes = rehearsal.notes();
        let new = notes.order.iter().skip(from).filter(|key| !notes.lost.contains(*key));
        new.filter_map(|key| notes.asked.get(key).cloned()).collect()
    }

    /// Counts what was asked for.
    pub(crate) fn asked_count(&self) -> usize {
        self.rehearsal.as_ref().map_or(0, |rehearsal| rehearsal.notes().order.len())
    }

    /// Says whether the loser of a race that is over asked for it.
    pub(crate) fn is_lost(&self, key: &OpKey) -> bool {
        self.rehearsal.as_ref().is_some_and(|rehearsal| rehearsal.notes().lost.contains(key))
    }
}

impl Rehearsal {
    fn new(attempt: u32, foreseen: Foreseen) -> Rehearsal {
        Rehearsal { attempt, foreseen, notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the code asks for an operation, once, and makes what is recorded fit: what stands in its place and is
    /// of another kind does not count, and another input is what the diff shows, no reason to stop.
    fn note(&self, ask: &Ask<'_>, driven: bool, ops: &mut BTreeMap<OpKey, Op>) {
        let mut notes = self.notes();
        if notes.asked.contains_key(ask.op) {
            return;
        }
        let line = OpLine {
            kind: ask.kind,
            op: ask.op.clone(),
            input: ask.input.map(str::to_owned),
            location: Some(format!("{}:{}", ask.location.file(), ask.location.line())),
        };
        let order = notes.order.len();
        notes.order.push(ask.op.clone());
        if ops.get(ask.op).is_some_and(|op| !is_stale(op, self.attempt) && !could_be(&op.state, ask.kind)) {
            ops.remove(ask.op);
        }
        let was_known =
            ops.get(ask.op).is_some_and(|op| !is_stale(op, self.attempt) && op.attempt < self.attempt);
        let asked = Asked { order, driven, was_known, line };
        if let Some(op) = ops.get_mut(ask.op) {
            fit(&mut op.state, &asked.line);
        }
        if let Some(supposed) = self.foreseen.supposed.get(ask.op) {
            ops.insert(ask.op.clone(), Op { attempt: self.attempt, reused: false, state: supposed.clone() });
        }
        notes.asked.insert(ask.op.clone(), asked);
    }

    /// Brings a recorded operation to the code, unless the code has something else in its place.
    fn bring(&self, key: &OpKey, op: &Op, ops: &mut BTreeMap<OpKey, Op>) {
        let asked = self.notes().asked.get(key).cloned();
        let other = asked.as_ref().is_some_and(|asked| !could_be(&op.state, asked.line.kind));
        if other || self.foreseen.supposed.contains_key(key) {
            return;
        }
        let mut op = op.clone();
        if let Some(asked) = asked {
            fit(&mut op.state, &asked.line);
        }
        ops.insert(key.clone(), op);
    }

    fn foreseen(&self, key: &OpKey) -> Option<&OpState> {
        self.foreseen.after.get(key).filter(|op| op.attempt == self.attempt).map(|op| &op.state)
    }

    fn lose(&self, lost: &[OpKey]) {
        self.notes().lost.extend(lost.iter().cloned());
    }
}

fn could_be(state: &OpState, kind: &str) -> bool {
    match state {
        OpState::Abandoned => matches!(kind, "sleep" | "signal"),
        state => state.kind() == kind,
    }
}

fn fit(state: &mut OpState, line: &OpLine) {
    match state {
        OpState::StepStarted { input_hash, .. }
        | OpState::StepCompleted { input_hash, .. }
        | OpState::StepFailed { input_hash, .. } => input_hash.clone_from(&line.input),
        OpState::Child { input_hash, .. } => {
            line.input.iter().for_each(|input| input_hash.clone_from(input));
        }
        OpState::Timer { .. }
        | OpState::Signal { .. }
        | OpState::Race { .. }
        | OpState::Time { .. }
        | OpState::Abandoned => {}
    }
}
