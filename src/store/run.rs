//! What the store says of one run.

use crate::model::{
    Key, Message, MessageId, Namespace, NodeId, Recorded, RunId, RunState, Status, Timestamp, Version,
    WorkflowName,
};

/// A run with its log.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The run's row.
    pub row: RunRow,
    /// The state after the first events, if there is a snapshot.
    pub snapshot: Option<RunState>,
    /// The events after the snapshot, or all.
    pub log: Result<Vec<Recorded>, String>,
    /// Messages that wait.
    pub inbox: Vec<Message>,
}

/// The messages that wait for one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbox {
    /// The run.
    pub run: RunId,
    /// How many messages were ever sent to it: what [`Release::mail_seen`](super::Release::mail_seen) compares.
    pub mail_seen: i32,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It waits in the inbox and cannot be lost.
    Accepted {
        /// Its row.
        message: MessageId,
        /// Who owns the run; nobody does while it is queued or parked.
        owner: Option<NodeId>,
    },
    /// The run has ended; nothing was written.
    Finished {
        /// How.
        status: Status,
    },
    /// There is no such run.
    NotFound,
}

/// The row of a run: what can be asked of many runs without reading their logs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// The user's own id for it.
    pub key: Option<Key>,
    /// Where it stands.
    pub status: Status,
    /// Higher goes first.
    pub priority: i16,
    /// Who owns it.
    pub owner: Option<NodeId>,
    /// When it is due, while nobody owns it.
    pub wake_at: Option<Timestamp>,
    /// When it ends as TIMED_OUT.
    pub deadline_at: Option<Timestamp>,
    /// When its code started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The run that started it.
    pub parent: Option<RunId>,
    /// How many messages were ever sent to it.
    pub mail_seen: i32,
    /// When its present owner claimed it.
    pub claimed_at: Option<Timestamp>,
    /// How often it was claimed.
    pub claims: i32,
    /// How often in a row its owner died without its getting any further.
    pub deaths: i16,
    /// When it went to the archive.
    pub archived_at: Option<Timestamp>,
    /// Whether it came from another database, by an import.
    pub imported: bool,
}
