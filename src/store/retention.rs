//! What the engine asks of its storage about runs that ended long ago.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Answer, StoreError};
#[cfg(feature = "http")]
use crate::model::Redaction;
use crate::model::event::{CodecError, Place};
use crate::model::{Event, Namespace, NodeId, Recorded, RunId, RunState, TaskName, Timestamp, WorkflowName};

/// The archive: ended runs as one compact row each, outside of everything that is hot. [`Store`](super::Store) finds them
/// by the same calls as the others.
///
/// Every method is one atomic step, as those of [`Store`](super::Store).
pub trait Archive: Send + Sync + 'static {
    /// Reads at most `limit` events of a run, archived or not, those after seq `after`, as they stand in its log.
    fn raw_log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<RawEvent>>;

    /// Puts an ended run with its whole log into the archive, marked as imported; says whether there was room: no run of
    /// its id. It does not take the run's key.
    fn import<'a>(&'a self, state: &'a RunState, log: &'a [RawEvent]) -> Answer<'a, bool>;

    /// Reads the policies, and what the passes came to.
    fn retention(&self) -> Answer<'_, Retention>;

    /// Sets a policy, in the place of one of the same scope.
    fn set_policy<'a>(&'a self, policy: &'a Policy) -> Answer<'a, ()>;

    /// Removes a policy; says whether there was one. That of everything cannot be removed.
    fn unset_policy<'a>(&'a self, scope: &'a PolicyScope) -> Answer<'a, bool>;

    /// Begins a pass in the name of `by`, if one is due or `now` asks for it, and nobody else is at it. It is the caller's
    /// while no two steps of it are further apart than a minute.
    fn begin_pass<'a>(&'a self, by: &'a str, now: bool) -> Answer<'a, PassBegun>;

    /// Does a bounded piece of the caller's pass.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when somebody else took the pass over: nothing was done.
    fn prune<'a>(&'a self, step: &'a Step) -> Answer<'a, Pruned>;

    /// Ends the caller's pass with what went wrong, if something did; the next one is due after `next`.
    fn end_pass<'a>(&'a self, error: Option<&'a str>, next: Duration) -> Answer<'a, ()>;
}

/// Whose runs a policy is about: the most specific one counts, namespace and workflow before the namespace before the
/// workflow before everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyScope {
    /// One namespace; `None` = all.
    pub namespace: Option<Namespace>,
    /// One workflow; `None` = all.
    pub workflow: Option<WorkflowName>,
}

/// How long ended runs are kept, counted from their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whose.
    pub scope: PolicyScope,
    /// When a run goes to the archive; `None` = never.
    pub archive_after: Option<Duration>,
    /// When it goes for good, not before it is archived; `None` = never.
    pub delete_after: Option<Duration>,
}

/// The policies, and what the passes came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// That of everything first.
    pub policies: Vec<Policy>,
    /// Who is at a pass at the moment.
    pub holder: Option<Holder>,
    /// When the last pass began.
    pub begun_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the next one is due.
    pub next_at: Timestamp,
    /// What went wrong in the last one.
    pub failure: Option<PassFailure>,
    /// What the last pass did, or has done so far.
    pub last: Tally,
    /// Runs that were ever archived, by any pass.
    pub archived_ever: u64,
    /// Archived runs that were ever deleted, by any pass.
    pub deleted_ever: u64,
}

/// Who is at a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub by: String,
    /// Until when others leave it to it.
    pub until: Timestamp,
}

/// Why passes fail. Cleared by one that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassFailure {
    /// How many failed in a row.
    pub failures: u32,
    /// When the last of them did.
    pub at: Timestamp,
    /// What it said.
    pub error: String,
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs that went to the archive.
    pub archived: u64,
    /// Archived runs that went for good.
    pub deleted: u64,
    /// Months of the log that were dropped.
    pub months: Vec<String>,
}

/// Whether a pass began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassBegun {
    /// It is the caller's.
    Yours {
        /// How many passes failed in a row before it.
        failures: u32,
    },
    /// None is due before.
    NotDue {
        /// When the next one is.
        next_at: Timestamp,
    },
    /// Somebody else is at it.
    Held(Holder),
    /// This store keeps everything for ever.
    Never,
}

/// The pieces of a pass, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes the months of the log that will be needed.
    Prepare,
    /// Removes signals by key that nobody took in time, and what is remembered of delivered ones.
    Signals,
    /// Moves ended runs that are due into the archive, those created after this one.
    Archive {
        /// The run, or `None` to begin.
        after: Option<RunId>,
    },
    /// Deletes archived runs that are due, those created after this one.
    Delete {
        /// The run, or `None` to begin.
        after: Option<RunId>,
    },
    /// Drops a month of the log.
    Drop,
}

impl Step {
    /// The first piece of a pass.
    pub const FIRST: Step = Step::Prepare;
}

/// What a piece of a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// What.
    pub tally: Tally,
    /// What comes next; `None` = the pass is complete.
    pub next: Option<Step>,
}

/// An event as it stands in a log, its payload as the text that it is. As JSON, one line of an archived or exported log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEvent {
    /// Its position, from 1 without holes.
    pub seq: u32,
    /// Its kind.
    pub kind: String,
    /// The version of that kind's JSON.
    pub schema_version: i16,
    /// When it was committed.
    pub time: Timestamp,
    /// The node that wrote it.
    pub node: Option<NodeId>,
    /// The task it is about.
    pub task: Option<String>,
    /// The attempt it is about.
    pub attempt: Option<u32>,
    /// Its JSON, in a string: whoever reads and writes JSON on the way cannot change it.
    pub payload: String,
}

impl RawEvent {
    /// Reads the event.
    ///
    /// # Errors
    /// [`CodecError`] for a kind or version that nobody here knows, and for JSON that does not fit.
    pub fn decode(&self) -> Result<Recorded, CodecError> {
        let task = self.task.as_deref().map(TaskName::recorded);
        let place = task.zip(self.attempt).map(|(task, attempt)| Place { task, attempt });
        let event = Event::decode(&self.kind, self.schema_version, place, &self.payload)?;
        Ok(Recorded { seq: self.seq, at: self.time, node: self.node, event })
    }

    /// Hides values of users in it. A line in which nothing is hidden stays as it was written.
    ///
    /// # Errors
    /// As for [`decode`](RawEvent::decode): what cannot be read cannot be shown.
    #[cfg(feature = "http")]
    pub(super) fn redact(&mut self, redaction: &Redaction) -> Result<(), CodecError> {
        let whole = self.decode()?.event;
        let mut event = whole.clone();
        event.redact(redaction);
        if event != whole {
            let encoded = event.encode()?;
            self.schema_version = encoded.schema_version;
            self.payload = encoded.payload;
        }
        Ok(())
    }
}

/// Somebody else took the caller's pass over.
pub(super) fn taken_over() -> StoreError {
    StoreError::Refused { message: "another process took the retention pass over".to_owned() }
}
