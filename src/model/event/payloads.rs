//! What users gave and got, inside events.

use super::{Event, ReusedOp, RunEvent, TaskEvent, Trigger};
use crate::model::payload::Payload;
use crate::model::redaction::{REDACTED, Redaction, is_redacted};

impl Event {
    /// Returns every user's value that the event carries: what a reader without the right to see them must not be shown.
    pub fn payloads_mut(&mut self) -> Vec<&mut Payload> {
        match self {
            Event::Run(event) => of_run(event),
            Event::Task(_, event) => of_task(event).into_iter().collect(),
        }
    }

    /// Hides values of users. The hashes of inputs go with them, in a report of what blocks the run, too: a value that is one of
    /// few can be told by its hash.
    pub fn redact(&mut self, redaction: &Redaction) {
        if redaction.is_empty() {
            return;
        }
        self.payloads_mut().into_iter().for_each(|payload| redaction.hide(payload));
        match self {
            Event::Run(RunEvent::Blocked(blocked)) => blocked.report = without_hashes(&blocked.report),
            Event::Run(_) => {}
            Event::Task(_, event) => {
                if let Some(hash) = input_hash(event) {
                    REDACTED.clone_into(hash);
                }
            }
        }
    }

    /// Says whether some service hid a value in it.
    pub fn is_redacted(&self) -> bool {
        let mut event = self.clone();
        if event.payloads_mut().into_iter().any(|payload| is_redacted(payload.text())) {
            return true;
        }
        let Event::Task(_, event) = &mut event else { return false };
        input_hash(event).is_some_and(|hash| hash == REDACTED)
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

/// Returns the hash of an input that the event carries.
fn input_hash(event: &mut TaskEvent) -> Option<&mut String> {
    match event {
        TaskEvent::StepStarted(step) => step.input_hash.as_mut(),
        TaskEvent::StepCompleted(step) => step.input_hash.as_mut(),
        TaskEvent::StepFailed(step) => step.input_hash.as_mut(),
        TaskEvent::ChildStarted(child) => Some(&mut child.input_hash),
        TaskEvent::OpReused(reused) => match &mut reused.recorded {
            ReusedOp::Step { input_hash, .. }
            | ReusedOp::FailedStep { input_hash, .. }
            | ReusedOp::BegunStep { input_hash, .. } => input_hash.as_mut(),
            ReusedOp::Child { input_hash, .. } | ReusedOp::ReplayedChild { input_hash, .. } => {
                Some(input_hash)
            }
            ReusedOp::Sleep { .. }
            | ReusedOp::Signal { .. }
            | ReusedOp::MissedSignal { .. }
            | ReusedOp::Race { .. }
            | ReusedOp::Now { .. }
            | ReusedOp::Abandoned => None,
        },
        TaskEvent::AttemptStarted(_)
        | TaskEvent::TimeoutExtended(_)
        | TaskEvent::AttemptSucceeded(_)
        | TaskEvent::AttemptFailed(_)
        | TaskEvent::TimerStarted(_)
        | TaskEvent::TimerFired(_)
        | TaskEvent::SignalAwaited(_)
        | TaskEvent::SignalTimedOut(_)
        | TaskEvent::WaitAbandoned(_)
        | TaskEvent::ChildFinished(_)
        | TaskEvent::RaceWon(_)
        | TaskEvent::TimeRead(_)
        | TaskEvent::PatchMarked(_)
        | TaskEvent::TaskReused(_)
        | TaskEvent::TaskResumed(_)
        | TaskEvent::ConditionsOpened(_)
        | TaskEvent::ConditionDecided(_)
        | TaskEvent::TaskSkipped(_) => None,
    }
}

/// Digits of an input's hash.
const HASH_DIGITS: usize = 16;

/// Writes a report without the hashes in it.
fn without_hashes(report: &str) -> String {
    let pieces = report.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let shown = pieces.map(|piece| {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_hash = word.len() == HASH_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash { piece.replacen(word, REDACTED, 1) } else { piece.to_owned() }
    });
    shown.collect()
}
