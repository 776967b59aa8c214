//! What a run's actor hands to the journal.

use std::collections::BTreeMap;

use crate::model::event::Encoded;
use crate::model::{
    FailureSummary, Key, Mail, MessageId, Namespace, RunId, SignalName, Status, Timestamp, TriggerSummary,
    Version, WorkflowName,
};

/// What one actor commits at once: its own run's append first, then those of child runs it creates.
///
/// Commits of a batch stand or fall together, but a bad one is found and refused alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// At least one.
    pub appends: Vec<Append>,
}

/// New events of one run, and what changes with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The seq of the last event in its log; 0 for a new run.
    pub expected: u32,
    /// The new events.
    pub events: Vec<Encoded>,
    /// The run's row, when this creates it.
    pub born: Option<Box<NewRun>>,
    /// What changes in the run's row.
    pub row: Option<RowChange>,
    /// What the run tells other runs.
    pub mail: Vec<Mail>,
    /// Inbox rows that are in the log now, or settled without an event.
    pub taken: Vec<MessageId>,
    /// Signals by key that the run waits for from here on, or no more.
    pub awaits: Vec<Awaits>,
}

/// How many more signals of a name and key a run waits for, beside those that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaits {
    /// The run's namespace.
    pub namespace: Namespace,
    /// The signal's name.
    pub name: SignalName,
    /// Its key.
    pub key: Key,
    /// How many more than before; below zero for fewer. Those that this same append takes from the inbox count neither way.
    pub change: i32,
}

/// The row of a new run.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// The user's own id for it.
    pub key: Option<Key>,
    /// RUNNING when the creating node starts it in the same commit and owns it; else QUEUED and owned by nobody.
    pub status: Status,
    /// Higher goes first.
    pub priority: i16,
    /// When it is due, if it is QUEUED.
    pub wake_at: Option<Timestamp>,
    /// Its start deadline if it is QUEUED, its deadline if it is RUNNING.
    pub deadline_at: Option<Timestamp>,
    /// What starts it.
    pub trigger: TriggerSummary,
    /// The run that starts it.
    pub parent: Option<RunId>,
    /// Tags.
    pub metadata: BTreeMap<String, String>,
    /// What it counts for under its workflow's limit; then it is QUEUED, and due once it is let in.
    pub limit_key: Option<String>,
}

/// What changes in a run's row. The store sets `started_at` and `finished_at` with the move of the status.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// Where the run stands now. Terminal: owned by nobody from here on, due never.
    pub status: Status,
    /// Its deadline from here on.
    pub deadline_at: Option<Timestamp>,
    /// Set to park the run.
    pub release: Option<Release>,
    /// Why the run failed or timed out, when this ends it so.
    pub failure: Option<Box<FailureSummary>>,
}

/// A run's return into the dispatch index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// When it is due; `None` = when a message comes.
    pub wake_at: Option<Timestamp>,
    /// How many messages the owner has seen; with more, the release is left out.
    pub mail_seen: i32,
    /// How often the run had been claimed when the owner took it; after another claim the release is an old one,
    /// whose first answer was lost, and changes nothing.
    pub claims: i32,
}
