//! What is asked of many runs at once, and the answers.

use std::collections::BTreeMap;

use crate::model::limits::{SEEN_NAMES_MAX, SEEN_VALUES_MAX};
use crate::model::{Filter, Namespace, RunId, RunSummary, Status, TaskName, Timestamp, WorkflowName};

/// Which runs are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct RunQuery {
    /// Whose; the runs of others are never seen.
    pub namespace: Namespace,
    /// Which.
    pub filter: Filter,
    /// When it is asked, on the database's clock: what `since:2h` counts from.
    pub now: Timestamp,
    /// Only runs older than this one: where the page before ended.
    pub before: Option<RunId>,
    /// How many at most.
    pub limit: u32,
}

/// A page of runs, the newest first, without payloads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<RunId>,
    /// Set when the page is not full for it took too long to find more: up to when it looked. There may be more, and the next
    /// page goes on from there.
    pub searched_to: Option<Timestamp>,
}

/// How many runs there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunCount {
    /// By status; a status without a run has no entry.
    pub by_status: BTreeMap<Status, u64>,
    /// Whether there are more: the newest were counted, up to a limit.
    pub capped: bool,
}

impl RunCount {
    /// Returns how many there are in all.
    pub fn total(&self) -> u64 {
        self.by_status.values().sum()
    }
}

/// Values that the newest runs of a namespace have, each kind the most frequent first, up to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Their workflows.
    pub workflows: Vec<String>,
    /// The versions they started with.
    pub versions: Vec<String>,
    /// The tasks that failed first.
    pub failed_tasks: Vec<String>,
    /// The kinds of their failures.
    pub kinds: Vec<String>,
    /// Their metadata, by name.
    pub metadata: BTreeMap<String, Vec<String>>,
}

impl Seen {
    /// Adds a value by the key that filters know it by, unless there are enough.
    pub(super) fn add(&mut self, key: &str, value: String) {
        let values = match (key, key.strip_prefix("meta.")) {
            ("workflow", _) => &mut self.workflows,
            ("version", _) => &mut self.versions,
            ("failed_task", _) => &mut self.failed_tasks,
            ("kind", _) => &mut self.kinds,
            (_, Some(name)) if self.metadata.contains_key(name) || self.metadata.len() < SEEN_NAMES_MAX => {
                self.metadata.entry(name.to_owned()).or_default()
            }
            _ => return,
        };
        if values.len() < SEEN_VALUES_MAX as usize {
            values.push(value);
        }
    }
}

/// How many runs ended in a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedSpan {
    /// Where it begins: a multiple of its length after 1970.
    pub from: Timestamp,
    /// By status; a status without a run has no entry.
    pub by_status: BTreeMap<Status, u64>,
}

/// When runs ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsEnded {
    /// The spans in which a run ended, the oldest first.
    pub spans: Vec<EndedSpan>,
    /// Whether there are more: the newest runs were read, up to a limit, and the newest spans are told.
    pub capped: bool,
}

/// Runs that failed for the same cause.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureGroup {
    /// What they share.
    pub fingerprint: String,
    /// How many.
    pub count: u64,
    /// Their workflow.
    pub workflow: WorkflowName,
    /// The task that failed first.
    pub task: Option<TaskName>,
    /// The kind of the failure.
    pub kind: String,
    /// What the newest one said, cut.
    pub message: String,
    /// Where it happened.
    pub location: Option<String>,
    /// When the first of them ended.
    pub first: Timestamp,
    /// When the last of them ended.
    pub last: Timestamp,
    /// The newest of them.
    pub newest: RunId,
}

/// What a page of lists shows: runs, how many there are, and what fails among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// The runs.
    pub page: RunPage,
    /// How many there are.
    pub count: RunCount,
    /// What fails.
    pub failures: FailureGroups,
}

/// Other runs that failed for the same cause as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// What they share.
    pub fingerprint: String,
    /// How many there are: the newest 10,000 were counted.
    pub all: u64,
    /// How many of these were created in the last 24 hours.
    pub day: u64,
    /// The newest of them, the newest first.
    pub newest: Vec<RunId>,
}

/// Failures by their cause, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FailureGroups {
    /// The groups.
    pub groups: Vec<FailureGroup>,
    /// Whether there are more failures, or groups: the newest were read, up to a limit.
    pub capped: bool,
}
