//! One task's time, cut into what it did.

use std::time::Duration;

use super::{Phase, length};
use crate::inspect::{AttemptView, Awaited, RunView, TaskView, WaitView};
use crate::model::plan::Role;
use crate::model::{TaskName, Timestamp};

/// What a task did for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) phase: Phase,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) attempt: u32,
    pub(super) failed: bool,
}

impl Stretch {
    pub(super) fn length(&self) -> Duration {
        length(self.from, self.to)
    }
}

/// Cuts a task's time into stretches that follow each other; `end` is the run's, or now.
pub(super) fn of(view: &RunView, task: &TaskView, end: Timestamp) -> Vec<Stretch> {
    let mut stretches = Stretches { list: Vec::new(), end };
    let ready = task.queued_until.unwrap_or(end);
    if let Some(possible) = possible_from(view, task) {
        let until = task.skipped.as_ref().map_or(ready, |skipped| skipped.at);
        stretches.add(Phase::Wait, possible, until, 1);
    }
    if task.attempts.is_empty() && task.skipped.is_none() {
        stretches.add(Phase::Queue, ready, end, 1);
    }
    for attempt in &task.attempts {
        if attempt.number > 1 {
            stretches.add(Phase::Backoff, attempt.created_at, attempt.queued_until, attempt.number);
        }
        stretches.add(Phase::Queue, attempt.queued_until, attempt.started_at, attempt.number);
        stretches.code(task, attempt);
    }
    let last = task.attempts.last().and_then(|last| Some((last.number, last.finished_at?)));
    if let Some(((number, failed_at), retry_at)) = last.zip(task.retry_at) {
        stretches.add(Phase::Backoff, failed_at, retry_at, number + 1);
        stretches.add(Phase::Queue, retry_at, end, number + 1);
    }
    stretches.list
}

/// Returns when the tasks before one had ended, from when on only its conditions kept it from beginning; `None` for one that
/// had none to wait for any more.
fn possible_from(view: &RunView, task: &TaskView) -> Option<Timestamp> {
    let ended = |name: &TaskName| {
        let before = view.tasks.iter().find(|other| other.name == *name)?;
        // What a replay took over had ended before the run began.
        before.finished_at.or(before
            .attempts
            .is_empty()
            .then_some(view.started_at?)
            .filter(|_| before.output.is_some()))
    };
    match task.role {
        Role::OnFailure => None,
        Role::Task => {
            task.after.iter().map(ended).try_fold(view.started_at?, |latest, at| Some(latest.max(at?)))
        }
    }
}

struct Stretches {
    list: Vec<Stretch>,
    end: Timestamp,
}

impl Stretches {
    /// Adds a stretch, unless it is empty or not before the end.
    fn add(&mut self, phase: Phase, from: Timestamp, to: Timestamp, attempt: u32) {
        let to = to.min(self.end);
        if from < to {
            self.list.push(Stretch { phase, from, to, attempt, failed: false });
        }
    }

    /// Cuts an attempt's time into running and waiting.
    fn code(&mut self, task: &TaskView, attempt: &AttemptView) {
        let (from, to) =
            (attempt.started_at, attempt.finished_at.unwrap_or(self.end).max(attempt.started_at));
        let begun = self.list.len();
        let mut at = from;
        for (wait_from, wait_to) in waits(task, attempt, from, to) {
            self.add(Phase::Run, at, wait_from, attempt.number);
            self.add(Phase::Wait, wait_from, wait_to, attempt.number);
            at = wait_to;
        }
        // An attempt without length is there, too.
        if at < to || self.list.len() == begun {
            let to = to.min(self.end);
            self.list.push(Stretch {
                phase: Phase::Run,
                from: at.min(to),
                to,
                attempt: attempt.number,
                failed: false,
            });
        }
        if let Some(last) = self.list.last_mut() {
            last.failed = attempt.error.is_some();
        }
    }
}

/// Returns the times of an attempt in which its code is known to have only waited: in order, none in another.
fn waits(
    task: &TaskView,
    attempt: &AttemptView,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let own_steps = || task.steps.iter().filter(|step| step.attempt == attempt.number && !step.reused);
    let steps: Vec<(Timestamp, Timestamp)> =
        own_steps().filter_map(|step| Some((step.started_at?, step.finished_at.unwrap_or(to)))).collect();
    let waited: Vec<&WaitView> = task.waits.iter().filter(|wait| wait.attempt == attempt.number).collect();
    let mut known: Vec<Timestamp> = steps.iter().flat_map(|(from, to)| [*from, *to]).collect();
    known.extend([from, to]);
    known.extend(waited.iter().filter_map(|wait| instant(wait)));
    known.retain(|at| (from..=to).contains(at));
    known.sort_unstable();
    let before = |at: Timestamp| known.get(..known.partition_point(|known| *known < at))?.last().copied();
    let after = |at: Timestamp| known.get(known.partition_point(|known| *known <= at)).copied();
    let span = |wait: &&WaitView| match (instant(wait), wait.over) {
        (Some(at), true) if matches!(wait.what, Awaited::Child { .. }) => Some((at, after(at)?)),
        (Some(at), true) => Some((before(at)?, at)),
        // It was over at some time that is not known.
        (None, true) => None,
        // It waits still, since the last thing that happened.
        (_, false) => Some((before(to)?, to)),
    };
    let mut spans: Vec<(Timestamp, Timestamp)> = waited.iter().filter_map(span).collect();
    // A step that is tried again.
    spans.extend(own_steps().filter_map(|step| Some((step.finished_at?, step.retry_at?.min(to)))));
    let inside = |(begun, ended): (Timestamp, Timestamp)| (begun.max(from), ended.min(to));
    without(joined(spans.into_iter().map(inside).collect()), &joined(steps))
}

/// Returns what is known of a wait on the clock: when a sleep ends, or a child run was started.
fn instant(wait: &WaitView) -> Option<Timestamp> {
    match &wait.what {
        Awaited::Time { until } => Some(*until),
        Awaited::Child { run } => Some(run.created_at()),
        // Its end is not kept, unless it is its deadline: and then nobody says so.
        Awaited::Signal { .. } => None,
    }
}

/// Joins spans that touch or overlap.
pub(super) fn joined(mut spans: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    spans.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(spans.len());
    for (from, to) in spans.into_iter().filter(|(from, to)| from < to) {
        match joined.last_mut().filter(|last| last.1 >= from) {
            Some(last) => last.1 = last.1.max(to),
            None => joined.push((from, to)),
        }
    }
    joined
}

/// Takes spans out of others; both are in order, and touch none of their own.
pub(super) fn without(
    spans: Vec<(Timestamp, Timestamp)>,
    taken: &[(Timestamp, Timestamp)],
) -> Vec<(Timestamp, Timestamp)> {
    let mut rest = Vec::with_capacity(spans.len());
    let mut taken = taken.iter().peekable();
    for (mut from, to) in spans {
        while taken.next_if(|(_, taken_to)| *taken_to <= from).is_some() {}
        while let Some((taken_from, taken_to)) = taken.peek().filter(|(taken_from, _)| *taken_from < to) {
            if from < *taken_from {
                rest.push((from, *taken_from));
            }
            from = from.max(*taken_to);
            if *taken_to > to {
                break;
            }
            taken.next();
        }
        if from < to {
            rest.push((from, to));
        }
    }
    rest
}
