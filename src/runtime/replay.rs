//! Replaying: a new run that takes over what a run that ended had done.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::control::{Runtime, check_text};
use super::create::{Birth, create, queue};
use super::error::{Error, NotReplayable};
use super::handle::RunHandle;
use crate::actor::Start;
use crate::inspect;
use crate::model::event::{ReplayFrom, Trigger};
use crate::model::evolve::fold;
use crate::model::ids::NameError;
use crate::model::plan::Role;
use crate::model::replay::{NotReused, Takeover, take_over};
use crate::model::{
    OpKey, Payload, PayloadError, Plan, RunId, RunState, Status, TaskName, Version, WorkflowName,
};
use crate::workflow::Definition;

/// How a run is replayed.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    from: Result<ReplayFrom, NameError>,
    input: Option<Result<Payload, PayloadError>>,
    force: bool,
    by: Option<String>,
    reason: Option<String>,
    version: Option<String>,
    id: Option<RunId>,
}

impl Default for ReplayOptions {
    fn default() -> ReplayOptions {
        ReplayOptions {
            from: Ok(ReplayFrom::Failed),
            input: None,
            force: false,
            by: None,
            reason: None,
            version: None,
            id: None,
        }
    }
}

impl ReplayOptions {
    /// Sets from where it runs anew. Default: from what did not succeed.
    #[must_use]
    pub fn from(mut self, from: ReplayFrom) -> Self {
        self.from = Ok(from);
        self
    }

    /// Runs everything again.
    #[must_use]
    pub fn from_start(self) -> Self {
        self.from(ReplayFrom::Start)
    }

    /// Runs a task and what comes after it again, and whatever else did not succeed.
    #[must_use]
    pub fn from_task(mut self, task: impl AsRef<str>) -> Self {
        self.from = TaskName::new(task).map(ReplayFrom::Task);
        self
    }

    /// Gives it another input. Every task may read the input, so nothing is taken over then, unless it is the original's
    /// byte for byte.
    #[must_use]
    pub fn input<I: Serialize>(mut self, input: &I) -> Self {
        self.input = Some(Payload::of(input));
        self
    }

    /// As [`input`](ReplayOptions::input), as JSON text, which is kept as it is.
    #[must_use]
    pub fn input_json(mut self, json: impl Into<String>) -> Self {
        self.input = Some(Payload::parse(json));
        self
    }

    /// Replays even a run that was cancelled.
    #[must_use]
    pub fn force(mut self) -> Self {
        self.force = true;
        self
    }

    /// Sets who asks for it.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Self {
        self.by = Some(by.into());
        self
    }

    /// Sets why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the version of the code. Default: the newest that is served here, the original's where none is.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets the new run's id. A replay that got no answer may be repeated with the same one: it is done once. Such a run
    /// waits in the queue for any node.
    #[must_use]
    pub fn id(mut self, id: RunId) -> Self {
        self.id = Some(id);
        self
    }
}

/// What a replay does, or would do.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayPlan {
    /// The run that is replayed.
    pub of: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// The version that the replay runs on.
    pub version: Version,
    /// From where it runs anew.
    pub from: ReplayFrom,
    /// Whether its input is another one.
    pub input_edited: bool,
    /// Tasks whose output is taken over: their code does not run.
    pub reused: Vec<TaskName>,
    /// Tasks that go on with the operations named: their code runs, and what it did is answered from the log.
    pub resumed: Vec<(TaskName, Vec<OpKey>)>,
    /// Tasks whose code runs, the resumed ones among them; as far as the shape of the code is known here.
    pub rerun: Vec<TaskName>,
    /// Tasks that had done something which is not taken over, and why.
    pub not_reused: Vec<(TaskName, NotReused)>,
}

/// A replay that was asked for.
#[derive(Debug)]
pub struct Replayed {
    /// The new run.
    pub run: RunHandle<serde_json::Value>,
    /// Whether this call created it; not one with an [`id`](ReplayOptions::id) that was repeated.
    pub created: bool,
    /// What it takes over, and what it does not.
    pub plan: ReplayPlan,
}

/// A replay that nothing speaks against.
struct Prepared {
    start: Start,
    plan: ReplayPlan,
}

impl Runtime {
    /// Replays a run that ended: a new run of the same workflow, linked to it both ways, with its input byte for byte, its
    /// namespace, metadata and priority, and without its key. On return it is committed and every query shows it.
    ///
    /// What succeeded is taken over into the new run's log and is not executed again; see `docs/GUIDE.md`. A replay of a
    /// child run is a run of its own: the parent that ended learns nothing of it.
    ///
    /// # Errors
    /// [`Error::NotReplayable`] for a live run, a cancelled one without [`force`](ReplayOptions::force), one that succeeded
    /// unless it is said from where, and for a task that it does not have; [`Error::UnknownWorkflow`] for a version that
    /// is not served here beside others; [`Error::Payload`] for an input that the code does not take;
    /// [`Error::NotFound`], [`Error::Name`], [`Error::Field`], [`Error::Quarantined`], [`Error::Store`].
    pub async fn replay(&self, run: RunId, options: ReplayOptions) -> Result<Replayed, Error> {
        let (id, engine) = (options.id, &self.engine);
        let Prepared { start, plan } = self.prepare_replay(run, options).await?;
        let Some(id) = id else {
            let new = engine.clock.new_run_id();
            let handle = match create(engine, new, &start).await? {
                Birth::Here(watch) => RunHandle::watching(self, new, watch),
                Birth::Queued | Birth::KeyTaken(_) => RunHandle::new(self, new),
            };
            return Ok(Replayed { run: handle, created: true, plan });
        };
        let replayed = |created| Ok(Replayed { run: RunHandle::new(self, id), created, plan });
        if self.is_replay(id, run).await? {
            return replayed(false);
        }
        match queue(engine, id, &start).await {
            Ok(_) => replayed(true),
            // Somebody else may have repeated it at the same time.
            Err(_) if self.is_replay(id, run).await? => replayed(false),
            Err(error) => Err(error),
        }
    }

    /// Says what [`replay`](Runtime::replay) would do, and does nothing.
    ///
    /// # Errors
    /// As for [`replay`](Runtime::replay).
    pub async fn plan_replay(&self, run: RunId, options: ReplayOptions) -> Result<ReplayPlan, Error> {
        Ok(self.prepare_replay(run, options).await?.plan)
    }

    async fn prepare_replay(&self, run: RunId, options: ReplayOptions) -> Result<Prepared, Error> {
        let ReplayOptions { from, input, force, by, reason, version, .. } = options;
        let from = from?;
        for (field, text) in [("reason", &reason), ("by", &by)] {
            check_text(field, text.as_deref())?;
        }
        let log = inspect::log(&*self.engine.store, run).await?;
        let state = fold(run, &log).map_err(inspect::InspectError::from)?.ok_or(Error::NotFound { run })?;
        let code = self.code_of_replay(&state, version.as_deref())?;
        let plan = code.definition.as_ref().map(|definition| &definition.plan).or(state.plan.as_ref());
        refuse(&state, &from, force, plan).map_err(|why| Error::NotReplayable { run, why })?;
        let refused = |source| Error::Payload { field: "input", source };
        let original = &state.origin.input;
        let input = input.transpose().map_err(refused)?.unwrap_or_else(|| original.clone());
        if let Some(definition) = &code.definition {
            (definition.check_input)(&input).map_err(refused)?;
        }
        let input_edited = input != *original;
        let takeover = take_over(&state, &log, plan, &from, input_edited);
        let Takeover { events, reused, resumed, rerun, not_reused } = takeover;
        let (workflow, version) = (state.origin.workflow.clone(), code.version.clone());
        let trigger = Trigger::Replay { of: run, by, reason, from: Some(from.clone()) };
        let start = code.start(state, input, trigger, events);
        let (of, rest) = (run, (reused, resumed, rerun, not_reused));
        let (reused, resumed, rerun, not_reused) = rest;
        let plan =
            ReplayPlan { of, workflow, version, from, input_edited, reused, resumed, rerun, not_reused };
        Ok(Prepared { start, plan })
    }

    /// Finds the code that a replay runs on.
    fn code_of_replay(&self, state: &RunState, version: Option<&str>) -> Result<Code, Error> {
        let (registry, workflow) = (&self.engine.registry, &state.origin.workflow);
        let newest = registry.newest(workflow.as_str()).map(Arc::clone);
        let Some(version) = version else {
            let version = newest.as_ref().map_or(&state.origin.version, |newest| &newest.version).clone();
            return Ok(Code { version, definition: newest });
        };
        let version = Version::new(version)?;
        let definition = registry.get(workflow, &version).map(Arc::clone);
        if definition.is_none() && newest.is_some() {
            let workflow = format!("{workflow} {version}");
            return Err(Error::UnknownWorkflow { workflow, known: self.served() });
        }
        Ok(Code { version, definition })
    }

    /// Says whether `id` is a replay of `run`.
    async fn is_replay(&self, id: RunId, run: RunId) -> Result<bool, Error> {
        let first = self.engine.store.log(id, 0, 1).await?;
        let Some(first) = first.first() else { return Ok(false) };
        let state = crate::model::evolve::born(id, first).map_err(inspect::InspectError::from)?;
        match state.origin.trigger {
            Trigger::Replay { of, .. } if of == run => Ok(true),
            _ => {
                let problem = format!("run {id} exists and is no replay of run {run}: give another id");
                Err(Error::Field { field: "id", problem })
            }
        }
    }
}

impl<O> RunHandle<O> {
    /// Replays the run; see [`Runtime::replay`].
    ///
    /// # Errors
    /// As for [`Runtime::replay`].
    pub async fn replay(&self, options: ReplayOptions) -> Result<Replayed, Error> {
        self.runtime().replay(self.id(), options).await
    }
}

/// The code that a replay runs on; without a definition, another node has it.
struct Code {
    version: Version,
    definition: Option<Arc<Definition>>,
}

impl Code {
    /// Makes the new run of the original's origin. It has no key, for a key is one run's; and no parent, for that ended or
    /// has its child's result already.
    fn start(
        self,
        state: RunState,
        input: Payload,
        trigger: Trigger,
        taken_over: Vec<crate::model::Event>,
    ) -> Start {
        let (of_code, origin) = (self.definition.as_deref(), state.origin);
        let start_timeout =
            origin.start_deadline.and_then(|deadline| (deadline - origin.created_at).to_std().ok());
        Start {
            workflow: origin.workflow,
            version: self.version,
            namespace: origin.namespace,
            key: None,
            input,
            metadata: origin.metadata,
            priority: origin.priority,
            start_at: None,
            timeout: of_code.and_then(|code| code.timeout).or(origin.timeout_ms.map(Duration::from_millis)),
            start_timeout: of_code.and_then(|code| code.start_timeout).or(start_timeout),
            trigger,
            parent: None,
            taken_over,
        }
    }
}

/// Refuses what cannot be replayed so.
fn refuse(
    state: &RunState,
    from: &ReplayFrom,
    force: bool,
    plan: Option<&Plan>,
) -> Result<(), NotReplayable> {
    match state.status {
        Status::Queued | Status::Running => return Err(NotReplayable::Live { status: state.status }),
        Status::Cancelled if !force => return Err(NotReplayable::Cancelled),
        Status::Succeeded if *from == ReplayFrom::Failed => return Err(NotReplayable::Succeeded),
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {}
    }
    let tasks = plan.iter().flat_map(|plan| &plan.tasks).filter(|task| task.role == Role::Task);
    let known: Vec<&TaskName> = tasks.map(|task| &task.name).collect();
    match from {
        ReplayFrom::Task(task) if !known.contains(&task) => {
            let known = known.into_iter().map(TaskName::to_string).collect();
            Err(NotReplayable::UnknownTask { task: task.clone(), known })
        }
        ReplayFrom::Task(_) | ReplayFrom::Failed | ReplayFrom::Start => Ok(()),
    }
}
