//! What should be in flight for a state.

use super::Timestamp;
use super::condition::Gate;
use super::ids::OpKey;
use super::plan::Role;
use super::state::{Op, OpState, RunState, TaskState};
use super::status::{Status, TaskStatus};

/// Something that should be going on outside the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A node should begin the run's code.
    Start,
    /// This attempt's code should be running.
    Attempt {
        /// The task's place in the plan.
        task: usize,
        /// Which attempt.
        attempt: u32,
    },
    /// The code should judge what a task's conditions ask of it: [`RunState::questions`].
    Judge {
        /// The task's place in the plan.
        task: usize,
    },
    /// Somebody should look at the run at this instant.
    Wake {
        /// When.
        at: Timestamp,
    },
}

/// Returns what should be in flight: a function of the state, so that a crash between a commit and its effects
/// loses nothing. At most one [`Effect::Wake`], the earliest, stands last.
pub fn effects(state: &RunState, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    match state.status {
        Status::Queued => effects.push(Effect::Start),
        Status::Running => {
            for (at, task) in state.tasks.iter().enumerate() {
                if task.status == TaskStatus::Running {
                    effects.push(Effect::Attempt { task: at, attempt: task.attempt() });
                }
                if state.asks(at) {
                    effects.push(Effect::Judge { task: at });
                }
            }
        }
        Status::Succeeded | Status::Failed | Status::Cancelled | Status::TimedOut => {}
    }
    effects.extend(wake_at(state, now).map(|at| Effect::Wake { at }));
    effects
}

/// Returns the earliest instant at which time alone changes the run. A step's retry that is due at `now` is under
/// way already and does not count.
pub fn wake_at(state: &RunState, now: Timestamp) -> Option<Timestamp> {
    match state.status {
        Status::Queued => state.origin.start_deadline,
        Status::Running if state.is_complete() => Some(state.last_at),
        Status::Running => {
            let gives_up = state.first_failure().is_some();
            let goes_on = state.cancel.is_none();
            let of_tasks = state.tasks.iter().flat_map(|task| {
                let running = task.status == TaskStatus::Running;
                let attempt = task.attempts.last().filter(|_| running);
                let due = task.due.iter().filter(|_| running);
                let due = due.map(|(at, key)| (*at, key)).find(|(at, key)| *at > now || !is_step(task, key));
                let due = due.map(|(at, _)| at);
                let retries = goes_on && (!gives_up || task.role == Role::OnFailure);
                let retry = task.retry_at.filter(|_| retries);
                let gate = task.open_gate().filter(|_| goes_on && !gives_up).and_then(Gate::next_due);
                [attempt.and_then(|attempt| attempt.deadline), due, retry, gate]
            });
            let deadline = state.deadline.filter(|_| goes_on);
            let of_run = [deadline, state.cancel.as_ref().map(|cancel| cancel.abort_at)];
            of_tasks.chain(of_run).flatten().min()
        }
        Status::Succeeded | Status::Failed | Status::Cancelled | Status::TimedOut => None,
    }
}

fn is_step(task: &TaskState, key: &OpKey) -> bool {
    matches!(task.ops.get(key), Some(Op { state: OpState::StepFailed { .. }, .. }))
}
