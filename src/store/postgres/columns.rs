//! Rows to insert, column by column: each column is bound as one array.

use sqlx::types::Uuid;

use crate::model::{Status, Timestamp};
use crate::store::{Append, NewRun, StoreError};

/// Events of one or more runs.
#[derive(Default)]
pub(super) struct Events<'a> {
    pub(super) runs: Vec<Uuid>,
    pub(super) seqs: Vec<i32>,
    pub(super) kinds: Vec<&'a str>,
    pub(super) schema_versions: Vec<i16>,
    pub(super) tasks: Vec<Option<&'a str>>,
    pub(super) attempts: Vec<Option<i32>>,
    pub(super) payloads: Vec<&'a str>,
    /// The keyed run that must be born for the event to be.
    pub(super) births: Vec<Option<Uuid>>,
}

impl<'a> Events<'a> {
    pub(super) fn with_capacity(n: usize) -> Events<'a> {
        Events {
            runs: Vec::with_capacity(n),
            seqs: Vec::with_capacity(n),
            kinds: Vec::with_capacity(n),
            schema_versions: Vec::with_capacity(n),
            tasks: Vec::with_capacity(n),
            attempts: Vec::with_capacity(n),
            payloads: Vec::with_capacity(n),
            births: Vec::with_capacity(n),
        }
    }

    /// Gives the append's events the seqs after the expected one.
    pub(super) fn push(&mut self, append: &'a Append, birth: Option<Uuid>) -> Result<(), StoreError> {
        let run = append.run;
        for (seq, event) in (u64::from(append.expected) + 1..).zip(&append.events) {
            let seq = i32::try_from(seq)
                .map_err(|_| StoreError::Bug { message: format!("run {run} wants an event at seq {seq}") })?;
            self.runs.push(run.uuid());
            self.seqs.push(seq);
            self.kinds.push(event.kind);
            self.schema_versions.push(event.schema_version);
            self.tasks.push(event.task.as_ref().map(|task| task.as_str()));
            self.attempts.push(event.attempt);
            self.payloads.push(&event.payload);
            self.births.push(birth);
        }
        Ok(())
    }
}

/// The rows of new runs.
#[derive(Default)]
pub(super) struct Births<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) namespaces: Vec<&'a str>,
    pub(super) workflows: Vec<&'a str>,
    pub(super) versions: Vec<&'a str>,
    pub(super) keys: Vec<Option<&'a str>>,
    pub(super) statuses: Vec<&'static str>,
    pub(super) owned: Vec<bool>,
    pub(super) priorities: Vec<i16>,
    pub(super) wake_ats: Vec<Option<Timestamp>>,
    pub(super) deadlines: Vec<Option<Timestamp>>,
    pub(super) created_ats: Vec<Timestamp>,
    pub(super) parents: Vec<Option<Uuid>>,
    pub(super) triggers: Vec<&'a str>,
    pub(super) trigger_ids: Vec<Option<&'a str>>,
    pub(super) trigger_keys: Vec<Option<&'a str>>,
    pub(super) replays_of: Vec<Option<Uuid>>,
    pub(super) metadata: Vec<Option<String>>,
    pub(super) limit_keys: Vec<Option<&'a str>>,
    pub(super) mail: Vec<i32>,
    /// The keyed run that must be born for this one to be.
    pub(super) births: Vec<Option<Uuid>>,
}

/// What the first commit of a new run makes of its row.
pub(super) struct Birth {
    pub(super) status: Status,
    pub(super) owned: bool,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) deadline_at: Option<Timestamp>,
    pub(super) mail: i32,
}

impl<'a> Births<'a> {
    /// Adds a run that nobody owns yet.
    pub(super) fn push_queued(&mut self, append: &Append, new: &'a NewRun) -> Result<(), StoreError> {
        let (wake_at, deadline_at) = (new.wake_at, new.deadline_at);
        let row = Birth { status: new.status, owned: false, wake_at, deadline_at, mail: 0 };
        self.push(append, new, &row, None)
    }

    pub(super) fn push(
        &mut self,
        append: &Append,
        new: &'a NewRun,
        row: &Birth,
        birth: Option<Uuid>,
    ) -> Result<(), StoreError> {
        self.ids.push(append.run.uuid());
        self.namespaces.push(new.namespace.as_str());
        self.workflows.push(new.workflow.as_str());
        self.versions.push(new.version.as_str());
        self.keys.push(new.key.as_ref().map(|key| key.as_str()));
        self.statuses.push(row.status.as_str());
        self.owned.push(row.owned);
        self.priorities.push(new.priority);
        self.wake_ats.push(row.wake_at);
        self.deadlines.push(row.deadline_at);
        self.created_ats.push(append.run.created_at());
        self.parents.push(new.parent.map(|parent| parent.uuid()));
        self.triggers.push(&new.trigger.kind);
        self.trigger_ids.push(new.trigger.id.as_deref());
        self.trigger_keys.push(new.trigger.key.as_deref());
        self.replays_of.push(new.trigger.replay_of.map(|of| of.uuid()));
        self.metadata.push(metadata(new)?);
        self.limit_keys.push(new.limit_key.as_deref());
        self.mail.push(row.mail);
        self.births.push(birth);
        Ok(())
    }
}

impl Births<'_> {
    /// Says whether code or a parent started them all, under no limit: the trigger's kind is all there is to keep of it.
    pub(super) fn are_plainly_triggered(&self) -> bool {
        self.trigger_ids.iter().chain(&self.trigger_keys).chain(&self.limit_keys).all(Option::is_none)
            && self.replays_of.iter().all(Option::is_none)
    }
}

/// The tags as JSON; nothing when there are none.
fn metadata(new: &NewRun) -> Result<Option<String>, StoreError> {
    if new.metadata.is_empty() {
        return Ok(None);
    }
    json(&new.metadata).map(Some)
}

/// Writes a value as JSON.
pub(super) fn json(of: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(of).map_err(|error| StoreError::Bug { message: format!("as JSON: {error}") })
}

/// Orders new runs by their keys, so that two statements that insert the same keys never wait for each other in a
/// circle; those without a key keep their order.
pub(super) fn by_key(new: &NewRun) -> Option<(&str, &str, &str)> {
    new.key.as_ref().map(|key| (new.namespace.as_str(), new.workflow.as_str(), key.as_str()))
}
