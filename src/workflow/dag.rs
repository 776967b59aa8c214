//! A workflow as a graph of tasks whose edges are types.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::{Cx, TaskErrors};
use super::definition::{Definition, Inputs, TaskCode, TaskFailure, Workflow};
use super::error::BuildError;
use crate::model::command::TaskRules;
use crate::model::limits::TASKS_MAX;
use crate::model::plan::{PlannedTask, Role};
use crate::model::{Payload, PayloadError, Plan, Retry, Rules, TaskName, Verdict, Version, WorkflowName};

/// A DAG under construction; its input is an `I`.
///
/// ```
/// # use runlog::{Cx, Workflow};
/// # async fn reserve(_: u32) -> Result<String, std::io::Error> { Ok(String::new()) }
/// let w = Workflow::dag("checkout");
/// let reserved = w.task("reserve", |_cx, order: u32| reserve(order));
/// let charged = w.task_after("charge", &reserved, |_cx, _order, stock: String| async move {
///     Ok::<usize, std::io::Error>(stock.len())
/// });
/// let checkout: Workflow<u32, usize> = w.output(&charged);
/// # checkout.check().unwrap();
/// ```
///
/// An edge of the wrong type does not compile:
///
/// ```compile_fail
/// # use runlog::{Cx, Workflow};
/// # async fn reserve(_: u32) -> Result<String, std::io::Error> { Ok(String::new()) }
/// let w = Workflow::dag("checkout");
/// let reserved = w.task("reserve", |_cx, order: u32| reserve(order));
/// let charged = w.task_after("charge", &reserved, |_cx, _order, stock: Vec<u8>| async move {
///     Ok::<usize, std::io::Error>(stock.len())
/// });
/// let checkout: Workflow<u32, usize> = w.output(&charged);
/// # checkout.check().unwrap();
/// ```
pub struct Dag<I> {
    graph: Arc<Mutex<Graph>>,
    input: PhantomData<fn(I)>,
}

/// The parts of a DAG so far.
struct Graph {
    name: String,
    version: String,
    timeout: Option<Duration>,
    start_timeout: Option<Duration>,
    tasks: Vec<Node>,
    foreign: Option<String>,
}

struct Node {
    name: String,
    after: Vec<usize>,
    role: Role,
    rules: TaskRules,
    code: TaskCode,
}

impl Workflow<(), ()> {
    /// Begins a DAG of version `"1"` whose tasks take its input and each other's outputs.
    pub fn dag<I>(name: &str) -> Dag<I> {
        let graph = Graph {
            name: name.to_owned(),
            version: "1".to_owned(),
            timeout: None,
            start_timeout: None,
            tasks: Vec::new(),
            foreign: None,
        };
        Dag { graph: Arc::new(Mutex::new(graph)), input: PhantomData }
    }
}

impl<I: DeserializeOwned + Send + 'static> Dag<I> {
    /// Sets the version. Runs stay on the version they started with; serve the old one until its runs ended.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        version.clone_into(&mut lock(&self.graph).version);
        self
    }

    /// Sets how long a run may take from its start before it ends as TIMED_OUT.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        lock(&self.graph).timeout = Some(timeout);
        self
    }

    /// Sets how long a run may wait for its start before it ends as TIMED_OUT.
    #[must_use]
    pub fn start_timeout(self, timeout: Duration) -> Self {
        lock(&self.graph).start_timeout = Some(timeout);
        self
    }

    /// Adds a task that begins with the run.
    #[track_caller]
    pub fn task<F, Fut, O, E>(&self, name: &str, code: F) -> Task<O, E>
    where
        F: Fn(Cx, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Serialize + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let code = move |cx, inputs: &Inputs| Ok(code(cx, inputs.input.read::<I>()?));
        self.add(name, Role::Task, Vec::new(), code)
    }

    /// Adds a task that begins when all of `deps` succeeded, and is given their outputs: a task's handle, or a
    /// tuple of up to eight.
    #[track_caller]
    pub fn task_after<D, F, Fut, O, E>(&self, name: &str, deps: D, code: F) -> Task<O, E>
    where
        D: Deps,
        F: Fn(Cx, I, D::Outputs) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Serialize + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let after = deps.handles().into_iter().filter_map(|(graph, at)| self.own(name, &graph, at)).collect();
        let code = move |cx, inputs: &Inputs| {
            Ok(code(cx, inputs.input.read::<I>()?, D::read(&mut inputs.outputs.iter())?))
        };
        self.add(name, Role::Task, after, code)
    }

    /// Adds the task that begins once a task failed for good and all others came to rest. It sees which tasks failed
    /// and why. The run ends as FAILED whatever its outcome.
    #[track_caller]
    pub fn on_failure<F, Fut, O, E>(&self, name: &str, code: F) -> Task<O, E>
    where
        F: Fn(Cx, I, TaskErrors) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Serialize + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let code = move |cx, inputs: &Inputs| Ok(code(cx, inputs.input.read::<I>()?, inputs.errors.clone()));
        self.add(name, Role::OnFailure, Vec::new(), code)
    }

    /// Ends the construction: the run's output is that task's.
    pub fn output<O, E>(&self, task: &Task<O, E>) -> Workflow<I, O> {
        let output = self.own("the output", &task.graph, task.at).unwrap_or_default();
        Workflow::from_definition(lock(&self.graph).define(output, |input| input.read::<I>().map(|_| ())))
    }

    #[track_caller]
    fn add<C, Fut, O, E>(&self, name: &str, role: Role, after: Vec<usize>, code: C) -> Task<O, E>
    where
        C: Fn(Cx, &Inputs) -> Result<Fut, PayloadError> + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Serialize + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let location = std::panic::Location::caller();
        let predicate: Arc<OnceLock<Predicate<E>>> = Arc::default();
        let (judge, code) = (Arc::clone(&predicate), Arc::new(code));
        let run = move |cx: Cx, inputs: Inputs| {
            let (judge, code) = (Arc::clone(&judge), Arc::clone(&code));
            async move {
                let output = code(cx, &inputs)?.await.map_err(|error| {
                    let verdict = judge.get().map_or(Verdict::Retry, |judge| judge(&error));
                    TaskFailure::of(error, verdict)
                })?;
                Ok(Payload::of(&output)?)
            }
            .boxed()
        };
        let code =
            TaskCode { location: format!("{}:{}", location.file(), location.line()), run: Arc::new(run) };
        let mut graph = lock(&self.graph);
        let at = graph.tasks.len();
        graph.tasks.push(Node { name: name.to_owned(), after, role, rules: TaskRules::default(), code });
        Task { graph: Arc::clone(&self.graph), at, predicate, output: PhantomData }
    }

    /// Returns the place of a handle in this DAG, and notes a handle of another one.
    fn own(&self, place: &str, graph: &Arc<Mutex<Graph>>, at: usize) -> Option<usize> {
        if Arc::ptr_eq(graph, &self.graph) {
            return Some(at);
        }
        lock(&self.graph).foreign.get_or_insert_with(|| place.to_owned());
        None
    }
}

type Predicate<E> = Box<dyn Fn(&E) -> Verdict + Send + Sync>;

/// A task of a DAG under construction; its output is an `O`, its error an `E`.
pub struct Task<O, E> {
    graph: Arc<Mutex<Graph>>,
    at: usize,
    predicate: Arc<OnceLock<Predicate<E>>>,
    output: PhantomData<fn() -> O>,
}

impl<O, E> Task<O, E> {
    /// Sets how long one attempt may take. Default: no limit but the run's.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|node| node.rules.timeout = Some(timeout))
    }

    /// Sets when a failed attempt is tried again. Default: never.
    pub fn retry(self, retry: Retry) -> Self {
        self.change(|node| node.rules.retry = retry)
    }

    /// Sets which errors are worth another attempt, and after how long; the first call counts.
    pub fn retry_if<V: Into<Verdict>>(self, judge: impl Fn(&E) -> V + Send + Sync + 'static) -> Self {
        let _first = self.predicate.set(Box::new(move |error| judge(error).into()));
        self
    }

    /// Makes this task wait for another one without taking its output.
    pub fn after<P, Q>(self, other: &Task<P, Q>) -> Self {
        if Arc::ptr_eq(&self.graph, &other.graph) {
            let before = other.at;
            return self.change(|node| node.after.push(before));
        }
        let mut graph = lock(&self.graph);
        let place = graph.tasks.get(self.at).map(|node| node.name.clone()).unwrap_or_default();
        graph.foreign.get_or_insert(place);
        drop(graph);
        self
    }

    fn change(self, change: impl FnOnce(&mut Node)) -> Self {
        if let Some(node) = lock(&self.graph).tasks.get_mut(self.at) {
            change(node);
        }
        self
    }
}

/// The tasks whose outputs another one takes.
pub trait Deps {
    /// Their outputs' types.
    type Outputs: Send;
    /// Their places.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "sealed: only handles and tuples of handles are dependencies")]
    fn handles(&self) -> Vec<(Arc<Mutex<Graph>>, usize)>;
    /// Reads their outputs in order.
    #[doc(hidden)]
    fn read(outputs: &mut std::slice::Iter<'_, Payload>) -> Result<Self::Outputs, PayloadError>;
}

#[expect(private_interfaces, reason = "sealed: only handles and tuples of handles are dependencies")]
impl<O: DeserializeOwned + Send, E> Deps for &Task<O, E> {
    type Outputs = O;

    fn handles(&self) -> Vec<(Arc<Mutex<Graph>>, usize)> {
        vec![(Arc::clone(&self.graph), self.at)]
    }

    fn read(outputs: &mut std::slice::Iter<'_, Payload>) -> Result<O, PayloadError> {
        let missing = || PayloadError::Malformed { message: "an output is missing".to_owned() };
        outputs.next().ok_or_else(missing)?.read()
    }
}

macro_rules! tuples_of_deps {
    ($(($($name:ident),+))+) => {$(
        #[expect(private_interfaces, reason = "sealed: only handles and tuples of handles are dependencies")]
        impl<$($name: Deps),+> Deps for ($($name,)+) {
            type Outputs = ($($name::Outputs,)+);

            #[expect(non_snake_case, reason = "one identifier for a type and its value")]
            fn handles(&self) -> Vec<(Arc<Mutex<Graph>>, usize)> {
                let ($($name,)+) = self;
                [$($name.handles()),+].concat()
            }

            fn read(outputs: &mut std::slice::Iter<'_, Payload>) -> Result<Self::Outputs, PayloadError> {
                Ok(($($name::read(outputs)?,)+))
            }
        }
    )+};
}

tuples_of_deps! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, F) (A, B, C, D, F, G) (A, B, C, D, F, G, H)
(A, B, C, D, F, G, H, J) }

impl Graph {
    /// Checks the graph and makes it a definition.
    fn define(
        &self,
        output: usize,
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
        check_plan(&name, &plan)?;
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
    fn plan(&self) -> Result<PlannedTask, crate::model::ids::NameError> {
        let after = self.after.iter().filter_map(|at| u16::try_from(*at).ok()).collect();
        Ok(PlannedTask { name: TaskName::new(&self.name)?, after, role: self.role })
    }
}

fn check_plan(workflow: &WorkflowName, plan: &Plan) -> Result<(), BuildError> {
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
    match circle(plan) {
        Some(tasks) => Err(BuildError::Cycle { workflow: workflow.clone(), tasks }),
        None => Ok(()),
    }
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

fn lock(graph: &Mutex<Graph>) -> std::sync::MutexGuard<'_, Graph> {
    graph.lock().unwrap_or_else(PoisonError::into_inner)
}
