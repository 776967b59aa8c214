//! What a start asks for, checked at the door.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::control::Runtime;
use super::error::Error;
use crate::actor::{Start, Target};
use crate::model::decide::after;
use crate::model::event::Trigger;
use crate::model::ids::{NameError, check_metadata_name};
use crate::model::limit::Limited;
use crate::model::limits::{METADATA_PAIRS_MAX, METADATA_VALUE_BYTES_MAX, PRIORITY_MAX, WAIT_MAX};
use crate::model::{Key, Namespace, Payload, Timestamp, TraceContext, TraceState, Version, WorkflowName};
use crate::store::Registered;
use crate::telemetry;
use crate::workflow::Definition;

/// What a start asks for.
pub(super) struct Wanted {
    pub(super) code: Code,
    pub(super) input: Payload,
    pub(super) namespace: Namespace,
    pub(super) key: Option<Key>,
    pub(super) if_exists_fail: bool,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) priority: i16,
    pub(super) delay: Option<Duration>,
    pub(super) start_at: Option<Timestamp>,
    pub(super) timeout: Option<Duration>,
    pub(super) start_timeout: Option<Duration>,
    pub(super) trigger: Trigger,
    pub(super) trace: Option<TraceContext>,
    pub(super) tracestate: Option<TraceState>,
}

/// Which workflow's version a run is started of.
pub(super) enum Code {
    /// One whose code is here.
    Here(Arc<Definition>),
    /// One that other nodes serve: the database knows it, or there is none.
    Elsewhere(WorkflowName),
}

impl Wanted {
    pub(super) fn new(code: Code, input: Payload) -> Wanted {
        Wanted {
            code,
            input,
            namespace: Namespace::default(),
            key: None,
            if_exists_fail: false,
            metadata: BTreeMap::new(),
            priority: 0,
            delay: None,
            start_at: None,
            timeout: None,
            start_timeout: None,
            trigger: Trigger::Manual,
            trace: None,
            tracestate: None,
        }
    }

    /// Finds the version to start where the code is not here. Its input is checked by the node that runs it.
    pub(super) async fn located(self, runtime: &Runtime) -> Result<Located, Error> {
        let (workflow, target) = match &self.code {
            Code::Here(code) => (code.name.clone(), Target::from(code.as_ref())),
            Code::Elsewhere(workflow) => {
                (workflow.clone(), Target::from(runtime.registered(workflow).await?))
            }
        };
        let limit = target.limited(&self.input, &self.metadata);
        let limit = limit.map_err(|problem| Error::Field { field: "workflow", problem })?;
        Ok(Located {
            workflow,
            timeout: self.timeout.or(target.timeout),
            start_timeout: self.start_timeout.or(target.start_timeout),
            version: target.version,
            limit,
            wanted: self,
        })
    }
}

impl Runtime {
    /// Finds the newest version of a workflow that nodes serve, or refuses it as unknown.
    pub(super) async fn registered(&self, workflow: &WorkflowName) -> Result<Registered, Error> {
        self.engine.store.registered(workflow).await?.ok_or_else(|| self.unknown(workflow))
    }

    /// Refuses a workflow that no node ever served.
    pub(super) fn unknown(&self, workflow: &WorkflowName) -> Error {
        Error::UnknownWorkflow { workflow: workflow.to_string(), known: self.served() }
    }
}

/// A run to be started, of a version that exists.
pub(super) struct Located {
    workflow: WorkflowName,
    version: Version,
    timeout: Option<Duration>,
    start_timeout: Option<Duration>,
    limit: Option<Limited>,
    wanted: Wanted,
}

impl Located {
    /// Says whether a taken key is a refusal.
    pub(super) fn if_exists_fail(&self) -> bool {
        self.wanted.if_exists_fail
    }

    pub(super) fn into_start(self, now: Timestamp) -> Start {
        let Located { workflow, version, timeout, start_timeout, limit, wanted } = self;
        let trace = wanted.trace.map(|trace| TraceContext { state: wanted.tracestate, ..trace });
        let delayed = wanted.delay.map(|delay| after(now, delay));
        Start {
            workflow,
            version,
            namespace: wanted.namespace,
            key: wanted.key,
            input: wanted.input,
            metadata: wanted.metadata,
            priority: wanted.priority,
            start_at: wanted.start_at.max(delayed),
            timeout,
            start_timeout,
            trigger: wanted.trigger,
            parent: None,
            trace: trace.or_else(telemetry::caller),
            limit,
            taken_over: Vec::new(),
        }
    }
}

pub(super) fn check_priority(priority: i16) -> Result<i16, Error> {
    if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&priority) {
        let problem = format!("{priority} is out of range, -{PRIORITY_MAX} to {PRIORITY_MAX}");
        return Err(Error::Field { field: "priority", problem });
    }
    Ok(priority)
}

/// Adds tags, and refuses them if they are too many then, too long or without a name.
pub(super) fn add_metadata<K: Into<String>, V: Into<String>>(
    metadata: &mut BTreeMap<String, String>,
    pairs: impl IntoIterator<Item = (K, V)>,
) -> Result<(), Error> {
    metadata.extend(pairs.into_iter().map(|(name, value)| (name.into(), value.into())));
    check_metadata(metadata)
}

pub(super) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), Error> {
    let refuse = |problem| Err(Error::Field { field: "metadata", problem });
    if metadata.len() > METADATA_PAIRS_MAX {
        return refuse(format!("{} pairs, the limit is {METADATA_PAIRS_MAX}", metadata.len()));
    }
    for (name, value) in metadata {
        let refused = |error: NameError| Error::Field { field: "metadata", problem: error.to_string() };
        check_metadata_name(name).map_err(refused)?;
        if value.len() > METADATA_VALUE_BYTES_MAX {
            return refuse(format!(
                "{name:?} has {} bytes, the limit is {METADATA_VALUE_BYTES_MAX}",
                value.len()
            ));
        }
        if value.contains('\0') {
            return refuse(format!("{name:?} holds a NUL character: remove it"));
        }
    }
    Ok(())
}

/// Keeps instants inside what the database can hold.
pub(super) fn check_instant(field: &'static str, at: Timestamp, now: Timestamp) -> Result<(), Error> {
    match (at - now).abs().to_std() {
        Ok(distance) if distance <= WAIT_MAX => Ok(()),
        _ => Err(Error::Field { field, problem: format!("{at}: it must be at most 100 years from now") }),
    }
}

pub(super) fn check_duration(field: &'static str, duration: Duration) -> Result<Duration, Error> {
    if duration.is_zero() || duration > WAIT_MAX {
        let problem = format!("{duration:?}: it must be more than zero and at most 100 years");
        return Err(Error::Field { field, problem });
    }
    Ok(duration)
}
