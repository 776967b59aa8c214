//! How a run comes into being: its first events and its row.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admission::Slot;
use super::supervisor::Engine;
use crate::model::command::Now;
use crate::model::decide::{after, decide};
use crate::model::event::{Event, Parent, Recorded, RunCreated, RunEvent, Trigger};
use crate::model::evolve::{born, evolve, fold_in};
use crate::model::limit::Limited;
use crate::model::{
    Command, Key, Namespace, NodeId, Payload, Rules, RunId, RunState, Status, Timestamp, TraceContext,
    Version, WorkflowName,
};
use crate::store::{Append, NewRun, Registered, StoreError};
use crate::workflow::{CheckedLimit, Definition};

/// What a run is started with.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) workflow: WorkflowName,
    pub(crate) version: Version,
    pub(crate) namespace: Namespace,
    pub(crate) key: Option<Key>,
    pub(crate) input: Payload,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) priority: i16,
    pub(crate) start_at: Option<Timestamp>,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) start_timeout: Option<std::time::Duration>,
    pub(crate) trigger: Trigger,
    pub(crate) parent: Option<Parent>,
    /// The span that it is started under.
    pub(crate) trace: Option<TraceContext>,
    /// The limit that it is under.
    pub(crate) limit: Option<Limited>,
    /// What a replay takes over.
    pub(crate) taken_over: Vec<Event>,
}

/// The version that a run is to be of, with what the start leaves to it.
pub(crate) struct Target {
    pub(crate) version: Version,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) start_timeout: Option<std::time::Duration>,
    limit: Option<CheckedLimit>,
}

impl From<&Definition> for Target {
    fn from(code: &Definition) -> Target {
        let (timeout, start_timeout) = (code.timeout, code.start_timeout);
        Target { version: code.version.clone(), timeout, start_timeout, limit: code.limit.clone() }
    }
}

impl From<Registered> for Target {
    fn from(registered: Registered) -> Target {
        let Registered { version, timeout, start_timeout, limit } = registered;
        Target { version, timeout, start_timeout, limit: limit.map(CheckedLimit::without_code) }
    }
}

impl Target {
    /// Finds the place of a run to be under the workflow's limit.
    ///
    /// # Errors
    /// The key is found by code that is not here.
    pub(crate) fn limited(
        &self,
        input: &Payload,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Option<Limited>, String> {
        self.limit.as_ref().map(|limit| limit.of_run(input, metadata)).transpose()
    }
}

/// A run to be created.
pub(crate) struct Born {
    pub(crate) run: RunId,
    pub(crate) workflow: WorkflowName,
    pub(crate) events: Vec<Event>,
    pub(crate) append: Append,
    /// Set when this node starts the run in the commit that creates it.
    pub(crate) started: Option<Started>,
}

/// What a run that starts with its creation needs here.
pub(crate) struct Started {
    pub(crate) slot: Slot,
    pub(crate) definition: Arc<Definition>,
}

impl Born {
    /// Makes a run that this node starts at once if it has the code and a free slot; else one that waits in the queue.
    pub(crate) fn here(engine: &Engine, run: RunId, start: &Start) -> Result<Born, StoreError> {
        let definition = engine.registry.get(&start.workflow, &start.version).map(Arc::clone);
        // What a limit or a pause may hold back goes through the queue.
        let free = start.limit.is_none() && !engine.paused.holds(&start.workflow);
        let due = free && start.start_at.is_none_or(|at| at <= engine.clock.now());
        let slot = |code: Arc<Definition>| Some((engine.admission.try_start(&code.name)?, code));
        let Some((slot, definition)) = definition.filter(|_| due).and_then(slot) else {
            return Born::queued(run, start, engine.clock.now());
        };
        // Ids made in one burst may be a little ahead of the clock.
        let at = engine.clock.now().max(run.created_at());
        let now = Now { at, chance: engine.clock.chance(), rules: &definition.rules };
        let mut events = first_events(run, start, now.at);
        let mut state = provisional(run, now.at, &events)?;
        let command = Command::Start { plan: definition.plan.clone(), assigned_at: None };
        for event in decide(&state, command, now).map_err(bug)? {
            let recorded = Recorded { seq: state.seq + 1, at: now.at, node: None, event };
            fold_in(&mut state, &recorded).map_err(bug)?;
            events.push(recorded.event);
        }
        let append = append(run, start, &events, &state)?;
        let workflow = start.workflow.clone();
        Ok(Born { run, workflow, events, append, started: Some(Started { slot, definition }) })
    }

    /// Makes a run that waits in the queue for any node.
    pub(crate) fn queued(run: RunId, start: &Start, now: Timestamp) -> Result<Born, StoreError> {
        let events = first_events(run, start, now);
        let state = provisional(run, now, &events)?;
        let append = append(run, start, &events, &state)?;
        Ok(Born { run, workflow: start.workflow.clone(), events, append, started: None })
    }
}

impl Engine {
    /// Takes note of new runs that are in the queue: they are counted, and whoever looks there is told.
    pub(crate) fn enqueued<'a>(&self, new: impl IntoIterator<Item = &'a Append>) {
        self.queued();
        for append in new {
            let born = append.born.iter();
            born.for_each(|born| self.metrics.queued(&born.workflow, append.events.len()));
        }
    }
}

/// Makes the events that stand before the run's start.
fn first_events(run: RunId, start: &Start, now: Timestamp) -> Vec<Event> {
    let mut events = vec![created(run, start, now)];
    events.extend(start.taken_over.iter().cloned());
    events
}

fn created(run: RunId, start: &Start, now: Timestamp) -> Event {
    let since = match start.trigger {
        // Their ids may be older than they are: a child's is made with its place in the code, a replay's may be its action's.
        Trigger::Parent | Trigger::Replay { .. } => now,
        _ => run.created_at(),
    };
    let created = RunCreated {
        workflow: start.workflow.clone(),
        version: start.version.clone(),
        namespace: start.namespace.clone(),
        key: start.key.clone(),
        input: start.input.clone(),
        metadata: start.metadata.clone(),
        priority: start.priority,
        start_at: start.start_at,
        start_deadline: start.start_timeout.map(|timeout| after(since, timeout)),
        timeout_ms: start.timeout.map(whole_millis),
        trigger: start.trigger.clone(),
        parent: start.parent.clone(),
        trace: start.trace.clone().map(Box::new),
        limit: start.limit.clone().map(Box::new),
    };
    RunEvent::from(created).into()
}

/// Rounds up: a run must not end before its time.
fn whole_millis(timeout: std::time::Duration) -> u64 {
    u64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn append(run: RunId, start: &Start, events: &[Event], state: &RunState) -> Result<Append, StoreError> {
    let started = state.status == Status::Running;
    let new = NewRun {
        namespace: start.namespace.clone(),
        workflow: start.workflow.clone(),
        version: start.version.clone(),
        key: start.key.clone(),
        status: state.status,
        priority: start.priority,
        wake_at: (!started).then(|| state.queued_until()),
        deadline_at: if started { state.deadline } else { state.origin.start_deadline },
        trigger: (&start.trigger).into(),
        parent: start.parent.as_ref().map(|parent| parent.run),
        metadata: start.metadata.clone(),
        limit_key: start
            .limit
            .as_ref()
            .filter(|limit| limit.problem.is_none())
            .map(|limit| limit.key.clone()),
    };
    let events = events.iter().map(Event::encode).collect::<Result<_, _>>().map_err(bug)?;
    Ok(Append {
        run,
        expected: 0,
        events,
        born: Some(Box::new(new)),
        row: None,
        mail: Vec::new(),
        taken: Vec::new(),
        awaits: Vec::new(),
    })
}

/// Folds events that are not committed yet, as if they were, now.
fn provisional(run: RunId, at: Timestamp, events: &[Event]) -> Result<RunState, StoreError> {
    fold_new(run, &recorded(0, at, None, events.iter().cloned()))?.ok_or_else(|| bug("a run without events"))
}

/// Gives events their places in a run's log, after those that are there, at the instant of their commit.
pub(crate) fn recorded(
    after: u32,
    at: Timestamp,
    node: Option<NodeId>,
    events: impl IntoIterator<Item = Event>,
) -> Vec<Recorded> {
    (after + 1..).zip(events).map(|(seq, event)| Recorded { seq, at, node, event }).collect()
}

/// Folds a new run's events.
pub(crate) fn fold_new(run: RunId, events: &[Recorded]) -> Result<Option<RunState>, StoreError> {
    let mut state = None;
    for recorded in events {
        state = Some(
            match state {
                None => born(run, recorded),
                Some(state) => evolve(state, recorded),
            }
            .map_err(bug)?,
        );
    }
    Ok(state)
}

/// The rules of a run whose code is not at hand.
pub(crate) static NO_RULES: Rules = Rules { tasks: Vec::new() };

pub(crate) fn bug(error: impl std::fmt::Display) -> StoreError {
    StoreError::Bug { message: error.to_string() }
}
