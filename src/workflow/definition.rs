//! A workflow as the engine holds it: names, shape and code, without types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::context::{Cx, TaskErrors};
use super::error::BuildError;
use super::limit::CheckedLimit;
use crate::model::condition::Term;
use crate::model::limits::WAIT_MAX;
use crate::model::{Failure, Payload, PayloadError, Plan, Rules, Verdict, Version, WorkflowName};

/// A workflow that takes an `I` and gives an `O`: a definition, not an execution. Cheap to clone.
///
/// Made by [`Workflow::function`] or [`Workflow::dag`]. What is wrong with it is told when a runtime that should serve
/// it starts, or by [`check`](Workflow::check).
pub struct Workflow<I, O> {
    definition: Result<Arc<Definition>, BuildError>,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Clone for Workflow<I, O> {
    fn clone(&self) -> Self {
        Workflow { definition: self.definition.clone(), types: PhantomData }
    }
}

impl<I, O> fmt::Debug for Workflow<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.definition {
            Ok(definition) => write!(f, "Workflow({} {})", definition.name, definition.version),
            Err(error) => write!(f, "Workflow({error})"),
        }
    }
}

impl<I, O> Workflow<I, O> {
    pub(crate) fn from_definition(definition: Result<Definition, BuildError>) -> Workflow<I, O> {
        Workflow { definition: definition.and_then(Definition::checked).map(Arc::new), types: PhantomData }
    }

    /// Says what is wrong with the workflow, if anything is.
    ///
    /// # Errors
    /// [`BuildError`]: a bad name, a circle, a duplicate, a foreign task, a limit.
    pub fn check(&self) -> Result<(), BuildError> {
        self.definition.as_ref().map(|_| ()).map_err(BuildError::clone)
    }

    pub(crate) fn definition(&self) -> Result<&Arc<Definition>, BuildError> {
        self.definition.as_ref().map_err(BuildError::clone)
    }

    /// Changes the definition before it is shared.
    pub(crate) fn with(self, change: impl FnOnce(&mut Definition) -> Result<(), BuildError>) -> Self {
        let changed = self.definition.and_then(|shared| {
            let mut definition = Arc::unwrap_or_clone(shared);
            change(&mut definition)?;
            Ok(definition)
        });
        Workflow::from_definition(changed)
    }
}

/// A workflow without its types.
#[derive(Clone)]
pub(crate) struct Definition {
    pub(crate) name: WorkflowName,
    pub(crate) version: Version,
    pub(crate) plan: Plan,
    pub(crate) rules: Rules,
    /// One entry a task, in the plan's order.
    pub(crate) code: Vec<TaskCode>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) limit: Option<CheckedLimit>,
    pub(crate) check_input: fn(&Payload) -> Result<(), PayloadError>,
}

/// The code of one task.
#[derive(Clone)]
pub(crate) struct TaskCode {
    /// Where it is defined, `file:line`.
    pub(crate) location: String,
    pub(crate) run: Arc<RunTask>,
    /// What judges the terms of its conditions, in their order; `None` where time or a signal alone meets one.
    pub(crate) judges: Vec<Option<Arc<Judge>>>,
}

/// Says whether an output, or what a signal carries, is one that a condition looks for.
pub(crate) type Judge = dyn Fn(&Payload) -> Result<bool, PayloadError> + Send + Sync;

/// Makes the future of an attempt.
pub(crate) type RunTask =
    dyn Fn(Cx, Inputs) -> BoxFuture<'static, Result<Payload, TaskFailure>> + Send + Sync;

/// What a task's code is given.
#[derive(Clone)]
pub(crate) struct Inputs {
    /// The run's input.
    pub(crate) input: Payload,
    /// The outputs of the tasks it waits for, in the order of the edges, those that carry data first; `None` where one was
    /// skipped.
    pub(crate) outputs: Vec<Option<Payload>>,
    /// What failed, for the on-failure task.
    pub(crate) errors: TaskErrors,
}

/// Why a task's code failed, and whether its author wants another try.
#[derive(Debug)]
pub(crate) struct TaskFailure {
    pub(crate) failure: Failure,
    pub(crate) verdict: Verdict,
}

impl From<PayloadError> for TaskFailure {
    fn from(error: PayloadError) -> TaskFailure {
        TaskFailure {
            failure: Failure::new(crate::model::failure::PAYLOAD, error.to_string()),
            verdict: Verdict::Stop,
        }
    }
}

impl TaskFailure {
    /// Describes an application's error by its type `E`.
    pub(crate) fn of<E>(error: E, verdict: Verdict) -> TaskFailure
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let error: Box<dyn std::error::Error + Send + Sync> = error.into();
        let error: &(dyn std::error::Error + 'static) = &*error;
        TaskFailure { failure: Failure::of(std::any::type_name::<E>(), error), verdict }
    }
}

impl Definition {
    /// Returns the shape as text: what must not change under live runs of this version.
    pub(crate) fn shape(&self) -> String {
        serde_json::to_string(&self.plan).unwrap_or_default()
    }

    /// Checks what setters may have spoiled.
    fn checked(self) -> Result<Definition, BuildError> {
        let of_tasks = self
            .plan
            .tasks
            .iter()
            .zip(&self.rules.tasks)
            .map(|(task, rules)| (format!("the timeout of task {}", task.name), rules.timeout));
        let elapsed = self.plan.tasks.iter().flat_map(|task| {
            let terms = task.conditions.iter().flat_map(|conditions| &conditions.terms);
            terms.filter_map(move |term| match term {
                Term::Elapsed { ms } => {
                    Some((format!("a condition of task {}", task.name), Some(Duration::from_millis(*ms))))
                }
                Term::Output { .. } | Term::Signal { .. } => None,
            })
        });
        if let Some((limit, quiet, start_timeout)) = self.never_starts() {
            let problem =
                format!("its runs wait for {quiet:?}, and their start_timeout is {start_timeout:?}");
            return Err(BuildError::Limit { workflow: self.name, limit, problem });
        }
        let of_run = [("its timeout", self.timeout), ("its start_timeout", self.start_timeout)];
        let mut all =
            of_run.into_iter().map(|(what, value)| (what.to_owned(), value)).chain(of_tasks).chain(elapsed);
        let bad =
            all.find_map(|(what, value)| Some((what, value?)).filter(|(_, value)| out_of_range(*value)));
        if let Some((what, value)) = bad {
            let workflow = self.name.clone();
            return Err(BuildError::Duration { workflow, what, value });
        }
        Ok(self)
    }
}

impl Definition {
    /// Says under which limit the runs wait for longer than they may, if they do: for how long, and how long they may.
    fn never_starts(&self) -> Option<(String, Duration, Duration)> {
        let limit = &self.limit.as_ref()?.limit;
        let (quiet, start_timeout) = (limit.debounce?.quiet, self.start_timeout?);
        (start_timeout <= quiet).then(|| (limit.name.clone(), quiet, start_timeout))
    }
}

fn out_of_range(value: Duration) -> bool {
    value.is_zero() || value > WAIT_MAX
}
