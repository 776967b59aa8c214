//! What every span of a run tells, and its first one.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::event::{RunCreated, Trigger};
use crate::model::{NodeId, Recorded, RunId, SpanId, Timestamp, TraceContext};
use crate::telemetry::ids;
use crate::telemetry::names::traces::{self as names, Attribute, SpanName};

use super::span::{Attributes, Link, Span, SpanKind, SpanStatus, Value};

/// When and by whom an event was written.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) node: Option<NodeId>,
}

/// What is known of a run since its creation.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) run: RunId,
    /// Its place in its trace; its other spans stand under that.
    pub(super) place: TraceContext,
    /// When its creation was committed.
    pub(super) at: Timestamp,
    pub(super) workflow: Arc<str>,
    /// What every span tells.
    shared: [(Attribute, Arc<str>); 4],
    /// What its first and its last span tell besides.
    about: Attributes,
    caller: Option<SpanId>,
    links: Vec<Link>,
}

impl Origin {
    pub(super) fn new(run: RunId, recorded: &Recorded, created: &RunCreated) -> Origin {
        let workflow = created.workflow.shared();
        let shared = [
            (names::RUN_ID, Arc::from(run.to_string())),
            (names::WORKFLOW_NAME, Arc::clone(&workflow)),
            (names::WORKFLOW_VERSION, created.version.shared()),
            (names::NAMESPACE, created.namespace.shared()),
        ];
        Origin {
            run,
            place: ids::run(run, created.trace.as_deref()),
            at: recorded.at,
            workflow,
            shared,
            about: about(created),
            caller: created.trace.as_ref().map(|caller| caller.span_id),
            links: links(created),
        }
    }

    /// Makes the span of the run's creation.
    pub(super) fn started(&self, node: Option<NodeId>) -> Span {
        let mut span = self.span(self.place.span_id, names::START, &self.workflow, (self.at, self.at), node);
        span.parent = self.caller;
        span.attributes.extend(self.about.iter().cloned());
        span.links.clone_from(&self.links);
        span
    }

    /// Makes the span of the whole run.
    pub(super) fn whole(&self, at: Timestamp, node: Option<NodeId>) -> Span {
        let mut span = self.span(ids::whole(self.run), names::RUN, &self.workflow, (self.at, at), node);
        span.attributes.extend(self.about.iter().cloned());
        span
    }

    /// Makes a span under the run's first one. It begins no earlier than that, and does not end before it begins.
    pub(super) fn span(
        &self,
        span_id: SpanId,
        name: SpanName,
        of: &str,
        (start, end): (Timestamp, Timestamp),
        node: Option<NodeId>,
    ) -> Span {
        let start = start.max(self.at);
        let mut span = Span {
            trace_id: self.place.trace_id,
            span_id,
            parent: Some(self.place.span_id),
            flags: self.place.flags,
            state: self.place.state.clone(),
            name: name.about(of),
            kind: kind(name),
            start,
            end: end.max(start),
            status: SpanStatus::Unset,
            attributes: Vec::with_capacity(12),
            events: Vec::new(),
            events_dropped: 0,
            links: Vec::new(),
            node,
        };
        for (attribute, value) in &self.shared {
            span.set(*attribute, Arc::clone(value));
        }
        span.set_some(names::NODE_ID, node.map(|node| i64::from(node.0)));
        span
    }
}

fn kind(name: SpanName) -> SpanKind {
    let kinds = [SpanKind::Producer, SpanKind::Consumer];
    kinds.into_iter().find(|kind| kind.as_str() == name.kind).unwrap_or(SpanKind::Internal)
}

fn about(created: &RunCreated) -> Attributes {
    let mut about = Attributes::new();
    let mut set = |attribute: Attribute, value: Value| {
        about.push((Cow::Borrowed(attribute.key), value));
    };
    set(names::TRIGGER, created.trigger.kind().into());
    if let Some(key) = &created.key {
        set(names::RUN_KEY, key.shared().into());
    }
    if let Some(parent) = &created.parent {
        set(names::PARENT_RUN_ID, parent.run.to_string().into());
        set(names::PARENT_TASK_NAME, parent.task.shared().into());
    }
    if let Some(of) = created.trigger.replay_of() {
        set(names::REPLAY_OF, of.to_string().into());
    }
    for (name, value) in &created.metadata {
        about.push((Cow::Owned(format!("{}{name}", names::METADATA.key)), value.as_str().into()));
    }
    about
}

/// Links the runs that it has to do with and whose traces are others.
fn links(created: &RunCreated) -> Vec<Link> {
    let mut links = Vec::new();
    if let Trigger::Replay { of, trace, .. } = &created.trigger {
        links.push(link(ids::run(*of, trace.as_deref()), names::REPLAY_OF, *of));
    }
    // The log of a release without traces: a child has one of its own, as its parent.
    if let (Some(parent), None) = (&created.parent, &created.trace) {
        links.push(link(ids::run(parent.run, None), names::PARENT_RUN_ID, parent.run));
    }
    links
}

/// Makes a link to a run.
pub(super) fn link(to: TraceContext, attribute: Attribute, run: RunId) -> Link {
    Link { to, attributes: vec![(Cow::Borrowed(attribute.key), run.to_string().into())] }
}
