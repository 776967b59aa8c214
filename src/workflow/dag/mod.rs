//! A workflow as a graph of tasks whose edges are types.

mod task;
mod deps;
mod when;
mod graph;

pub use self::deps::{Deps, Optional, Outcome};
pub use self::task::Task;
pub use self::when::When;

use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::graph::{Graph, Node, lock};
use self::task::Predicate;
use super::context::{Cx, TaskErrors};
use super::definition::{Inputs, TaskCode, TaskFailure, Workflow};
use crate::model::plan::Role;
use crate::model::{Payload, PayloadError, Verdict};

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

impl Workflow<(), ()> {
    /// Begins a DAG of version `"1"` whose tasks take its input and each other's outputs.
    pub fn dag<I>(name: &str) -> Dag<I> {
        Dag { graph: Arc::new(Mutex::new(Graph::new(name))), input: PhantomData }
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
    /// tuple of up to eight. It is skipped when one of them is, unless that one is [`optional`](Task::optional).
    #[track_caller]
    pub fn task_after<D, F, Fut, O, E>(&self, name: &str, deps: D, code: F) -> Task<O, E>
    where
        D: Deps,
        F: Fn(Cx, I, D::Outputs) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Serialize + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let handles = deps.handles().into_iter();
        let after =
            handles.filter_map(|handle| Some((self.own(name, &handle.graph, handle.at)?, handle.optional)));
        let after = after.collect();
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

    /// Ends the construction: the run's output is that task's. A task that may be skipped can only be an
    /// [`optional`](Task::optional) output: `None` when it was.
    pub fn output<T: Outcome>(&self, task: T) -> Workflow<I, T::Output> {
        let handle = task.handle();
        let output = self.own("the output", &handle.graph, handle.at).unwrap_or_default();
        let definition =
            lock(&self.graph).define((output, handle.optional), |input| input.read::<I>().map(|_| ()));
        Workflow::from_definition(definition)
    }

    #[track_caller]
    fn add<C, Fut, O, E>(&self, name: &str, role: Role, after: Vec<(usize, bool)>, code: C) -> Task<O, E>
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
        let location = format!("{}:{}", location.file(), location.line());
        let code = TaskCode { location, run: Arc::new(run), judges: Vec::new() };
        let mut graph = lock(&self.graph);
        let at = graph.tasks.len();
        graph.tasks.push(Node::new(name, role, after, code));
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
