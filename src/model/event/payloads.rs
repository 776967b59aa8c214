//! What users gave and got, inside events.

use super::{Event, ReusedOp, RunEvent, TaskEvent, Trigger};
use crate::model::payload::Payload;

impl Event {
    /// Returns every user's value that the event carries: what a reader without the right to see them must not be shown.
    pub fn payloads_mut(&mut self) -> Vec<&mut Payload> {
        match self {
            Event::Run(event) => of_run(event),
            Event::Task(_, event) => of_task(event).into_iter().collect(),
        }
    }
}

fn of_run(event: &mut RunEvent) -> Vec<&mut Payload> {
    match event {
        RunEvent::Created(created) => {
            let trigger = match &mut created.trigger {
                Trigger::Event { payload, .. } => Some(payload),
                Trigger::Manual
                | Trigger::Api { .. }
                | Trigger::Cron { .. }
                | Trigger::Schedule { .. }
                | Trigger::Parent
                | Trigger::Replay { .. } => None,
            };
            std::iter::once(&mut created.input).chain(trigger).collect()
        }
        RunEvent::SignalReceived(signal) => vec![&mut signal.payload],
        RunEvent::Claimed(_)
        | RunEvent::Started(_)
        | RunEvent::CancelRequested(_)
        | RunEvent::Blocked(_)
        | RunEvent::Succeeded(_)
        | RunEvent::Failed(_)
        | RunEvent::Cancelled(_)
        | RunEvent::TimedOut(_) => Vec::new(),
    }
}

fn of_task(event: &mut TaskEvent) -> Option<&mut Payload> {
    match event {
        TaskEvent::AttemptSucceeded(done) => Some(&mut done.output),
        TaskEvent::StepCompleted(done) => Some(&mut done.output),
        TaskEvent::ChildFinished(child) => child.outcome.output.as_mut(),
        TaskEvent::TaskReused(reused) => Some(&mut reused.output),
        TaskEvent::OpReused(reused) => of_op(&mut reused.recorded),
        TaskEvent::AttemptStarted(_)
        | TaskEvent::TimeoutExtended(_)
        | TaskEvent::AttemptFailed(_)
        | TaskEvent::StepStarted(_)
        | TaskEvent::StepFailed(_)
        | TaskEvent::TimerStarted(_)
        | TaskEvent::TimerFired(_)
        | TaskEvent::SignalAwaited(_)
        | TaskEvent::SignalTimedOut(_)
        | TaskEvent::WaitAbandoned(_)
        | TaskEvent::ChildStarted(_)
        | TaskEvent::RaceWon(_)
        | TaskEvent::TimeRead(_)
        | TaskEvent::PatchMarked(_)
        | TaskEvent::TaskResumed(_)
        | TaskEvent::ConditionsOpened(_)
        | TaskEvent::ConditionDecided(_)
        | TaskEvent::TaskSkipped(_) => None,
    }
}

fn of_op(recorded: &mut ReusedOp) -> Option<&mut Payload> {
    match recorded {
        ReusedOp::Step { output, .. } => Some(output),
        ReusedOp::Signal { payload, .. } => Some(payload),
        ReusedOp::Child { outcome, .. } => outcome.output.as_mut(),
        ReusedOp::FailedStep { .. }
        | ReusedOp::BegunStep { .. }
        | ReusedOp::Sleep { .. }
        | ReusedOp::MissedSignal { .. }
        | ReusedOp::ReplayedChild { .. }
        | ReusedOp::Race { .. }
        | ReusedOp::Now { .. }
        | ReusedOp::Abandoned => None,
    }
}
