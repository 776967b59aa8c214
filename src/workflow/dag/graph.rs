//! The parts of a DAG under construction, and how they become a definition.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::command::TaskRules;
use crate::model::condition::Conditions;
use crate::model::ids::NameError;
use crate::model::limits::{CONDITION_TERMS_MAX, TASKS_MAX};
use crate::model::plan::{PlannedTask, Role};
use crate::model::{Payload, PayloadError, Plan, Rules, TaskName, Version, WorkflowName};
use crate::workflow::definition::{Definition, TaskCode};
use crate::workflow::error::BuildError;

/// The parts of a DAG so far.
pub(crate) struct Graph {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) timeout: Option<Duration>,
    pub(super) start_timeout: Option<Duration>,
    pub(super) tasks: Vec<Node>,
    pub(super) foreign: Option<String>,
}

pub(super) struct Node {
    pub(super) name: String,
    /// The tasks before it, and whether it does without their outputs.
    pub(super) after: Vec<(usize, bool)>,
    pub(super) role: Role,
    pub(super) rules: TaskRules,
    pub(super) code: TaskCode,
    pub(super) conditions: Conditions,
    /// What is wrong with a signal's name in its conditions.
    pub(super) bad_name: Option<NameError>,
}

impl Graph {
    pub(super) fn new(name: &str) -> Graph {
        Graph {
            name: name.to_owned(),
            version: "1".to_owned(),
            timeout: None,
            start_timeout: None,
            tasks: Vec::new(),
            foreign: None,
        }
    }

    /// Checks the graph and makes it a definition.
    pub(super) fn define(
        &self,
        (output, optional): (usize, bool),
        check_input: fn(&Payload) -> Result<(), PayloadError>,
    ) -> Result<Definition, BuildError> {
        let named = |source| BuildError::Name { workflow: self.name.clone(), source };
        let name = WorkflowName::new(&self.name).map_err(named)?;
        let version = Version::new(&self.version).map_err(named)?;
        if let Some(place) = &self.foreign {
            return Err(BuildError::ForeignTask { workflow: name, place: place.clone() });
        }
        if self.tasks.len() > TASKS_MAX {
            return Err(BuildError::TooManyTasks {
                workflow: name,
                tasks: self.tasks.len(),
                limit: TASKS_MAX,
            });
        }
        let tasks = self.tasks.iter().map(Node::plan).collect::<Result<Vec<_>, _>>().map_err(named)?;
        let plan = Plan { tasks, output: u16::try_from(output).unwrap_or_default() };
        check_plan(&name, &plan, optional)?;
        Ok(Definition {
            name,
            version,
            plan,
            rules: Rules { tasks: self.tasks.iter().map(|node| node.rules.clone()).collect() },
            code: self.tasks.iter().map(|node| node.code.clone()).collect(),
            timeout: self.timeout,
            start_timeout: self.start_timeout,
            limit: None,
            check_input,
        })
    }
}

impl Node {
    pub(super) fn new(name: &str, role: Role, after: Vec<(usize, bool)>, code: TaskCode) -> Node {
        let (rules, conditions) = (TaskRules::default(), Conditions::default());
        Node { name: name.to_owned(), after, role, rules, code, conditions, bad_name: None }
    }

    /// Makes it wait for a task whose output a condition speaks of, unless it does already. A task that is skipped meets no such
    /// condition, and is no reason to skip this one.
    pub(super) fn wait_for_output_of(&mut self, task: usize) {
        if self.after.iter().all(|(before, _)| *before != task) {
            self.after.push((task, true));
        }
    }

    fn plan(&self) -> Result<PlannedTask, NameError> {
        if let Some(bad) = &self.bad_name {
            return Err(bad.clone());
        }
        // Whoever is needed once is needed.
        let is_needed = |at: usize| self.after.contains(&(at, false));
        let place = |at: usize| u16::try_from(at).ok();
        let optional = self.after.iter().filter(|(at, _)| !is_needed(*at)).filter_map(|(at, _)| place(*at));
        let conditions = (!self.conditions.terms.is_empty()).then(|| Box::new(self.conditions.clone()));
        Ok(PlannedTask {
            name: TaskName::new(&self.name)?,
            after: self.after.iter().filter_map(|(at, _)| place(*at)).collect(),
            role: self.role,
            optional: optional.collect(),
            conditions,
        })
    }
}

fn check_plan(workflow: &WorkflowName, plan: &Plan, optional: bool) -> Result<(), BuildError> {
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = plan.tasks.iter().find(|task| !seen.insert(&task.name)) {
        return Err(BuildError::DuplicateTask { workflow: workflow.clone(), task: twice.name.clone() });
    }
    if plan.tasks.iter().filter(|task| task.role == Role::OnFailure).count() > 1 {
        return Err(BuildError::SecondOnFailure { workflow: workflow.clone() });
    }
    let at = |place: &u16| plan.tasks.get(usize::from(*place));
    let ends = plan.tasks.iter().flat_map(|task| task.after.iter().filter_map(at));
    let begins = plan.tasks.iter().filter(|task| !task.after.is_empty());
    let mut used = at(&plan.output).into_iter().chain(ends).chain(begins);
    if let Some(task) = used.find(|task| task.role == Role::OnFailure) {
        return Err(BuildError::OnFailureEdge { workflow: workflow.clone(), task: task.name.clone() });
    }
    if let Some(tasks) = circle(plan) {
        return Err(BuildError::Cycle { workflow: workflow.clone(), tasks });
    }
    check_conditions(workflow, plan)?;
    let is_skippable = plan.skippable().get(usize::from(plan.output)).is_some_and(|skips| *skips);
    match at(&plan.output).filter(|_| is_skippable && !optional) {
        Some(task) => {
            Err(BuildError::SkippableOutput { workflow: workflow.clone(), task: task.name.clone() })
        }
        None => Ok(()),
    }
}

fn check_conditions(workflow: &WorkflowName, plan: &Plan) -> Result<(), BuildError> {
    for task in &plan.tasks {
        let Some(conditions) = &task.conditions else { continue };
        let (workflow, role) = (workflow.clone(), task.role);
        let (task, terms) = (task.name.clone(), conditions.terms.len());
        if role == Role::OnFailure {
            return Err(BuildError::OnFailureCondition { workflow, task });
        }
        if terms > CONDITION_TERMS_MAX {
            return Err(BuildError::TooManyTerms { workflow, task, terms, limit: CONDITION_TERMS_MAX });
        }
    }
    Ok(())
}

/// Finds tasks that wait for each other: takes away what waits for nothing until only circles are left (Kahn 1962).
fn circle(plan: &Plan) -> Option<Vec<TaskName>> {
    let mut left: Vec<u16> = (0..plan.tasks.len()).filter_map(|at| u16::try_from(at).ok()).collect();
    let before =
        |at: u16| plan.tasks.get(usize::from(at)).map(|task| task.after.as_slice()).unwrap_or_default();
    loop {
        let waiting: Vec<u16> =
            left.iter().copied().filter(|at| before(*at).iter().any(|other| left.contains(other))).collect();
        if waiting.len() == left.len() {
            break;
        }
        left = waiting;
    }
    let mut at = *left.first()?;
    let mut path = Vec::new();
    while !path.contains(&at) {
        path.push(at);
        at = *before(at).iter().find(|other| left.contains(other))?;
    }
    let circle = path.iter().skip_while(|place| **place != at);
    Some(
        circle
            .filter_map(|place| plan.tasks.get(usize::from(*place)))
            .map(|task| task.name.clone())
            .collect(),
    )
}

pub(super) fn lock(graph: &Mutex<Graph>) -> std::sync::MutexGuard<'_, Graph> {
    graph.lock().unwrap_or_else(PoisonError::into_inner)
}
