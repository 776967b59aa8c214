//! The first event at which two logs part.
//!
//! What runs beside each other ends in any order, so logs are compared lane by lane: the run's own events, those of each
//! task's attempts, and those of each operation. Times, nodes and ids are left out; so is what only says that a run
//! went from one node to another. What a replay took over counts by its outcome, as if the replay had come to it.

use std::collections::BTreeMap;

use super::reuse::{self, Reuse, is_reused};
use crate::model::event::{Place, RunEvent, TaskEvent};
use crate::model::fingerprint::normalised;
use crate::model::{Event, Failure, OpKey, Payload, Recorded, SignalName, TaskName};

/// Where two logs part: at least one of the two has an event there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The first run's event; `None` = it has none there.
    pub a: Option<Passage>,
    /// The second run's event; `None` = it has none there.
    pub b: Option<Passage>,
}

/// An event of one of two logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its place in its log.
    pub seq: u32,
    /// Its kind.
    pub kind: &'static str,
    /// The task and attempt it is about.
    pub place: Option<Place>,
    /// The operation it is about.
    pub op: Option<OpKey>,
    /// What was compared of it: without times, nodes and ids.
    pub text: String,
}

/// Events that follow each other in one order only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane<'a> {
    Run,
    Signal(&'a SignalName),
    Task(&'a TaskName),
    Op(&'a TaskName, &'a OpKey),
}

/// Finds the first event that differs in any way.
pub(super) fn first(a: &[Recorded], b: &[Recorded]) -> Option<Divergence> {
    part(a, b, full)
}

/// Finds the first event that differs in more than what it carries.
pub(super) fn first_course(a: &[Recorded], b: &[Recorded]) -> Option<Divergence> {
    part(a, b, course)
}

fn part(a: &[Recorded], b: &[Recorded], text: fn(&Event) -> String) -> Option<Divergence> {
    let reuse = Reuse::of(a.iter().chain(b));
    let (a, b) = (lanes(a, &reuse), lanes(b, &reuse));
    let empty = Vec::new();
    let only_b = b.iter().filter(|(lane, _)| !a.contains_key(*lane)).map(|(_, there)| (&empty, there));
    let both = a.iter().map(|(lane, here)| (here, b.get(lane).unwrap_or(&empty))).chain(only_b);
    let differs = |(one, other): &(Option<&Recorded>, Option<&Recorded>)| {
        one.map(|one| text(&one.event)) != other.map(|other| text(&other.event))
    };
    let parted = both.filter_map(|(here, there)| {
        let by_outcome = here.iter().chain(there).any(|recorded| is_reused(recorded));
        let last = by_outcome.then(|| (here.last().copied(), there.last().copied()));
        let count = if by_outcome { 0 } else { here.len().max(there.len()) };
        let each = (0..count).map(|at| (here.get(at).copied(), there.get(at).copied()));
        last.into_iter().chain(each).find(differs)
    });
    let seq = |event: Option<&Recorded>| event.map_or(u32::MAX, |event| event.seq);
    let first = parted.min_by_key(|(a, b)| (seq(*a).min(seq(*b)), seq(*a).max(seq(*b))));
    first.map(|(a, b)| Divergence { a: a.map(Passage::of), b: b.map(Passage::of) })
}

fn lanes<'a>(log: &'a [Recorded], reuse: &Reuse<'_>) -> BTreeMap<Lane<'a>, Vec<&'a Recorded>> {
    let mut lanes: BTreeMap<Lane<'_>, Vec<&Recorded>> = BTreeMap::new();
    for recorded in log {
        let lane = match &recorded.event {
            // What a run was started with is compared by itself; who took it over is nobody's course.
            Event::Run(RunEvent::Created(_) | RunEvent::Claimed(_)) => continue,
            Event::Task(_, TaskEvent::TaskResumed(_)) => continue,
            Event::Run(RunEvent::SignalReceived(signal)) => Lane::Signal(&signal.name),
            Event::Run(_) => Lane::Run,
            Event::Task(place, event) => match event.op() {
                Some(op) => Lane::Op(&place.task, op),
                None => Lane::Task(&place.task),
            },
        };
        if !reuse.hides(&lane) {
            lanes.entry(lane).or_default().push(recorded);
        }
    }
    lanes
}

impl Passage {
    fn of(recorded: &Recorded) -> Passage {
        let (place, op) = match &recorded.event {
            Event::Run(_) => (None, None),
            Event::Task(place, event) => (Some(place.clone()), event.op().cloned()),
        };
        let (seq, kind) = (recorded.seq, recorded.event.kind());
        Passage { seq, kind, place, op, text: full(&recorded.event) }
    }
}

/// Writes what happened, without what it carries.
fn course(event: &Event) -> String {
    let mut kind = event.kind();
    let about = match event {
        Event::Run(event) => match event {
            RunEvent::Started(started) => serde_json::to_string(&started.plan).unwrap_or_default(),
            RunEvent::Failed(failed) => {
                format!("{} {}", failed.task.as_ref().map_or("", TaskName::as_str), failed.error.kind)
            }
            RunEvent::TimedOut(timed_out) => format!("{:?}", timed_out.timeout),
            RunEvent::Created(_)
            | RunEvent::Claimed(_)
            | RunEvent::CancelRequested(_)
            | RunEvent::SignalReceived(_)
            | RunEvent::Blocked(_)
            | RunEvent::Succeeded(_)
            | RunEvent::Cancelled(_) => String::new(),
        },
        Event::Task(place, event) => match event {
            TaskEvent::AttemptStarted(_) => place.attempt.to_string(),
            TaskEvent::AttemptFailed(failed) => ending(&failed.error, failed.retry_at.is_some()),
            TaskEvent::StepFailed(failed) => ending(&failed.error, failed.retry_at.is_some()),
            TaskEvent::SignalAwaited(wait) => wait.signal.to_string(),
            TaskEvent::ChildStarted(child) => format!("{} {}", child.workflow, child.version),
            TaskEvent::ChildFinished(child) => child.outcome.status.to_string(),
            TaskEvent::RaceWon(race) => race.winner.to_string(),
            TaskEvent::PatchMarked(mark) => format!("{} {}", mark.patch, mark.applies),
            TaskEvent::TaskReused(_) => {
                kind = "attempt_succeeded";
                String::new()
            }
            TaskEvent::OpReused(reused) => {
                let (recorded, about) = reuse::course(&reused.recorded);
                kind = recorded;
                about
            }
            TaskEvent::TimeoutExtended(_)
            | TaskEvent::AttemptSucceeded(_)
            | TaskEvent::StepStarted(_)
            | TaskEvent::StepCompleted(_)
            | TaskEvent::TimerStarted(_)
            | TaskEvent::TimerFired(_)
            | TaskEvent::SignalTimedOut(_)
            | TaskEvent::WaitAbandoned(_)
            | TaskEvent::TimeRead(_)
            | TaskEvent::TaskResumed(_)
            | TaskEvent::ConditionsOpened(_) => String::new(),
            TaskEvent::ConditionDecided(term) => format!("{} {}", term.term, term.met),
            TaskEvent::TaskSkipped(skipped) => skipped.because.to_string(),
        },
    };
    [kind, &about].join(" ").trim_end().to_owned()
}

pub(super) fn ending(error: &Failure, again: bool) -> String {
    format!("{}{}", error.kind, if again { ", tried again" } else { "" })
}

/// Writes what happened, with what it carries.
fn full(event: &Event) -> String {
    let text = |payload: &Payload| payload.text().to_owned();
    let said = |error: &Failure| normalised(&error.message);
    let hash = |hash: &Option<String>| hash.clone().unwrap_or_default();
    let carried = match event {
        Event::Run(event) => match event {
            RunEvent::SignalReceived(signal) => text(&signal.payload),
            RunEvent::Blocked(blocked) => blocked.report.clone(),
            RunEvent::Failed(failed) => said(&failed.error),
            RunEvent::CancelRequested(cancel) => cancel.reason.clone().unwrap_or_default(),
            RunEvent::Cancelled(cancelled) => cancelled.reason.clone().unwrap_or_default(),
            RunEvent::Created(_)
            | RunEvent::Claimed(_)
            | RunEvent::Started(_)
            | RunEvent::Succeeded(_)
            | RunEvent::TimedOut(_) => String::new(),
        },
        Event::Task(_, event) => match event {
            TaskEvent::AttemptSucceeded(done) => text(&done.output),
            TaskEvent::TaskReused(reused) => text(&reused.output),
            TaskEvent::OpReused(reused) => reuse::carried(&reused.recorded),
            TaskEvent::AttemptFailed(failed) => said(&failed.error),
            TaskEvent::StepStarted(step) => hash(&step.input_hash),
            TaskEvent::StepCompleted(step) => format!("{} {}", hash(&step.input_hash), step.output),
            TaskEvent::StepFailed(step) => format!("{} {}", hash(&step.input_hash), said(&step.error)),
            TaskEvent::ChildStarted(child) => child.input_hash.clone(),
            TaskEvent::ChildFinished(child) => {
                let output = child.outcome.output.as_ref().map(text);
                output.or_else(|| child.outcome.error.as_ref().map(said)).unwrap_or_default()
            }
            TaskEvent::AttemptStarted(_)
            | TaskEvent::TimeoutExtended(_)
            | TaskEvent::TimerStarted(_)
            | TaskEvent::TimerFired(_)
            | TaskEvent::SignalAwaited(_)
            | TaskEvent::SignalTimedOut(_)
            | TaskEvent::WaitAbandoned(_)
            | TaskEvent::RaceWon(_)
            | TaskEvent::TimeRead(_)
            | TaskEvent::PatchMarked(_)
            | TaskEvent::TaskResumed(_)
            | TaskEvent::ConditionsOpened(_)
            | TaskEvent::ConditionDecided(_)
            | TaskEvent::TaskSkipped(_) => String::new(),
        },
    };
    [course(event).as_str(), carried.trim_start()].join(" ").trim_end().to_owned()
}
