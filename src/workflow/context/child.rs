//! A child run.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cx::Cx;
use super::rehearsal::Ask;
use super::step::hash;
use crate::model::event::{ChildOutcome, ChildStarted};
use crate::model::limit::Limited;
use crate::model::limits::{CHILDREN_MAX, DEPTH_MAX};
use crate::model::state::OpState;
use crate::model::{OpKey, Payload, Report, RunId, Status};
use crate::workflow::{CxError, Definition, Workflow};

/// A child run under construction, and the future of its output.
///
/// Dropping it before it is ready leaves the child running; its end is recorded all the same.
///
/// # Errors
/// Awaiting gives [`CxError::Child`] when the child ended without success, [`CxError::Cancelled`] when this run is being
/// cancelled, [`CxError::Limit`] when there are too many children or levels.
#[must_use = "a child run starts when this is awaited"]
pub struct Child<O> {
    cx: Cx,
    op: OpKey,
    location: &'static Location<'static>,
    start: Result<Start, CxError>,
    requested: bool,
    output: PhantomData<fn() -> O>,
}

/// What a child run is started with.
#[derive(Clone)]
struct Start {
    definition: Arc<Definition>,
    input: Payload,
    input_hash: String,
    metadata: BTreeMap<String, String>,
}

/// What is needed to create a child run, beside the parent's event.
pub(crate) struct Birth {
    pub(crate) run: RunId,
    pub(crate) op: OpKey,
    pub(crate) definition: Arc<Definition>,
    pub(crate) input: Payload,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) limit: Option<Limited>,
}

impl<O> Child<O> {
    #[track_caller]
    pub(super) fn new<I: Serialize>(cx: &Cx, workflow: &Workflow<I, O>, input: &I) -> Child<O> {
        let mut start = Start::new(workflow, input);
        let name = start.as_ref().map_or("child", |start| start.definition.name.as_str());
        let (op, broken) = cx.claim(name);
        if let Some(source) = broken {
            start = Err(CxError::Name { source });
        }
        let location = Location::caller();
        Child { cx: cx.clone(), op, location, start, requested: false, output: PhantomData }
    }

    /// Adds a tag to the child's metadata.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Ok(start) = &mut self.start {
            start.metadata.insert(name.into(), value.into());
        }
        self
    }

    /// Says what to start, unless the child cannot be one.
    fn admitted(&self) -> Result<Start, CxError> {
        let start = self.start.clone()?;
        let depth = self.cx.depth() + 1;
        if depth > DEPTH_MAX {
            let what = format!("child {} would be run number {depth} below its root", self.op);
            return Err(CxError::Limit { what, limit: u64::from(DEPTH_MAX) });
        }
        let children = self.cx.ledger.children();
        if children >= CHILDREN_MAX {
            let what = format!("task {} has {children} child runs", self.cx.task());
            return Err(CxError::Limit { what, limit: CHILDREN_MAX as u64 });
        }
        Ok(start)
    }

    fn request(&mut self, start: Start) {
        let run = self.cx.clock().new_run_id();
        let child = ChildStarted {
            op: self.op.clone(),
            run,
            workflow: start.definition.name.clone(),
            version: start.definition.version.clone(),
            input_hash: start.input_hash,
        };
        let Start { definition, input, metadata, .. } = start;
        let limit = definition.limited(&input, &metadata);
        let birth = Birth { run, op: self.op.clone(), definition, input, metadata, limit };
        self.cx.ledger.report_birth(Report::StartChild { child }, birth);
        self.requested = true;
    }

    fn ask(&self) -> Ask<'_> {
        let input = self.start.as_ref().ok().map(|start| start.input_hash.as_str());
        Ask { op: &self.op, kind: "child", input, location: self.location }
    }

    fn read(&self, run: RunId, outcome: &ChildOutcome) -> Result<O, CxError>
    where
        O: DeserializeOwned,
    {
        match (outcome.status, &outcome.output) {
            (Status::Succeeded, Some(output)) => output
                .read()
                .map_err(|source| CxError::Payload { what: format!("output of child {run}"), source }),
            (status, _) => Err(CxError::Child { run, status, error: outcome.error.clone() }),
        }
    }

    fn fits(&self, recorded: &str) -> bool {
        self.start.as_ref().is_ok_and(|start| start.input_hash == recorded)
    }
}

impl Start {
    fn new<I: Serialize, O>(workflow: &Workflow<I, O>, input: &I) -> Result<Start, CxError> {
        let definition = Arc::clone(workflow.definition().map_err(|source| CxError::Build { source })?);
        let input = Payload::of(input).map_err(|source| CxError::Payload {
            what: format!("input of child {}", definition.name),
            source,
        })?;
        let input_hash = hash(&input);
        Ok(Start { definition, input, input_hash, metadata: BTreeMap::new() })
    }
}

impl<O> Unpin for Child<O> {}

impl<O: DeserializeOwned> Future for Child<O> {
    type Output = Result<O, CxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let ledger = Arc::clone(&this.cx.ledger);
        if let Err(over) = ledger.check_open(&this.op) {
            return Poll::Ready(Err(over));
        }
        ledger.note(&this.ask());
        match ledger.recorded(&this.op, |recorded| Some(recorded.clone())) {
            Some(OpState::Child { input_hash, .. }) if !this.fits(&input_hash) => {
                ledger.diverge(&this.op, "child with another input", "child");
            }
            Some(OpState::Child { run, outcome: Some(outcome), .. }) => {
                return Poll::Ready(this.read(run, &outcome));
            }
            Some(OpState::Child { outcome: None, .. }) => this.requested = true,
            Some(other) => ledger.diverge(&this.op, "child", other.kind()),
            None => {}
        }
        if let Some(cancelled) = ledger.cancelled() {
            return Poll::Ready(Err(CxError::Cancelled { reason: cancelled.reason, by: cancelled.by }));
        }
        if !this.requested {
            let start = this.admitted()?;
            std::task::ready!(ledger.poll_new(&this.ask(), context));
            this.request(start);
        }
        ledger.register(context.waker());
        Poll::Pending
    }
}
