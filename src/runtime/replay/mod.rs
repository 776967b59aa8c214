//! Replaying: a new run that takes over what a run that ended had done.

mod compose;

use serde::Serialize;

use self::compose::Composed;
use super::control::Runtime;
use super::create::{Birth, create, queue};
use super::error::Error;
use super::handle::RunHandle;
use crate::inspect;
use crate::model::event::{ReplayFrom, Trigger};
use crate::model::ids::NameError;
use crate::model::replay::NotReused;
use crate::model::{OpKey, Payload, PayloadError, RunId, TaskName, Version, WorkflowName};

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
    /// Tasks that a condition had left out, and that stay so.
    pub skipped: Vec<TaskName>,
    /// Tasks that go on with the operations named: their code runs, and what it did is answered from the log.
    pub resumed: Vec<(TaskName, Vec<OpKey>)>,
    /// Tasks whose code runs, the resumed ones among them; as far as the shape of the code is known here.
    pub rerun: Vec<TaskName>,
    /// Tasks that had done something which is not taken over, and why.
    pub not_reused: Vec<(TaskName, NotReused)>,
    /// Child runs that did not succeed and are replayed with it, those below them included.
    pub children: Vec<RunId>,
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

impl Runtime {
    /// Replays a run that ended: a new run of the same workflow, linked to it both ways, with its input byte for byte, its
    /// namespace, metadata and priority, and without its key. On return it is committed and every query shows it.
    ///
    /// What succeeded is taken over into the new run's log and is not executed again; see `docs/GUIDE.md`. Child runs that
    /// failed it are replayed, too, in the same commit. A replay of a child run is a run of its own: the parent that ended
    /// learns nothing of it.
    ///
    /// # Errors
    /// [`Error::NotReplayable`] for a live run, a cancelled one without [`force`](ReplayOptions::force), one that succeeded
    /// unless it is said from where, and for a task that it does not have; [`Error::UnknownWorkflow`] for a version that
    /// is not served here beside others; [`Error::Payload`] for an input that the code does not take;
    /// [`Error::NotFound`], [`Error::Name`], [`Error::Field`], [`Error::Quarantined`], [`Error::Store`].
    pub async fn replay(&self, run: RunId, options: ReplayOptions) -> Result<Replayed, Error> {
        let wanted = options.id;
        if let Some(id) = wanted
            && self.is_replay(id, run).await?
        {
            let plan = self.compose_replay(run, id, options).await?.plan;
            return Ok(Replayed { run: RunHandle::new(self, id), created: false, plan });
        }
        let id = wanted.unwrap_or_else(|| self.engine.clock.new_run_id());
        let composed = self.compose_replay(run, id, options).await?;
        let plan = composed.plan.clone();
        let created = match self.create_replay(composed, wanted.is_some()).await {
            Ok(handle) => return Ok(Replayed { run: handle, created: true, plan }),
            // Somebody else may have repeated it at the same time.
            Err(_) if wanted.is_some() && self.is_replay(id, run).await? => false,
            Err(error) => return Err(error),
        };
        Ok(Replayed { run: RunHandle::new(self, id), created, plan })
    }

    /// Says what [`replay`](Runtime::replay) would do, and does nothing.
    ///
    /// # Errors
    /// As for [`replay`](Runtime::replay).
    pub async fn plan_replay(&self, run: RunId, options: ReplayOptions) -> Result<ReplayPlan, Error> {
        let id = self.engine.clock.new_run_id();
        Ok(self.compose_replay(run, id, options).await?.plan)
    }

    /// Creates a replay with its children's: one that is alone and need not be repeatable starts here at once.
    async fn create_replay(
        &self,
        composed: Composed,
        repeatable: bool,
    ) -> Result<RunHandle<serde_json::Value>, Error> {
        let id = composed.id;
        let family = composed.family();
        match &family[..] {
            [(_, start)] if !repeatable => match create(&self.engine, id, start).await? {
                Birth::Here(watch) => Ok(RunHandle::watching(self, id, watch)),
                Birth::Queued | Birth::KeyTaken(_) => Ok(RunHandle::new(self, id)),
            },
            _ => queue(&self.engine, &family).await.map(|_| RunHandle::new(self, id)),
        }
    }

    /// Reads the input of a run, whatever a service hides of it.
    #[cfg(feature = "http")]
    pub(crate) async fn input_of(&self, run: RunId) -> Result<Payload, Error> {
        let first = self.engine.store.log(run, 0, 1).await?;
        let first = first.first().ok_or(Error::NotFound { run })?;
        let state = crate::model::evolve::born(run, first).map_err(inspect::InspectError::from)?;
        Ok(state.origin.input)
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
