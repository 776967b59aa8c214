//! Which workflows are paused, as far as this process knows.

use std::sync::{PoisonError, RwLock};

use crate::model::WorkflowName;

/// Workflows that are paused in some namespace: their runs go through the queue, where the pause holds.
#[derive(Default)]
pub(crate) struct Paused(RwLock<Vec<WorkflowName>>);

impl Paused {
    /// Takes what the last claim found.
    pub(super) fn set(&self, workflows: Vec<WorkflowName>) {
        if *self.0.read().unwrap_or_else(PoisonError::into_inner) != workflows {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = workflows;
        }
    }

    /// Notes that a workflow is paused from now on.
    pub(crate) fn note(&self, workflow: WorkflowName) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(workflow);
    }

    pub(super) fn holds(&self, workflow: &WorkflowName) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(workflow)
    }
}
