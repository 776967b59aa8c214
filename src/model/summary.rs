//! What a list knows of a run: its row, without its log.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Timestamp;
use super::event::{Event, RunEvent, Timeout, Trigger};
use super::failure::{Failure, START_TIMED_OUT, TIMED_OUT};
use super::fingerprint::fingerprint;
use super::ids::{Key, Namespace, NodeId, RunId, TaskName, Version, WorkflowName};
use super::limits::{KEY_BYTES_MAX, SUMMARY_BYTES_MAX};
use super::state::RunState;
use super::status::Status;

/// One listed run: no payload, no event. Instants are the database's; `None` = not reached, or not known because a
/// release that knew nothing of it wrote the row.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// The version it started with.
    pub version: Version,
    /// The user's own id for it.
    pub key: Option<Key>,
    /// Where it stands.
    pub status: Status,
    /// Whether it waits, written down, and no node holds it; only of a RUNNING one.
    pub parked: bool,
    /// Whether it is in the archive: everything about it is still found by the same questions.
    pub archived: bool,
    /// What started it.
    pub trigger: Option<TriggerSummary>,
    /// The run that started it.
    pub parent: Option<RunId>,
    /// The node that holds it, or ended it.
    pub node: Option<NodeId>,
    /// When it is due, while nobody holds it.
    pub wake_at: Option<Timestamp>,
    /// When it ends as TIMED_OUT.
    pub deadline_at: Option<Timestamp>,
    /// When its code started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its tags.
    pub metadata: BTreeMap<String, String>,
    /// Why it failed or timed out.
    pub failure: Option<FailureSummary>,
}

impl RunSummary {
    /// Returns when it was created.
    pub fn created_at(&self) -> Timestamp {
        self.run.created_at()
    }

    /// Returns how long its code took, from start to end; `None` until it ended, and when it never started.
    pub fn execution_time(&self) -> Option<Duration> {
        (self.finished_at? - self.started_at?).to_std().ok()
    }
}

/// What started a run, as far as it can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerSummary {
    /// [`Trigger::kind`].
    pub kind: String,
    /// The trigger event's id.
    pub id: Option<String>,
    /// The trigger event's key, or the schedule's name; cut after [`KEY_BYTES_MAX`] bytes.
    pub key: Option<String>,
    /// The run it replays.
    pub replay_of: Option<RunId>,
}

impl From<&Trigger> for TriggerSummary {
    fn from(trigger: &Trigger) -> TriggerSummary {
        let (id, key, replay_of) = match trigger {
            Trigger::Manual | Trigger::Api { .. } | Trigger::Parent => (None, None, None),
            Trigger::Cron { schedule, .. } | Trigger::Schedule { schedule, .. } => {
                (None, Some(schedule.clone()), None)
            }
            Trigger::Event { id, key, .. } => (Some(id.clone()), Some(key.clone()), None),
            Trigger::Replay { of, .. } => (None, None, Some(*of)),
        };
        let key = key.map(|mut key| {
            key.truncate(key.floor_char_boundary(KEY_BYTES_MAX));
            key
        });
        TriggerSummary { kind: trigger.kind().to_owned(), id, key, replay_of }
    }
}

/// Why a run failed or timed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureSummary {
    /// The task that failed first.
    pub task: Option<TaskName>,
    /// [`Failure::kind`], or that of the timeout.
    pub kind: String,
    /// What it said; at most [`SUMMARY_BYTES_MAX`] bytes, the whole of it is in the log.
    pub message: String,
    /// Where.
    pub location: Option<String>,
    /// Equal for equal failures; see [`fingerprint`].
    pub fingerprint: String,
    /// The run below it that failed first, when it failed because a child did.
    pub caused_by: Option<RunId>,
}

impl FailureSummary {
    /// Says why the run fails or times out, if that is what `events`, decided on `state`, do.
    pub fn of(state: &RunState, events: &[Event]) -> Option<FailureSummary> {
        events.iter().rev().find_map(|event| match event {
            Event::Run(RunEvent::Failed(failed)) => {
                let mut summary =
                    FailureSummary::new(&state.origin.workflow, failed.task.as_ref(), &failed.error);
                summary.caused_by = caused_by(state, &failed.error);
                Some(summary)
            }
            Event::Run(RunEvent::TimedOut(timed_out)) => {
                let (kind, message) = match timed_out.timeout {
                    Timeout::Start => (START_TIMED_OUT, "it was not started within its start_timeout"),
                    Timeout::Run => (TIMED_OUT, "it did not end within its timeout"),
                };
                Some(FailureSummary::new(&state.origin.workflow, None, &Failure::new(kind, message)))
            }
            _ => None,
        })
    }

    fn new(workflow: &WorkflowName, task: Option<&TaskName>, failure: &Failure) -> FailureSummary {
        FailureSummary {
            task: task.cloned(),
            kind: failure.kind.clone().into_owned(),
            message: cut(&failure.message),
            location: failure.location.as_deref().map(cut),
            fingerprint: fingerprint(workflow, task, failure),
            caused_by: None,
        }
    }
}

/// Finds the run at the bottom of a failure: a child's failure names the child, which names its own.
fn caused_by(state: &RunState, failure: &Failure) -> Option<RunId> {
    let texts = || std::iter::once(&failure.message).chain(&failure.chain);
    let is_named = |run: &RunId| {
        let name = run.to_string();
        texts().any(|text| text.contains(&name))
    };
    let unwell = |child: &super::state::Child| {
        child.outcome.as_ref().is_some_and(|outcome| outcome.status != Status::Succeeded)
    };
    let (child, known) = state.children.iter().find(|(run, child)| unwell(child) && is_named(run))?;
    let below = known.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
    let named = below.into_iter().flat_map(|error| std::iter::once(&error.message).chain(&error.chain));
    Some(named.filter_map(|text| last_run_named(text)).next_back().unwrap_or(*child))
}

/// Finds the last run id in a child's message, which names the runs from the top down.
fn last_run_named(text: &str) -> Option<RunId> {
    const NAMED: &str = "child run ";
    let (at, _) = text.rmatch_indices(NAMED).next()?;
    let from = at + NAMED.len();
    text.get(from..from + 36)?.parse().ok()
}

/// Cuts a text to what a list shows, at a character's edge.
fn cut(text: &str) -> String {
    if text.len() <= SUMMARY_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(SUMMARY_BYTES_MAX - '…'.len_utf8());
    format!("{}…", text.get(..end).unwrap_or_default())
}
