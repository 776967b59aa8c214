//! What a run waits for, and since when.

use super::super::history::History;
use super::site::blocked_at;
use crate::model::event::TaskEvent;
use crate::model::{Event, Timestamp, Waiting};

/// One thing that a run waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// What.
    pub waiting: Waiting,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

impl Wait {
    /// Finds in the log since when the run waits for this.
    pub(super) fn of(history: &History, waiting: Waiting) -> Wait {
        let since = since(history, &waiting);
        Wait { waiting, since }
    }
}

fn since(history: &History, waiting: &Waiting) -> Option<Timestamp> {
    let latest = |began: &dyn Fn(&TaskEvent) -> bool| {
        let mut events = history.log.iter().rev();
        let found = events.find(|recorded| match &recorded.event {
            Event::Task(_, event) => began(event),
            Event::Run(_) => false,
        });
        found.map(|recorded| recorded.at)
    };
    match waiting {
        Waiting::Start { .. } => Some(history.state.origin.created_at),
        Waiting::Paused { since, .. } => Some(*since),
        Waiting::Limit { .. } | Waiting::Quiet { .. } => Some(history.state.queued_until()),
        Waiting::Node | Waiting::Serving { .. } | Waiting::Slot { .. } => history.row.wake_at,
        Waiting::Condition { task, .. } => {
            let (_, task) = history.state.task(task)?;
            task.gate.as_ref().map(|gate| gate.opened_at)
        }
        Waiting::Cancellation { .. } => history.state.cancel.as_ref().map(|cancel| cancel.at),
        Waiting::Blocked { .. } => blocked_at(history),
        Waiting::Signal { name, key, .. } => latest(&|event| match event {
            TaskEvent::SignalAwaited(wait) => wait.signal == *name && wait.key == *key,
            _ => false,
        }),
        Waiting::Timer { op, .. } => {
            latest(&|event| matches!(event, TaskEvent::TimerStarted(timer) if timer.op == *op))
        }
        Waiting::Child { run } => {
            latest(&|event| matches!(event, TaskEvent::ChildStarted(child) if child.run == *run))
        }
        Waiting::Retry { at, .. } => latest(&|event| match event {
            TaskEvent::AttemptFailed(failed) => failed.retry_at == Some(*at),
            TaskEvent::StepFailed(failed) => failed.retry_at == Some(*at),
            _ => false,
        }),
    }
}
