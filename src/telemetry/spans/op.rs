//! Steps, sleeps, waits and children that have not ended.

use std::sync::Arc;

use crate::model::event::ChildOutcome;
use crate::model::failure::CHILD;
use crate::model::{
    Failure, Key, NodeId, OpKey, RunId, SignalName, Status, TaskName, Timestamp, WorkflowName,
};
use crate::telemetry::ids;
use crate::telemetry::names::traces as names;

use super::failed::exception;
use super::origin::{Moment, Origin, link};
use super::span::{Span, SpanEvents};

/// A step that has not ended.
#[derive(Clone, Debug)]
pub(super) struct OpenStep {
    /// The attempt that began it.
    pub(super) attempt: u32,
    pub(super) start: Timestamp,
    pub(super) tries: u32,
    /// Its failed tries.
    pub(super) events: SpanEvents,
    /// Why the last try failed, while another is to come.
    pub(super) failed: Option<Failure>,
}

/// A sleep, a wait for a signal or a child that has not ended.
#[derive(Clone, Debug)]
pub(super) struct OpenWait {
    /// The attempt that began it.
    pub(super) attempt: u32,
    pub(super) start: Timestamp,
    pub(super) what: What,
}

/// What is waited for.
#[derive(Clone, Debug)]
pub(super) enum What {
    Sleep { until: Timestamp },
    Signal { topic: Topic, deadline: Option<Timestamp> },
    Child { run: RunId, workflow: Option<WorkflowName> },
}

/// What a signal is told from others by: its name, and the key that it was sent to, if any.
pub(super) type Topic = (SignalName, Option<Key>);

/// Which operation of which task.
#[derive(Clone, Copy)]
pub(super) struct Place<'log> {
    pub(super) task: &'log TaskName,
    pub(super) key: &'log OpKey,
}

/// How an operation ends.
#[derive(Clone, Copy)]
pub(super) enum OpEnd<'event> {
    Succeeded,
    Failed(&'event Failure),
    TimedOut,
    /// Nobody waits for it any more.
    Abandoned,
    /// With its run, by a wish.
    Cancelled,
    Child(&'event ChildOutcome),
}

impl OpEnd<'_> {
    fn word(self) -> &'static str {
        match self {
            OpEnd::Succeeded => "succeeded",
            OpEnd::Failed(_) => "failed",
            OpEnd::TimedOut => "timed_out",
            OpEnd::Abandoned => "abandoned",
            OpEnd::Cancelled => "cancelled",
            OpEnd::Child(outcome) => match outcome.status {
                Status::Succeeded => "succeeded",
                Status::Failed => "failed",
                Status::TimedOut => "timed_out",
                Status::Cancelled => "cancelled",
                // A child that ended is none of these.
                Status::Queued | Status::Running => "abandoned",
            },
        }
    }
}

impl OpenStep {
    pub(super) fn new(attempt: u32, start: Timestamp) -> OpenStep {
        OpenStep { attempt, start, tries: 0, events: SpanEvents::default(), failed: None }
    }

    /// Makes the span of the step, from its first try to its end.
    pub(super) fn end(self, origin: &Origin, place: Place<'_>, moment: Moment, end: OpEnd<'_>) -> Span {
        let OpenStep { attempt, start, tries, events, failed } = self;
        let id = ids::step(origin.run, place.task, attempt, place.key);
        let mut span = origin.span(id, names::STEP, &place.key.name, (start, moment.at), moment.node);
        span.set(names::STEP_NAME, Arc::clone(&place.key.name));
        span.set(names::STEP_TRIES, tries);
        (span.events, span.events_dropped) = (events.kept, events.dropped);
        match (end, &failed) {
            (OpEnd::Failed(failure), _) => span.fail_by(failure),
            // The next try never came.
            (OpEnd::Abandoned | OpEnd::Cancelled, Some(failure)) => span.fail_by(failure),
            _ => {}
        }
        place.note(&mut span, attempt, end);
        span
    }
}

impl OpenWait {
    /// Makes the span of the wait.
    pub(super) fn end(self, origin: &Origin, place: Place<'_>, moment: Moment, end: OpEnd<'_>) -> Span {
        let OpenWait { attempt, start, what } = self;
        let (run, times) = (origin.run, (start, moment.at));
        let id = || ids::wait(run, place.task, attempt, place.key);
        let mut span = match what {
            What::Sleep { until } => {
                let mut span = origin.span(id(), names::SLEEP, "", times, moment.node);
                span.set(names::WAKE_AT, until);
                span
            }
            What::Signal { topic: (signal, _), deadline } => {
                let mut span = origin.span(id(), names::WAIT, signal.as_str(), times, moment.node);
                span.set(names::SIGNAL_NAME, signal.shared());
                span.set_some(names::DEADLINE, deadline);
                span
            }
            What::Child { run, workflow } => {
                child_span(origin, place.key, (run, workflow), times, moment.node)
            }
        };
        if let OpEnd::Child(outcome) = end {
            end_child(&mut span, outcome, moment.at);
        }
        place.note(&mut span, attempt, end);
        span
    }
}

impl Place<'_> {
    fn note(self, span: &mut Span, attempt: u32, end: OpEnd<'_>) {
        span.set(names::TASK_NAME, self.task.shared());
        span.set(names::ATTEMPT_NUMBER, attempt);
        span.set(names::OCCURRENCE, self.key.occurrence);
        span.set(names::OUTCOME, end.word());
    }
}

fn child_span(
    origin: &Origin,
    key: &OpKey,
    (child, workflow): (RunId, Option<WorkflowName>),
    times: (Timestamp, Timestamp),
    node: Option<NodeId>,
) -> Span {
    let name = workflow.as_ref().map_or(&*key.name, WorkflowName::as_str);
    let mut span = origin.span(ids::child(origin.run, child), names::CHILD, name, times, node);
    span.set(names::CHILD_RUN_ID, child.to_string());
    span.set_some(names::CHILD_WORKFLOW_NAME, workflow.map(|workflow| workflow.shared()));
    span.links.push(link(origin.place.under(ids::start(child)), names::CHILD_RUN_ID, child));
    span
}

/// Notes how a child ended. One that somebody cancelled is no error.
fn end_child(span: &mut Span, outcome: &ChildOutcome, at: Timestamp) {
    span.set(names::CHILD_STATUS, outcome.status.as_str());
    match (outcome.status, &outcome.error) {
        (Status::Failed | Status::TimedOut, Some(error)) => {
            span.fail_by(error);
            span.events.push(exception(error, at));
        }
        (Status::Failed | Status::TimedOut, None) => {
            span.fail(CHILD, "the child run ended without success");
        }
        (Status::Queued | Status::Running | Status::Succeeded | Status::Cancelled, _) => {}
    }
}
