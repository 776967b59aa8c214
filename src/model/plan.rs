//! The shape a run started with: its tasks and what each waits for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::condition::{Conditions, Term};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTask {
    /// Its name, unique in the plan.
    pub name: TaskName,
    /// The tasks it waits for, by their place in the plan.
    pub after: Vec<u16>,
    /// When it runs.
    pub role: Role,
    /// Those of the tasks before it without which it may begin, when they are skipped.
    pub optional: Vec<u16>,
    /// What else must be for it to begin.
    pub conditions: Option<Box<Conditions>>,
}

/// The task as JSON: what it does not have is left out, so that a plan without conditions reads as it always did.
#[derive(Serialize, Deserialize)]
struct TaskJson {
    name: TaskName,
    after: Vec<u16>,
    role: Role,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    optional: Vec<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conditions: Option<Box<Conditions>>,
}

/// Snapshots hold it too, in a format without names, where nothing may be left out.
impl Serialize for PlannedTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PlannedTask { name, after, role, optional, conditions } = self.clone();
        if serializer.is_human_readable() {
            TaskJson { name, after, role, optional, conditions }.serialize(serializer)
        } else {
            (name, after, role, optional, conditions).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PlannedTask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PlannedTask, D::Error> {
        if deserializer.is_human_readable() {
            let TaskJson { name, after, role, optional, conditions } = TaskJson::deserialize(deserializer)?;
            Ok(PlannedTask { name, after, role, optional, conditions })
        } else {
            let (name, after, role, optional, conditions) = Deserialize::deserialize(deserializer)?;
            Ok(PlannedTask { name, after, role, optional, conditions })
        }
    }
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
        Plan { tasks: vec![PlannedTask::new(name, Vec::new(), Role::Task)], output: 0 }
    }

    /// Says whether a task of it may be skipped.
    pub fn is_conditional(&self) -> bool {
        self.tasks.iter().any(|task| task.conditions.is_some())
    }

    /// Says, by their places, which tasks may be skipped: those whose conditions say so, and those that need one of these.
    pub fn skippable(&self) -> Vec<bool> {
        let mut skippable = vec![false; self.tasks.len()];
        for (at, task) in self.in_order() {
            let by_itself = task.conditions.as_ref().is_some_and(|conditions| conditions.may_skip());
            let needed = task.after.iter().filter(|place| !task.does_without(**place));
            let skips = by_itself
                || needed
                    .into_iter()
                    .any(|place| skippable.get(usize::from(*place)).is_some_and(|skips| *skips));
            if let Some(slot) = skippable.get_mut(usize::from(at)) {
                *slot = skips;
            }
        }
        skippable
    }

    /// Says whether every place that it names is one of its own.
    pub(super) fn is_closed(&self) -> bool {
        let in_plan = |place: &u16| usize::from(*place) < self.tasks.len();
        let of_task = |task: &PlannedTask| {
            let conditions = task.conditions.as_deref();
            let terms = conditions.into_iter().flat_map(|conditions| &conditions.terms);
            let outputs = terms.filter_map(|term| match term {
                Term::Output { task } => Some(task),
                Term::Elapsed { .. } | Term::Signal { .. } => None,
            });
            task.after.iter().chain(&task.optional).chain(outputs).all(in_plan)
                && conditions.is_none_or(Conditions::is_closed)
        };
        in_plan(&self.output) && self.tasks.iter().all(of_task)
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

impl PlannedTask {
    /// Makes a task without conditions.
    pub fn new(name: TaskName, after: Vec<u16>, role: Role) -> PlannedTask {
        PlannedTask { name, after, role, optional: Vec::new(), conditions: None }
    }

    /// Says whether the task may begin although the one in `place` before it was skipped.
    pub fn does_without(&self, place: u16) -> bool {
        self.optional.contains(&place)
    }
}
