//! What is known of workflows.

use std::time::Duration;

use crate::model::limit::Limit;
use crate::model::{TaskName, Version, WorkflowName};

/// A workflow's name, version and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: Version,
    /// Its tasks, by which its runs are found.
    pub tasks: Vec<TaskName>,
    /// Its plan as text; equal texts are equal shapes.
    pub shape: String,
    /// How long a run may take from its start, unless its start says otherwise.
    pub timeout: Option<Duration>,
    /// How long a run may wait for its start, unless its start says otherwise.
    pub start_timeout: Option<Duration>,
    /// The workflow's limit of concurrency: that of its newest version.
    pub limit: Option<Limit>,
}

/// What is known of a workflow without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The version.
    pub version: Version,
    /// How long a run may take from its start, unless its start says otherwise.
    pub timeout: Option<Duration>,
    /// How long a run may wait for its start, unless its start says otherwise.
    pub start_timeout: Option<Duration>,
    /// The workflow's limit of concurrency.
    pub limit: Option<Limit>,
}
