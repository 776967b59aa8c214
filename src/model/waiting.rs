//! Why a run waits, for people.

use std::fmt;

use super::Timestamp;
use super::ids::{Key, OpKey, RunId, SignalName, TaskName, Version, WorkflowName};
use super::limit::named;
use super::state::{OpState, RunState};
use super::status::{Status, TaskStatus};

/// One thing that a run waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Its start time.
    Start {
        /// When.
        at: Timestamp,
    },
    /// The next look of a node that serves its workflow and has room.
    Node,
    /// A node that serves its workflow: no living one does.
    Serving {
        /// The workflow.
        workflow: WorkflowName,
        /// Its version.
        version: Version,
    },
    /// A free slot: every node that serves its workflow holds as many runs as it may.
    Slot {
        /// How many nodes serve it.
        nodes: u32,
    },
    /// The end of its workflow's pause.
    Paused {
        /// Since when.
        since: Timestamp,
        /// Who paused it.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// A slot of its workflow's limit.
    Limit {
        /// The limit.
        name: String,
        /// The run's key.
        key: String,
        /// How many of the key were let in.
        running: u32,
        /// How many may be; `None` = the limit is gone, and the run is let in with the next look.
        slots: Option<u32>,
        /// When the next of the key may start, if its rate is used up.
        until: Option<Timestamp>,
    },
    /// The end of newer runs of its key, under its workflow's limit.
    Quiet {
        /// The limit.
        name: String,
        /// The run's key.
        key: String,
        /// When it is let in, given a slot, unless a newer run comes.
        until: Timestamp,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: SignalName,
        /// Of which key; `None` = for one that is sent to this run.
        key: Option<Key>,
        /// Until when.
        deadline: Option<Timestamp>,
    },
    /// A sleep.
    Timer {
        /// Which.
        op: OpKey,
        /// Until when.
        until: Timestamp,
    },
    /// The next attempt at a task, or the next try at a step of it.
    Retry {
        /// The task.
        task: TaskName,
        /// When.
        at: Timestamp,
    },
    /// A child run.
    Child {
        /// The child.
        run: RunId,
    },
    /// What a condition of a task asks for.
    Condition {
        /// The task.
        task: TaskName,
        /// What is still missing, for people.
        condition: String,
        /// The signals among it.
        signals: Vec<SignalName>,
        /// When time alone changes something about it next.
        until: Option<Timestamp>,
    },
    /// Its code's end, after it was told of its cancellation.
    Cancellation {
        /// When the code is aborted.
        abort_at: Timestamp,
    },
    /// Code that fits its log.
    Blocked {
        /// What does not fit.
        report: String,
    },
}

/// Returns everything the run waits for; empty when its code is at work, or it ended.
pub fn waiting(state: &RunState) -> Vec<Waiting> {
    match state.status {
        Status::Queued => match state.origin.start_at {
            Some(at) if at > state.origin.created_at => vec![Waiting::Start { at }],
            _ => vec![Waiting::Node],
        },
        Status::Running => {
            let cancel =
                state.cancel.iter().map(|cancel| Waiting::Cancellation { abort_at: cancel.abort_at });
            let blocked = state.blocked.iter().map(|report| Waiting::Blocked { report: report.clone() });
            let conditions = (0..state.tasks.len()).filter_map(|at| condition_of_task(state, at));
            cancel
                .chain(blocked)
                .chain(state.tasks.iter().flat_map(waits_of_task))
                .chain(conditions)
                .collect()
        }
        Status::Succeeded | Status::Failed | Status::Cancelled | Status::TimedOut => Vec::new(),
    }
}

fn condition_of_task(state: &RunState, at: usize) -> Option<Waiting> {
    let plan = state.plan.as_ref().filter(|_| state.goes_on() && !state.asks(at))?;
    let (planned, task) = (plan.tasks.get(at)?, state.tasks.get(at)?);
    let (conditions, gate) = (planned.conditions.as_ref()?, task.open_gate()?);
    let expr = conditions.wait_for.as_ref()?;
    Some(Waiting::Condition {
        task: planned.name.clone(),
        condition: conditions.missing(expr, gate, plan),
        signals: conditions.open_signals(expr, gate),
        until: gate.next_due(),
    })
}

fn waits_of_task(task: &super::state::TaskState) -> Vec<Waiting> {
    if task.status == TaskStatus::Queued {
        return task.retry_at.map(|at| Waiting::Retry { task: task.name.clone(), at }).into_iter().collect();
    }
    if task.status != TaskStatus::Running {
        return Vec::new();
    }
    let wait = |(key, op): (&OpKey, &super::state::Op)| match &op.state {
        OpState::Timer { fire_at, fired: false } => Some(Waiting::Timer { op: key.clone(), until: *fire_at }),
        OpState::Signal { signal, key, deadline, outcome: None } => {
            Some(Waiting::Signal { name: signal.clone(), key: key.clone(), deadline: *deadline })
        }
        OpState::Child { run, outcome: None, .. } => Some(Waiting::Child { run: *run }),
        OpState::StepFailed { retry_at: Some(at), .. } => {
            Some(Waiting::Retry { task: task.name.clone(), at: *at })
        }
        _ => None,
    };
    task.ops.iter().filter_map(wait).collect()
}

/// Says for people what a limit has a run of a key wait for; `until` when its rate is used up.
pub(crate) fn at_limit(
    name: &str,
    key: &str,
    running: u32,
    slots: Option<u32>,
    until: Option<String>,
) -> String {
    // Where the rate is used up, slots that are left say nothing.
    let told = slots.filter(|slots| until.is_none() || running >= *slots);
    let taken = told.map(|slots| format!(": {running} of {slots} running")).unwrap_or_default();
    let until = until.map(|at| format!(", whose rate lets the next start at {at}")).unwrap_or_default();
    format!("{}{taken}{until}", named(name, key))
}

/// Says for people what a limit has a run wait for whose key is not quiet yet.
pub(crate) fn until_quiet(name: &str, key: &str, until: &str) -> String {
    format!("{}, debounced until {until}", named(name, key))
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Waiting::Start { at } => write!(f, "start at {at:?}"),
            Waiting::Node => write!(f, "the next look of a node that serves its workflow"),
            Waiting::Serving { workflow, version } => {
                write!(f, "a node that serves workflow {workflow} version {version}: none that lives does")
            }
            Waiting::Slot { nodes } => {
                write!(
                    f,
                    "a free slot: the concurrency limit of each node that serves its workflow ({nodes}) is reached"
                )
            }
            Waiting::Paused { since, by, reason } => {
                write!(f, "its workflow to be resumed: paused since {since:?}")?;
                by.iter().try_for_each(|by| write!(f, " by {by}"))?;
                reason.iter().try_for_each(|reason| write!(f, ": {reason}"))
            }
            Waiting::Limit { name, key, running, slots, until } => {
                let until = until.map(|at| format!("{at:?}"));
                f.write_str(&at_limit(name, key, *running, *slots, until))
            }
            Waiting::Quiet { name, key, until } => {
                f.write_str(&until_quiet(name, key, &format!("{until:?}")))
            }
            Waiting::Signal { name, key, deadline } => {
                write!(f, "signal `{name}`")?;
                key.iter().try_for_each(|key| write!(f, " of key `{key}`"))?;
                deadline.iter().try_for_each(|at| write!(f, " until {at:?}"))
            }
            Waiting::Timer { op, until } => write!(f, "timer {op} until {until:?}"),
            Waiting::Retry { task, at } => write!(f, "retry of `{task}` at {at:?}"),
            Waiting::Child { run } => write!(f, "child run {run}"),
            Waiting::Condition { task, condition, until, .. } => {
                write!(f, "{condition}, to begin `{task}`")?;
                until.map_or(Ok(()), |at| write!(f, ", next look at {at:?}"))
            }
            Waiting::Cancellation { abort_at } => write!(f, "its code to end, at the latest {abort_at:?}"),
            // The first line says what; the others show it.
            Waiting::Blocked { report } => {
                write!(f, "code that fits its log: {}", report.lines().next().unwrap_or_default())
            }
        }
    }
}
