//! The workflows that a node serves.

use std::collections::HashMap;
use std::sync::Arc;

use super::definition::Definition;
use super::error::BuildError;
use crate::model::{Version, WorkflowName};

/// The workflows that a node serves, by name and version; fixed once the runtime started.
#[derive(Default)]
pub(crate) struct Registry {
    definitions: HashMap<WorkflowName, HashMap<Version, Arc<Definition>>>,
    newest: HashMap<WorkflowName, Version>,
}

impl Registry {
    /// Adds a workflow. The version added last is the one that starts by name go to.
    ///
    /// # Errors
    /// [`BuildError::DuplicateWorkflow`].
    pub(crate) fn add(&mut self, definition: Arc<Definition>) -> Result<(), BuildError> {
        let (workflow, version) = (definition.name.clone(), definition.version.clone());
        let versions = self.definitions.entry(workflow.clone()).or_default();
        if versions.contains_key(&version) {
            return Err(BuildError::DuplicateWorkflow { workflow, version });
        }
        versions.insert(version.clone(), definition);
        self.newest.insert(workflow, version);
        Ok(())
    }

    /// Finds the code for a run.
    pub(crate) fn get(&self, workflow: &WorkflowName, version: &Version) -> Option<&Arc<Definition>> {
        self.definitions.get(workflow)?.get(version)
    }

    /// Finds the code that a start by name gets.
    pub(crate) fn newest(&self, workflow: &str) -> Option<&Arc<Definition>> {
        let workflow = WorkflowName::new(workflow).ok()?;
        self.get(&workflow, self.newest.get(&workflow)?)
    }

    /// Says whether any workflow has a limit of concurrency.
    pub(crate) fn is_limited(&self) -> bool {
        self.definitions.values().flat_map(HashMap::values).any(|definition| definition.limit.is_some())
    }

    /// Lists every workflow, by name and version.
    pub(crate) fn all(&self) -> Vec<&Arc<Definition>> {
        let mut all: Vec<_> = self.definitions.values().flat_map(HashMap::values).collect();
        all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        all
    }
}
