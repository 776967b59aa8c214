//! What holds runs back.

use super::Answer;
use crate::model::limit::Limit;
use crate::model::{Namespace, RunId, Timestamp, WorkflowName};

/// What holds runs back before their start. [`Store::claim`](super::Store::claim) goes by it.
///
/// Every method is one atomic step, as those of [`Store`](super::Store).
pub trait Flow: Send + Sync + 'static {
    /// Pauses a workflow in a namespace: no claim gives a run of it out that has not started. Says whether it is new; a pause
    /// that is there already stays as it is.
    fn pause<'a>(&'a self, pause: &'a NewPause) -> Answer<'a, bool>;

    /// Ends a pause; says whether there was one.
    fn resume<'a>(&'a self, workflow: &'a WorkflowName, namespace: &'a Namespace) -> Answer<'a, bool>;

    /// Lists the pauses of one namespace, or all, at most `limit`, by workflow and namespace.
    fn pauses<'a>(&'a self, namespace: Option<&'a Namespace>, limit: u32) -> Answer<'a, Vec<Pause>>;

    /// Reads the pause of a workflow in a namespace.
    fn pause_of<'a>(
        &'a self,
        workflow: &'a WorkflowName,
        namespace: &'a Namespace,
    ) -> Answer<'a, Option<Pause>>;

    /// Says where a queued run stands that was not let in under its workflow's limit; `None` for every other run.
    fn at_gate(&self, run: RunId) -> Answer<'_, Option<AtGate>>;

    /// Lists the limits, of one workflow or all, at most `rows`.
    fn limits<'a>(&'a self, workflow: Option<&'a WorkflowName>, rows: u32) -> Answer<'a, Vec<KnownLimit>>;

    /// Lists the keys of a workflow's limit under which runs were let in or wait, of one namespace or all, at most `rows`:
    /// those with the most waiting runs first.
    fn limit_keys<'a>(
        &'a self,
        workflow: &'a WorkflowName,
        namespace: Option<&'a Namespace>,
        rows: u32,
    ) -> Answer<'a, Vec<LimitKey>>;

    /// Lists those of some runs that may not start now; a claim says it of the runs that it gives.
    fn held_back<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>>;
}

/// A run that waits to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtGate {
    /// The limit's name; empty when the workflow has none any more.
    pub limit: String,
    /// The run's key.
    pub key: String,
    /// How many runs of the key were let in and have not ended.
    pub running: u32,
    /// How many may be; `None` when the workflow has no limit any more.
    pub slots: Option<u32>,
    /// When the next of the key may start, if as many have started lately as the limit's rate lets in.
    pub until: Option<Timestamp>,
    /// When the run may be let in if no newer one of its key comes, as long as that is ahead.
    pub quiet_at: Option<Timestamp>,
}

/// A workflow's limit, as it counts now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLimit {
    /// The workflow.
    pub workflow: WorkflowName,
    /// The limit.
    pub limit: Limit,
    /// Since when it has so many slots, this rate and this debounce.
    pub since: Timestamp,
}

/// How a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitKey {
    /// In which namespace.
    pub namespace: Namespace,
    /// The key.
    pub key: String,
    /// Runs that were let in and have not ended.
    pub running: u32,
    /// Runs that wait to be let in.
    pub waiting: u32,
}

/// A pause to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPause {
    /// Of which workflow.
    pub workflow: WorkflowName,
    /// In which namespace.
    pub namespace: Namespace,
    /// Who wants it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A paused workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Which.
    pub workflow: WorkflowName,
    /// In which namespace.
    pub namespace: Namespace,
    /// Since when.
    pub since: Timestamp,
    /// Who paused it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}
