//! The values of labels, of which there are never too many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use crate::model::limits::{METRIC_TASKS_MAX, METRIC_WORKFLOWS_MAX};
use crate::model::{TaskName, WorkflowName};

/// What stands for everything that came after the limit was reached.
const OTHER: &str = "other";

/// The names that have series of their own. The first ones stay, so that no series ends while the process lives.
#[derive(Default)]
pub(super) struct Labels {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    workflows: BTreeMap<WorkflowName, BTreeSet<TaskName>>,
    tasks: usize,
}

impl Labels {
    /// Calls `then` with the label of a workflow.
    pub(super) fn workflow(&self, workflow: &WorkflowName, then: impl FnOnce(&str)) {
        then(if self.has_workflow(workflow) { workflow.as_str() } else { OTHER });
    }

    /// Calls `then` with the labels of a workflow and of its task.
    pub(super) fn task(&self, workflow: &WorkflowName, task: &TaskName, then: impl FnOnce(&str, &str)) {
        match (self.has_workflow(workflow), self.has_task(workflow, task)) {
            (true, true) => then(workflow.as_str(), task.as_str()),
            (true, false) => then(workflow.as_str(), OTHER),
            (false, _) => then(OTHER, OTHER),
        }
    }

    fn has_workflow(&self, workflow: &WorkflowName) -> bool {
        if self.read(|known| known.workflows.contains_key(workflow)) {
            return true;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.workflows.len() < METRIC_WORKFLOWS_MAX {
            known.workflows.entry(workflow.clone()).or_default();
        }
        known.workflows.contains_key(workflow)
    }

    fn has_task(&self, workflow: &WorkflowName, task: &TaskName) -> bool {
        let is_known =
            |known: &Known| known.workflows.get(workflow).is_some_and(|tasks| tasks.contains(task));
        if self.read(is_known) {
            return true;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Known { workflows, tasks } = &mut *known;
        if let Some(of_workflow) = workflows.get_mut(workflow).filter(|_| *tasks < METRIC_TASKS_MAX) {
            *tasks += usize::from(of_workflow.insert(task.clone()));
        }
        is_known(&known)
    }

    fn read<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}
