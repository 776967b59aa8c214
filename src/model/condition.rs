//! The conditions of a task: what must be, beside the end of the tasks before it, for it to begin, be left out, or end the
//! run.
//!
//! Their shape is part of the plan, and so of the log. What only code can judge, an output or what a signal carries, is
//! judged once, outside of the fold, and its verdict is an event.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::ids::{SignalName, TaskName};
use super::payload::Payload;
use super::plan::Plan;

/// The conditions of one task. They are looked at from when the tasks before it came to rest until it begins or is
/// skipped; of several that are met at once, the first of these three counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// What the expressions speak of.
    pub terms: Vec<Term>,
    /// Ends the run as CANCELLED.
    #[serde(default)]
    pub cancel_if: Option<Expr>,
    /// Leaves the task out.
    #[serde(default)]
    pub skip_if: Option<Expr>,
    /// Lets the task begin; without one it begins unless it is left out.
    #[serde(default)]
    pub wait_for: Option<Expr>,
}

/// Something that is or is not so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// The output of a task before it is one that the code looks for. Not met when that task was skipped.
    Output {
        /// That task's place in the plan.
        task: u16,
    },
    /// So much time passed since the tasks before it came to rest.
    Elapsed {
        /// In milliseconds.
        ms: u64,
    },
    /// A signal came, and nobody had taken it before.
    Signal {
        /// Its name.
        name: SignalName,
        /// Whether the code judges what it carries; a signal that is not the right one is passed over.
        #[serde(default)]
        judged: bool,
    },
}

/// Terms, joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// The term in this place.
    Term(u16),
    /// All of these.
    All(Vec<Expr>),
    /// At least one of these.
    Any(Vec<Expr>),
}

/// What is known of a task's conditions, since the tasks before it came to rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Since when they are looked at.
    pub opened_at: Timestamp,
    /// What is known of each term.
    pub terms: Vec<Known>,
}

/// What is known of one term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Whether it is met; `None` = not known yet. A verdict stays.
    pub met: Option<bool>,
    /// When time alone meets it.
    pub due: Option<Timestamp>,
    /// Signals that the code has not judged yet, the oldest first.
    pub unjudged: VecDeque<Payload>,
}

/// Why a task was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// What it is skipped for came true.
    Condition {
        /// The condition, for people.
        condition: String,
    },
    /// What it waits for cannot come true any more.
    Unreachable {
        /// The condition, for people.
        condition: String,
    },
    /// A task before it, whose output it needs, was skipped.
    After {
        /// That task.
        task: TaskName,
    },
}

/// When and why a task was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// When; in a replay that took it over, when that started.
    pub at: Timestamp,
    /// Why.
    pub because: SkipReason,
}

/// What the conditions of a task come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// The run ends.
    Cancel(&'a Expr),
    /// The task is left out.
    Skip(&'a Expr),
    /// It never can begin.
    Never(&'a Expr),
    /// It begins.
    Begin,
    /// Nothing is decided yet.
    Wait,
}

impl Conditions {
    /// Says what the conditions come to. While the code owes an answer nothing is decided.
    pub(crate) fn verdict(&self, gate: &Gate, asks: bool) -> Verdict<'_> {
        if asks {
            return Verdict::Wait;
        }
        let met = |expr: &&Expr| expr.holds(&gate.terms) == Some(true);
        if let Some(expr) = self.cancel_if.as_ref().filter(met) {
            return Verdict::Cancel(expr);
        }
        if let Some(expr) = self.skip_if.as_ref().filter(met) {
            return Verdict::Skip(expr);
        }
        match self.wait_for.as_ref().map(|expr| (expr, expr.holds(&gate.terms))) {
            None | Some((_, Some(true))) => Verdict::Begin,
            Some((expr, Some(false))) => Verdict::Never(expr),
            Some((_, None)) => Verdict::Wait,
        }
    }

    /// Says whether the task may be left out while all tasks before it have their output.
    pub(crate) fn may_skip(&self) -> bool {
        let has_output = |term: &Term| matches!(term, Term::Output { .. });
        self.skip_if.is_some() || self.wait_for.is_some() && self.terms.iter().any(has_output)
    }

    /// Says whether its expressions name terms that it has.
    pub(super) fn is_closed(&self) -> bool {
        let exprs = [&self.cancel_if, &self.skip_if, &self.wait_for].into_iter().flatten();
        exprs.flat_map(Expr::terms).all(|term| usize::from(term) < self.terms.len())
    }

    /// Writes an expression for people: ``output of `check` and signal `approved` ``.
    pub(crate) fn describe(&self, expr: &Expr, plan: &Plan) -> String {
        self.write(expr, plan, &|_| true)
    }

    /// Writes what an expression still needs.
    pub(crate) fn missing(&self, expr: &Expr, gate: &Gate, plan: &Plan) -> String {
        self.write(expr, plan, &|part| part.holds(&gate.terms).is_none())
    }

    fn write(&self, expr: &Expr, plan: &Plan, wanted: &dyn Fn(&Expr) -> bool) -> String {
        let (parts, word) = match expr {
            Expr::Term(at) => {
                return self.terms.get(usize::from(*at)).map(|term| term.describe(plan)).unwrap_or_default();
            }
            Expr::All(all) => (all, " and "),
            Expr::Any(any) => (any, " or "),
        };
        let parts: Vec<&Expr> = parts.iter().filter(|part| wanted(part)).collect();
        let several = |part: &Expr| match part {
            Expr::Term(_) => false,
            Expr::All(inner) | Expr::Any(inner) => inner.iter().filter(|part| wanted(part)).count() > 1,
        };
        let nested = |part: &&Expr| match self.write(part, plan, wanted) {
            text if parts.len() > 1 && several(part) => format!("({text})"),
            text => text,
        };
        parts.iter().map(nested).collect::<Vec<_>>().join(word)
    }

    /// Lists the signals that an expression still waits for.
    pub(crate) fn open_signals(&self, expr: &Expr, gate: &Gate) -> Vec<SignalName> {
        let is_open = |at: &u16| gate.terms.get(usize::from(*at)).is_some_and(|known| known.met.is_none());
        let name = |at: u16| match self.terms.get(usize::from(at)) {
            Some(Term::Signal { name, .. }) => Some(name.clone()),
            Some(Term::Output { .. } | Term::Elapsed { .. }) | None => None,
        };
        expr.terms().into_iter().filter(is_open).filter_map(name).collect()
    }
}

impl Term {
    fn describe(&self, plan: &Plan) -> String {
        match self {
            Term::Output { task } => {
                let name = plan.tasks.get(usize::from(*task)).map(|task| task.name.as_str());
                format!("output of `{}`", name.unwrap_or("?"))
            }
            Term::Elapsed { ms } => format!("{:?}", std::time::Duration::from_millis(*ms)),
            Term::Signal { name, .. } => format!("signal `{name}`"),
        }
    }
}

impl Expr {
    /// Says whether it is so, as far as that is known: an unknown term may leave the whole unknown (Kleene 1938).
    pub(crate) fn holds(&self, terms: &[Known]) -> Option<bool> {
        match self {
            Expr::Term(at) => terms.get(usize::from(*at))?.met,
            Expr::All(all) => combine(all, terms, false),
            Expr::Any(any) => combine(any, terms, true),
        }
    }

    /// Lists its terms.
    pub(crate) fn terms(&self) -> Vec<u16> {
        match self {
            Expr::Term(at) => vec![*at],
            Expr::All(exprs) | Expr::Any(exprs) => exprs.iter().flat_map(Expr::terms).collect(),
        }
    }
}

/// One that is `decisive` decides; without, one that is unknown leaves all of it unknown.
fn combine(exprs: &[Expr], terms: &[Known], decisive: bool) -> Option<bool> {
    let mut unknown = false;
    for expr in exprs {
        match expr.holds(terms) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decisive)
}

impl Gate {
    /// Returns the earliest instant at which time alone meets a term.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.terms.iter().filter(|known| known.met.is_none()).filter_map(|known| known.due).min()
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Condition { condition } => write!(f, "skipped on {condition}"),
            SkipReason::Unreachable { condition } => write!(f, "it waits for {condition}, which cannot come"),
            SkipReason::After { task } => write!(f, "`{task}` was skipped"),
        }
    }
}
