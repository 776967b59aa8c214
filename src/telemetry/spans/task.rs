//! One task of a run: what has not ended of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::event::{AttemptFailed, ChildFinished, StepFailed};
use crate::model::failure::{PANIC, TASK_TIMED_OUT, TIMED_OUT};
use crate::model::{NodeId, OpKey, SpanId, TaskName, Timestamp};
use crate::telemetry::ids;
use crate::telemetry::names::traces as names;

use super::failed::exception;
use super::op::{OpEnd, OpenStep, OpenWait, Place, Topic, What};
use super::origin::{Moment, Origin};
use super::span::{Span, SpanEvent, SpanEvents};

/// What has not ended of a task.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskTrace {
    /// Whether it ended for good: no signal reaches it any more.
    is_over: bool,
    attempt: Option<OpenAttempt>,
    steps: BTreeMap<OpKey, OpenStep>,
    waits: BTreeMap<OpKey, OpenWait>,
    /// Which waits took a signal, by a hash, and which signal: a wait that is dropped afterwards gives it back. Forty bytes
    /// each, until the task ends.
    taken: BTreeMap<SpanId, Topic>,
    /// Which steps failed for good in the attempt, by a hash: what is recorded of one afterwards, which no code does, is none of
    /// its span's.
    failed: BTreeSet<SpanId>,
}

/// An attempt that has not ended.
#[derive(Clone, Debug)]
struct OpenAttempt {
    number: u32,
    start: Timestamp,
    /// The node that it is with.
    node: Option<NodeId>,
    events: SpanEvents,
}

/// How an attempt ends.
#[derive(Clone, Copy)]
pub(super) enum AttemptEnd<'event> {
    Succeeded,
    Failed {
        event: &'event AttemptFailed,
        cancelling: bool,
    },
    /// With its run, which ran out of time.
    TimedOut,
    /// With its run, by a wish.
    Cancelled,
    /// With its run, which ended otherwise.
    Abandoned,
}

impl TaskTrace {
    pub(super) fn begin_attempt(&mut self, number: u32, moment: Moment) {
        self.is_over = false;
        let Moment { at: start, node } = moment;
        self.attempt = Some(OpenAttempt { number, start, node, events: SpanEvents::default() });
    }

    /// Notes something that happened during the attempt.
    pub(super) fn note(&mut self, event: SpanEvent) {
        if let Some(attempt) = &mut self.attempt {
            attempt.events.push(event);
        }
    }

    /// Notes that a node goes on with the run.
    pub(super) fn claimed(&mut self, moment: Moment) {
        let Some(attempt) = &mut self.attempt else { return };
        if attempt.node != moment.node {
            attempt.node = moment.node;
            let node = moment.node.map(|node| i64::from(node.0));
            attempt.events.push(SpanEvent::new(names::MOVED, moment.at).with(names::NODE_ID, node));
        }
    }

    /// Ends the attempt, and what nobody waits for without it.
    pub(super) fn end_attempt(
        &mut self,
        origin: &Origin,
        task: &TaskName,
        moment: Moment,
        end: AttemptEnd<'_>,
    ) -> Vec<Span> {
        let is_retried = matches!(end, AttemptEnd::Failed { event, .. } if event.retry_at.is_some());
        // Tries are counted from the beginning of an attempt. One that may not run again is still to be answered for.
        let mut ended = self
            .end_steps(origin, task, moment, OpEnd::Abandoned, |step| !is_retried || step.failed.is_some());
        if !is_retried {
            // A child may still end.
            let is_over = |wait: &OpenWait| !matches!(wait.what, What::Child { .. });
            ended.extend(self.end_waits(origin, task, moment, OpEnd::Abandoned, is_over));
            self.is_over = true;
            self.taken.clear();
        }
        self.failed.clear();
        ended.extend(self.attempt.take().map(|attempt| attempt.end(origin, task, moment, end)));
        ended
    }

    /// Ends all that has not ended, with the run.
    pub(super) fn end_with_run(
        &mut self,
        origin: &Origin,
        task: &TaskName,
        moment: Moment,
        end: AttemptEnd<'_>,
    ) -> Vec<Span> {
        let of_ops = match end {
            AttemptEnd::Cancelled => OpEnd::Cancelled,
            AttemptEnd::Succeeded
            | AttemptEnd::Failed { .. }
            | AttemptEnd::TimedOut
            | AttemptEnd::Abandoned => OpEnd::Abandoned,
        };
        let mut ended = self.end_steps(origin, task, moment, of_ops, |_| true);
        ended.extend(self.end_waits(origin, task, moment, of_ops, |_| true));
        ended.extend(self.attempt.take().map(|attempt| attempt.end(origin, task, moment, end)));
        ended
    }

    fn end_steps(
        &mut self,
        origin: &Origin,
        task: &TaskName,
        moment: Moment,
        end: OpEnd<'_>,
        which: impl Fn(&OpenStep) -> bool,
    ) -> Vec<Span> {
        let ended = self.steps.extract_if(.., |_, step| which(step));
        ended.map(|(key, step)| step.end(origin, Place { task, key: &key }, moment, end)).collect()
    }

    fn end_waits(
        &mut self,
        origin: &Origin,
        task: &TaskName,
        moment: Moment,
        end: OpEnd<'_>,
        which: impl Fn(&OpenWait) -> bool,
    ) -> Vec<Span> {
        let ended = self.waits.extract_if(.., |_, wait| which(wait));
        ended.map(|(key, wait)| wait.end(origin, Place { task, key: &key }, moment, end)).collect()
    }

    /// Notes that a step began that does not run twice.
    pub(super) fn begin_step(&mut self, key: &OpKey, attempt: u32, at: Timestamp) {
        self.steps.insert(key.clone(), OpenStep::new(attempt, at));
    }

    pub(super) fn step_completed(
        &mut self,
        origin: &Origin,
        place: Place<'_>,
        attempt: u32,
        us: u64,
        moment: Moment,
    ) -> Option<Span> {
        let step = self.tried(origin, place, attempt, us, moment.at)?;
        Some(step.end(origin, place, moment, OpEnd::Succeeded))
    }

    pub(super) fn step_failed(
        &mut self,
        origin: &Origin,
        place: Place<'_>,
        attempt: u32,
        event: &StepFailed,
        moment: Moment,
    ) -> Option<Span> {
        let mut step = self.tried(origin, place, attempt, event.us, moment.at)?;
        let exception = exception(&event.error, moment.at);
        let exception = exception.with(names::STEP_TRY, Some(step.tries));
        step.events.push(exception.with(names::RETRY_AT, event.retry_at));
        if event.retry_at.is_none() {
            self.fails(origin, place);
            return Some(step.end(origin, place, moment, OpEnd::Failed(&event.error)));
        }
        step.failed = Some(event.error.clone());
        self.steps.insert(place.key.clone(), step);
        None
    }

    /// Notes that a step failed for good.
    pub(super) fn fails(&mut self, origin: &Origin, place: Place<'_>) {
        self.failed.insert(hash_of(origin, place));
    }

    /// Takes out a step whose try ended at `at` after `us` microseconds.
    fn tried(
        &mut self,
        origin: &Origin,
        place: Place<'_>,
        attempt: u32,
        us: u64,
        at: Timestamp,
    ) -> Option<OpenStep> {
        if !self.failed.is_empty() && self.failed.contains(&hash_of(origin, place)) {
            return None;
        }
        let mut step = self.steps.remove(place.key).unwrap_or_else(|| {
            let took = chrono::TimeDelta::microseconds(i64::try_from(us).unwrap_or(i64::MAX));
            OpenStep::new(attempt, at.checked_sub_signed(took).unwrap_or(at))
        });
        step.tries = step.tries.saturating_add(1);
        step.failed = None;
        Some(step)
    }

    pub(super) fn begin_wait(&mut self, key: &OpKey, attempt: u32, start: Timestamp, what: What) {
        self.waits.insert(key.clone(), OpenWait { attempt, start, what });
    }

    /// Ends a wait, if it has not ended.
    pub(super) fn end_wait(
        &mut self,
        origin: &Origin,
        place: Place<'_>,
        moment: Moment,
        end: OpEnd<'_>,
    ) -> Option<Span> {
        let wait = self.waits.remove(place.key)?;
        Some(wait.end(origin, place, moment, end))
    }

    /// Ends the wait for a child, unless the code has gone on to another one.
    pub(super) fn child_finished(
        &mut self,
        origin: &Origin,
        task: &TaskName,
        event: &ChildFinished,
        moment: Moment,
    ) -> Option<Span> {
        let waits = |wait: &OpenWait| matches!(wait.what, What::Child { run, .. } if run == event.run);
        self.waits.get(&event.op).filter(|wait| waits(wait))?;
        let place = Place { task, key: &event.op };
        self.end_wait(origin, place, moment, OpEnd::Child(&event.outcome))
    }

    /// Returns which wait the signal ends, if one waits for it.
    pub(super) fn waiting_for(&self, signal: &Topic) -> Option<OpKey> {
        if self.is_over {
            return None;
        }
        let waits = |wait: &OpenWait| matches!(&wait.what, What::Signal { topic, .. } if topic == signal);
        self.waits.iter().find(|(_, wait)| waits(wait)).map(|(key, _)| key.clone())
    }

    /// Counts what has not ended.
    pub(super) fn open(&self) -> usize {
        self.steps.len() + self.waits.len() + usize::from(self.attempt.is_some())
    }

    /// Notes which signal a wait took.
    pub(super) fn takes(&mut self, origin: &Origin, place: Place<'_>, signal: Topic) {
        self.taken.insert(hash_of(origin, place), signal);
    }

    /// Returns the signal that a wait gives back.
    pub(super) fn gives_back(&mut self, origin: &Origin, place: Place<'_>) -> Option<Topic> {
        self.taken.remove(&hash_of(origin, place))
    }
}

fn hash_of(origin: &Origin, place: Place<'_>) -> SpanId {
    ids::wait(origin.run, place.task, 0, place.key)
}

impl OpenAttempt {
    fn end(self, origin: &Origin, task: &TaskName, moment: Moment, end: AttemptEnd<'_>) -> Span {
        let OpenAttempt { number, start, events, .. } = self;
        let id = ids::attempt(origin.run, task, number);
        let mut span = origin.span(id, names::ATTEMPT, task.as_str(), (start, moment.at), moment.node);
        span.set(names::TASK_NAME, task.shared());
        span.set(names::ATTEMPT_NUMBER, number);
        span.set(names::OUTCOME, end.word());
        (span.events, span.events_dropped) = (events.kept, events.dropped);
        match end {
            AttemptEnd::Failed { event, .. } => {
                // It is told whatever came before: a span has one such event more than its limit.
                span.events.push(exception(&event.error, moment.at));
                span.set_some(names::RETRY_AT, event.retry_at);
                span.set_some(names::ATTEMPTS_MAX, event.allowed.map(|allowed| allowed.max));
                if !end.is_cancelled() {
                    span.fail_by(&event.error);
                }
            }
            AttemptEnd::TimedOut => span.fail(TIMED_OUT, "the run's time was up"),
            AttemptEnd::Succeeded | AttemptEnd::Cancelled | AttemptEnd::Abandoned => {}
        }
        span
    }
}

impl AttemptEnd<'_> {
    /// Says whether it ended because somebody asked for the run's end. Code that is told so usually returns an error; a panic
    /// or a timeout is one of its own.
    fn is_cancelled(self) -> bool {
        match self {
            AttemptEnd::Failed { event, cancelling } => {
                cancelling && event.error.kind != PANIC && event.error.kind != TASK_TIMED_OUT
            }
            AttemptEnd::Cancelled => true,
            AttemptEnd::Succeeded | AttemptEnd::TimedOut | AttemptEnd::Abandoned => false,
        }
    }

    fn word(self) -> &'static str {
        match self {
            _ if self.is_cancelled() => "cancelled",
            AttemptEnd::Failed { event, .. } if event.error.kind == TASK_TIMED_OUT => "timed_out",
            AttemptEnd::Succeeded => "succeeded",
            AttemptEnd::Failed { .. } => "failed",
            AttemptEnd::TimedOut => "timed_out",
            AttemptEnd::Cancelled => "cancelled",
            AttemptEnd::Abandoned => "abandoned",
        }
    }
}
