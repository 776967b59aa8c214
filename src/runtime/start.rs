//! Starting runs.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::control::Runtime;
use super::create::{Birth, create, create_queued};
use super::error::Error;
use super::handle::RunHandle;
use super::wanted::{Code, Wanted, add_metadata, check_duration, check_instant, check_priority};
use crate::actor::{Born, Start};
use crate::model::event::Trigger;
use crate::model::limits::START_MANY_MAX;
use crate::model::{Key, Namespace, Payload, Timestamp, TraceContext, TraceError, TraceState, WorkflowName};
use crate::store::{Append, News, StoreError, postgres};
use crate::workflow::Workflow;

/// A run to be started; `O` is its output's type.
#[must_use = "a run starts when `start` is awaited"]
pub struct NewRun<'runtime, O> {
    runtime: &'runtime Runtime,
    wanted: Result<Wanted, Error>,
    output: PhantomData<fn() -> O>,
}

/// A run that was asked for: a new one, or the one that has its key.
#[derive(Debug)]
pub struct Started<O> {
    /// The run.
    pub run: RunHandle<O>,
    /// Whether this call created it.
    pub created: bool,
}

impl<'runtime, O> NewRun<'runtime, O> {
    pub(crate) fn typed<I: Serialize>(
        runtime: &'runtime Runtime,
        workflow: &Workflow<I, O>,
        input: &I,
    ) -> NewRun<'runtime, O> {
        let wanted = || {
            let definition = Arc::clone(workflow.definition()?);
            let input = Payload::of(input).map_err(|source| Error::Payload { field: "input", source })?;
            Ok(Wanted::new(Code::Here(definition), input))
        };
        NewRun { runtime, wanted: wanted(), output: PhantomData }
    }

    pub(super) fn untyped(runtime: &'runtime Runtime, workflow: &str, input: String) -> NewRun<'runtime, O> {
        let wanted = || {
            let refused = |source| Error::Payload { field: "input", source };
            let input = Payload::parse(input).map_err(refused)?;
            let Some(definition) = runtime.engine.registry.newest(workflow) else {
                return Ok(Wanted::new(Code::Elsewhere(WorkflowName::new(workflow)?), input));
            };
            (definition.check_input)(&input).map_err(refused)?;
            Ok(Wanted::new(Code::Here(Arc::clone(definition)), input))
        };
        NewRun { runtime, wanted: wanted(), output: PhantomData }
    }

    /// Sets the user's own id of the run: the same workflow, namespace and key is the same run.
    pub fn key(self, key: impl AsRef<str>) -> Self {
        self.change(|wanted| {
            wanted.key = Some(Key::new(key)?);
            Ok(())
        })
    }

    /// Refuses, instead of answering with the run that has the key.
    pub fn if_exists_fail(self) -> Self {
        self.change(|wanted| {
            wanted.if_exists_fail = true;
            Ok(())
        })
    }

    /// Sets whose run it is. Default: `default`.
    pub fn namespace(self, namespace: impl AsRef<str>) -> Self {
        self.change(|wanted| {
            wanted.namespace = Namespace::new(namespace)?;
            Ok(())
        })
    }

    /// Adds tags: at most 32 pairs, values of at most 1,024 bytes.
    pub fn metadata<K: Into<String>, V: Into<String>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.change(|wanted| add_metadata(&mut wanted.metadata, pairs))
    }

    /// Sets the priority, -1,000 to 1,000; higher goes first: in the queue each step counts for a minute of waiting, so that
    /// nobody waits for ever. Child runs and replays have it, too. Default: 0.
    pub fn priority(self, priority: i16) -> Self {
        self.change(|wanted| {
            wanted.priority = check_priority(priority)?;
            Ok(())
        })
    }

    /// Sets how long after its creation the run may start.
    pub fn delay(self, delay: Duration) -> Self {
        self.change(|wanted| {
            wanted.delay = Some(check_duration("delay", delay)?);
            Ok(())
        })
    }

    /// Sets before when, on the database's clock, the run may not start.
    pub fn start_at(self, at: Timestamp) -> Self {
        let now = self.runtime.engine.clock.now();
        self.change(|wanted| {
            check_instant("start_at", at, now)?;
            wanted.start_at = Some(at);
            Ok(())
        })
    }

    /// Sets how long the run may take from its start; overrides the workflow's.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|wanted| {
            wanted.timeout = Some(check_duration("timeout", timeout)?);
            Ok(())
        })
    }

    /// Sets how long the run may wait for its start; overrides the workflow's.
    pub fn start_timeout(self, timeout: Duration) -> Self {
        self.change(|wanted| {
            wanted.start_timeout = Some(check_duration("start_timeout", timeout)?);
            Ok(())
        })
    }

    /// Sets what is recorded as the run's cause. Default: [`Trigger::Manual`].
    pub fn trigger(self, trigger: Trigger) -> Self {
        self.change(|wanted| {
            wanted.trigger = trigger;
            Ok(())
        })
    }

    /// Sets the span that the run is started under, as a `traceparent` header has it: the run's spans are part of that trace.
    /// Default: the caller's OpenTelemetry span where there is one (feature `otel`), else a trace of the run's own.
    pub fn traceparent(self, traceparent: impl AsRef<str>) -> Self {
        self.change(|wanted| {
            let refused =
                |error: TraceError| Error::Field { field: "traceparent", problem: error.to_string() };
            wanted.trace = Some(TraceContext::parse(traceparent.as_ref()).map_err(refused)?);
            Ok(())
        })
    }

    /// Sets what goes with [`traceparent`](NewRun::traceparent), as a `tracestate` header has it. Without that it means nothing.
    pub fn tracestate(self, tracestate: impl AsRef<str>) -> Self {
        self.change(|wanted| {
            let refused =
                |error: TraceError| Error::Field { field: "tracestate", problem: error.to_string() };
            wanted.tracestate = TraceState::parse(tracestate.as_ref()).map_err(refused)?;
            Ok(())
        })
    }

    /// Starts the run. On return it is committed, every query shows it, and if this node has the code and room, it runs.
    ///
    /// # Errors
    /// [`Error::Workflow`], [`Error::UnknownWorkflow`], [`Error::Name`], [`Error::Payload`] and [`Error::Field`] for what is
    /// refused at the door;
    /// [`Error::KeyExists`]; [`Error::Store`] when the database does not do it.
    pub async fn start(self) -> Result<RunHandle<O>, Error> {
        self.start_or_get().await.map(|started| started.run)
    }

    /// As [`start`](NewRun::start), and says whether the run is new.
    ///
    /// # Errors
    /// As for [`start`](NewRun::start).
    pub async fn start_or_get(self) -> Result<Started<O>, Error> {
        let NewRun { runtime, wanted, .. } = self;
        let wanted = wanted?.located(runtime).await?;
        let engine = &runtime.engine;
        let run = engine.clock.new_run_id();
        let fail = wanted.if_exists_fail();
        let start = wanted.into_start(engine.clock.now());
        let existing = match create(engine, run, &start).await? {
            Birth::Here(watch) => {
                return Ok(Started { run: RunHandle::watching(runtime, run, watch), created: true });
            }
            Birth::Queued => return Ok(Started { run: RunHandle::new(runtime, run), created: true }),
            Birth::KeyTaken(existing) => existing,
        };
        let Start { workflow, namespace, key, .. } = start;
        let existing = match (existing, &key) {
            (None, Some(key)) => engine.store.find(&namespace, &workflow, key).await?,
            (existing, _) => existing,
        };
        let bug = || StoreError::Bug { message: format!("run {run} was neither created nor found") };
        let existing = existing.ok_or_else(bug)?;
        if fail {
            let key = key.map(|key| key.to_string()).unwrap_or_default();
            return Err(Error::KeyExists { run: existing, workflow: workflow.to_string(), key });
        }
        Ok(Started { run: RunHandle::new(runtime, existing), created: false })
    }

    /// Creates the run inside the caller's transaction: it exists if and only if that commits. Nodes find it within their
    /// poll interval after the commit, this one within milliseconds.
    ///
    /// # Errors
    /// As for [`start`](NewRun::start). The transaction is the caller's to roll back.
    pub async fn start_in(self, transaction: &mut sqlx::PgTransaction<'_>) -> Result<Started<O>, Error> {
        let NewRun { runtime, wanted, .. } = self;
        let wanted = wanted?.located(runtime).await?;
        let engine = &runtime.engine;
        if engine.store.pool().is_none() {
            return Err(StoreError::NeedsPostgres { what: "start_in" }.into());
        }
        if engine.admission.is_closed() {
            return Err(Error::NotRunning);
        }
        let fail = wanted.if_exists_fail();
        let start = wanted.into_start(engine.clock.now());
        let (workflow, key) = (start.workflow.clone(), start.key.clone());
        let born = Born::queued(engine.clock.new_run_id(), &start, engine.clock.now())?;
        let created = postgres::create_in(transaction, std::slice::from_ref(&born.append)).await?;
        let bug = || StoreError::Bug { message: "one run was created, none was answered for".to_owned() };
        let created = created.first().copied().ok_or_else(bug)?;
        if fail && !created.created {
            let key = key.map(|key| key.to_string()).unwrap_or_default();
            return Err(Error::KeyExists { run: created.run, workflow: workflow.to_string(), key });
        }
        engine.hint_soon();
        engine.announce(News::Soon);
        Ok(Started { run: RunHandle::new(runtime, created.run), created: created.created })
    }

    fn change(mut self, change: impl FnOnce(&mut Wanted) -> Result<(), Error>) -> Self {
        self.wanted = self.wanted.and_then(|mut wanted| {
            change(&mut wanted)?;
            Ok(wanted)
        });
        self
    }
}

/// Starts many runs by one statement, all or none.
pub(super) async fn start_many<O>(
    runtime: &Runtime,
    runs: Vec<NewRun<'_, O>>,
) -> Result<Vec<Started<O>>, Error> {
    if runs.len() > START_MANY_MAX {
        let problem =
            format!("{} runs, the limit is {START_MANY_MAX}: start them in several calls", runs.len());
        return Err(Error::Field { field: "runs", problem });
    }
    let engine = &runtime.engine;
    if engine.admission.is_closed() {
        return Err(Error::NotRunning);
    }
    let now = engine.clock.now();
    let mut found = Vec::with_capacity(runs.len());
    for run in runs {
        found.push(run.wanted?.located(runtime).await?);
    }
    let appends = found
        .into_iter()
        .map(|wanted| {
            if wanted.if_exists_fail() {
                let problem =
                    "one statement cannot both answer and refuse: start such runs one by one".to_owned();
                return Err(Error::Field { field: "if_exists_fail", problem });
            }
            let start = wanted.into_start(now);
            Ok(Born::queued(engine.clock.new_run_id(), &start, now)?.append)
        })
        .collect::<Result<Vec<Append>, Error>>()?;
    let created = create_queued(engine, &appends).await?;
    let started = |created: crate::store::Created| Started {
        run: RunHandle::new(runtime, created.run),
        created: created.created,
    };
    Ok(created.into_iter().map(started).collect())
}
