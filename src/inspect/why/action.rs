//! What a person can do about a cause.

use super::{Cause, Why};
use crate::model::plan::Role;
use crate::model::state::RunState;
use crate::model::{Key, RunId, SignalName, Status, TaskName, TaskStatus, Version, Waiting, WorkflowName};

/// One thing to do, with the facts that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Start the run anew; what its tasks gave is taken over.
    Replay {
        /// The run.
        run: RunId,
        /// The task that it begins with again; `None` = with the first.
        from: Option<TaskName>,
        /// Tasks that are not run again.
        reused: usize,
        /// Tasks that are run.
        rerun: usize,
        /// Whether it must be forced, for somebody ended the run on purpose.
        force: bool,
    },
    /// Send the signal.
    Signal {
        /// The run that waits for it.
        run: RunId,
        /// Its name.
        name: SignalName,
        /// The key to send it to; `None` = to the run.
        key: Option<Key>,
    },
    /// Start a node that serves this.
    Serve {
        /// The workflow.
        workflow: WorkflowName,
        /// Its version.
        version: Version,
    },
    /// Give the nodes more slots, or start one more.
    AddSlots {
        /// The workflow.
        workflow: WorkflowName,
    },
    /// Resume the workflow.
    Resume {
        /// The workflow.
        workflow: WorkflowName,
    },
    /// Deploy code that fits the log.
    Deploy {
        /// The run that is blocked.
        run: RunId,
        /// Its workflow.
        workflow: WorkflowName,
        /// Its version.
        version: Version,
    },
    /// Check whether the interrupted step took effect, then replay.
    CheckEffect {
        /// The run.
        run: RunId,
        /// The step.
        step: String,
    },
    /// Look at the damaged log.
    Verify {
        /// The run.
        run: RunId,
    },
    /// Cancel the run.
    Cancel {
        /// The run.
        run: RunId,
    },
}

pub(super) fn actions(why: &Why, state: Option<&RunState>) -> Vec<Action> {
    let mut actions: Vec<Action> = by_cause(why).into_iter().collect();
    match (why.status, state) {
        (Status::Failed | Status::TimedOut | Status::Cancelled, Some(state)) => {
            actions.push(replay(why, state));
        }
        (Status::Queued | Status::Running, Some(_)) => actions.push(Action::Cancel { run: why.run }),
        (Status::Succeeded, _) | (_, None) => {}
    }
    actions
}

fn by_cause(why: &Why) -> Option<Action> {
    let leaf = why.path.last()?;
    match &why.cause {
        Cause::Quarantined { .. } => Some(Action::Verify { run: leaf.run }),
        Cause::Blocked { .. } => {
            let (workflow, version) = (leaf.workflow.clone(), leaf.version.clone());
            Some(Action::Deploy { run: leaf.run, workflow, version })
        }
        Cause::Failed { fault: super::Fault::Interrupted, .. } => {
            let step = why.site.as_ref()?.step.as_ref()?.op.to_string();
            Some(Action::CheckEffect { run: leaf.run, step })
        }
        Cause::Waiting | Cause::TimedOut { .. } => {
            why.waits.iter().find_map(|wait| by_wait(&wait.waiting, leaf, &why.cause))
        }
        Cause::Succeeded
        | Cause::Working
        | Cause::Failed { .. }
        | Cause::Cancelled { .. }
        | Cause::ParentEnded { .. } => None,
    }
}

fn by_wait(waiting: &Waiting, leaf: &super::Hop, cause: &Cause) -> Option<Action> {
    match waiting {
        Waiting::Serving { workflow, version } => {
            Some(Action::Serve { workflow: workflow.clone(), version: version.clone() })
        }
        Waiting::Slot { .. } => Some(Action::AddSlots { workflow: leaf.workflow.clone() }),
        Waiting::Paused { .. } => Some(Action::Resume { workflow: leaf.workflow.clone() }),
        Waiting::Signal { name, key, .. } if *cause == Cause::Waiting => {
            Some(Action::Signal { run: leaf.run, name: name.clone(), key: key.clone() })
        }
        Waiting::Condition { signals, .. } if *cause == Cause::Waiting => {
            let name = signals.first()?.clone();
            Some(Action::Signal { run: leaf.run, name, key: None })
        }
        Waiting::Signal { .. }
        | Waiting::Condition { .. }
        | Waiting::Start { .. }
        | Waiting::Node
        | Waiting::Limit { .. }
        | Waiting::Quiet { .. }
        | Waiting::Timer { .. }
        | Waiting::Retry { .. }
        | Waiting::Child { .. }
        | Waiting::Cancellation { .. }
        | Waiting::Blocked { .. } => None,
    }
}

fn replay(why: &Why, state: &RunState) -> Action {
    let tasks = || state.tasks.iter().filter(|task| task.role == Role::Task);
    let reused = tasks().filter(|task| task.has_output()).count();
    let failed = tasks().find(|task| matches!(task.status, TaskStatus::Failed | TaskStatus::TimedOut));
    let asked = why.path.first().and_then(|hop| hop.task.clone());
    Action::Replay {
        run: why.run,
        from: failed.map(|task| task.name.clone()).or(asked).filter(|_| reused > 0),
        reused,
        rerun: tasks().filter(|task| !task.lets_others_begin()).count(),
        force: why.status == Status::Cancelled,
    }
}
