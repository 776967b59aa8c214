//! The shape a run started with: its tasks and what each waits for.

use serde::{Deserialize, Serialize};

use super::ids::TaskName;

/// The tasks of a workflow, in the order they were declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its tasks. A function workflow has one.
    pub tasks: Vec<PlannedTask>,
    /// Which task's output is the run's.
    pub output: u16,
}

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Its name, unique in the plan.
    pub name: TaskName,
    /// The tasks it waits for, by their place in the plan.
    pub after: Vec<u16>,
    /// When it runs.
    pub role: Role,
}

/// When a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// When the tasks before it succeeded.
    Task,
    /// When another task failed for good and all others came to rest.
    OnFailure,
}

impl Plan {
    /// Returns the plan of a function workflow: one task of the workflow's name.
    pub fn function(name: TaskName) -> Plan {
        Plan { tasks: vec![PlannedTask { name, after: Vec::new(), role: Role::Task }], output: 0 }
    }

    /// Returns the tasks with their places, each after those that it waits for.
    pub fn in_order(&self) -> Vec<(u16, &PlannedTask)> {
        let mut waiting: Vec<(u16, &PlannedTask)> = (0..).zip(&self.tasks).collect();
        let mut ordered: Vec<(u16, &PlannedTask)> = Vec::with_capacity(waiting.len());
        loop {
            let is_placed = |place: &u16| ordered.iter().any(|(placed, _)| placed == place);
            let (ready, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(_, task)| task.after.iter().all(is_placed));
            if ready.is_empty() {
                // A circle, which no workflow has.
                ordered.extend(rest);
                return ordered;
            }
            ordered.extend(ready);
            waiting = rest;
        }
    }

    /// Returns the place of the task called `name`.
    pub fn position(&self, name: &TaskName) -> Option<usize> {
        self.tasks.iter().position(|task| task.name == *name)
    }
}
