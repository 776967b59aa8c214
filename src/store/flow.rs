//! What holds runs back.

use super::Answer;
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

    /// Lists those of some runs that may not start now; a claim says it of the runs that it gives.
    fn held_back<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>>;
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
