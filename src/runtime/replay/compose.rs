//! Composing a replay: the new run's origin and what it takes over, and the same of the children below it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{ReplayOptions, ReplayPlan};
use crate::actor::Start;
use crate::inspect::{self, InspectError};
use crate::model::event::{Event, Parent, ReplayFrom, Trigger};
use crate::model::evolve::fold;
use crate::model::limits::{DEPTH_MAX, REPLAYED_CHILDREN_MAX};
use crate::model::plan::Role;
use crate::model::redaction::is_redacted;
use crate::model::replay::{Takeover, take_over};
use crate::model::{
    Payload, PayloadError, Plan, Recorded, RunId, RunState, Status, TaskName, TraceContext, Version,
};
use crate::runtime::control::{Runtime, check_text};
use crate::runtime::create::successor;
use crate::runtime::error::{Error, NotReplayable};
use crate::workflow::Definition;

/// A replay that nothing speaks against, and its children's.
pub(super) struct Composed {
    pub(super) id: RunId,
    pub(super) start: Start,
    pub(super) plan: ReplayPlan,
    children: Vec<Composed>,
}

impl Composed {
    /// Lists what is to be created: the replay itself first.
    pub(super) fn family(self) -> Vec<(RunId, Start)> {
        let mut family = vec![(self.id, self.start)];
        family.extend(self.children.into_iter().flat_map(Composed::family));
        family
    }
}

/// The run that is replayed.
struct Original {
    state: RunState,
    log: Vec<Recorded>,
}

impl Original {
    /// Says whether values of it were hidden where it was exported, if it was.
    fn is_redacted(&self) -> bool {
        self.log.iter().any(|recorded| recorded.event.is_redacted())
    }
}

/// The code that a replay runs on; without a definition, another node has it.
struct Code {
    version: Version,
    definition: Option<Arc<Definition>>,
}

/// How a replay is to be.
struct Wish {
    id: RunId,
    from: ReplayFrom,
    input: Payload,
    by: Option<String>,
    reason: Option<String>,
    parent: Option<Parent>,
    /// A replay begins a trace of its own; those of its child runs belong to it.
    trace: Option<TraceContext>,
}

impl Wish {
    /// Says whether the input is another one.
    fn edits(&self, original: &RunState) -> bool {
        self.input != original.origin.input
    }
}

impl Runtime {
    /// Composes the replay of `run` as the run `id`, or says what speaks against it.
    pub(super) async fn compose_replay(
        &self,
        run: RunId,
        id: RunId,
        options: ReplayOptions,
    ) -> Result<Composed, Error> {
        let ReplayOptions { from, input, force, by, reason, version, .. } = options;
        let from = from?;
        for (field, text) in [("reason", &reason), ("by", &by)] {
            check_text(field, text.as_deref())?;
        }
        let original = self.original(run).await?.ok_or(Error::NotFound { run })?;
        let code = self.code_of_replay(&original.state, version.as_deref())?;
        let why = refusal(&original.state, &from, force, code.plan(&original.state));
        if let Some(why) = why {
            return Err(Error::NotReplayable { run, why });
        }
        // What a service hides is not told by what an input is refused for.
        let hides = self.hides();
        let refused = |source: PayloadError| Error::Payload {
            field: "input",
            source: if hides { source.without_value() } else { source },
        };
        let input = input.transpose().map_err(refused)?;
        let input = input.unwrap_or_else(|| original.state.origin.input.clone());
        code.check(&input).map_err(refused)?;
        let wish = Wish { id, from, input, by, reason, parent: None, trace: None };
        if is_redacted(wish.input.text()) || !wish.edits(&original.state) {
            // Only an import can have brought it, and few runs are one: their logs alone are looked through.
            let row = self.engine.store.row(run).await?;
            if row.is_some_and(|row| row.imported) && original.is_redacted() {
                return Err(Error::NotReplayable { run, why: NotReplayable::Redacted });
            }
        }
        self.compose(original, code, wish).await
    }

    fn compose(&self, original: Original, code: Code, wish: Wish) -> BoxFuture<'_, Result<Composed, Error>> {
        async move {
            let Original { state, log } = original;
            let plan = code.plan(&state);
            let mut children = BTreeMap::new();
            for child in unfinished_children(&state, &log, plan, &wish) {
                children.extend(self.compose_child(&state, child, &wish).await?.map(|made| (child, made)));
            }
            let known = |child: RunId| children.get(&child).map(|made: &Composed| made.id);
            let takeover = take_over((&state, &log), plan, &wish.from, wish.edits(&state), &known);
            let children = children.into_values().collect();
            Ok(composed(state, code, wish, takeover, children))
        }
        .boxed()
    }

    /// Composes the replay of a child run below a replay of its parent, `state`. `None` when it cannot be replayed, and is
    /// started anew if the code asks for it.
    async fn compose_child(
        &self,
        state: &RunState,
        run: RunId,
        above: &Wish,
    ) -> Result<Option<Composed>, Error> {
        let Some(child) = state.children.get(&run) else { return Ok(None) };
        let depth = above.parent.as_ref().map_or(0, |parent| parent.depth) + 1;
        let original = match self.original(run).await {
            Ok(Some(original)) if original.state.status.is_terminal() && depth <= DEPTH_MAX => original,
            Ok(_) | Err(Error::Quarantined { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let code = self.code_of_replay(&original.state, None)?;
        let input = original.state.origin.input.clone();
        if code.check(&input).is_err() {
            return Ok(None);
        }
        let parent = Parent { run: above.id, task: child.task.clone(), op: child.op.clone(), depth };
        let id = successor(above.id, run);
        let trace = self.engine.settings.place(above.id, above.trace.as_ref());
        let wish = Wish {
            id,
            from: ReplayFrom::Failed,
            input,
            by: above.by.clone(),
            reason: above.reason.clone(),
            parent: Some(parent),
            trace: Some(trace),
        };
        self.compose(original, code, wish).await.map(Some)
    }

    async fn original(&self, run: RunId) -> Result<Option<Original>, Error> {
        let log = inspect::log(&*self.engine.store, run).await?;
        let state = fold(run, &log).map_err(InspectError::from)?;
        Ok(state.map(|state| Original { state, log }))
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
}

impl Code {
    /// Returns the shape of the code, as far as it is known here.
    fn plan<'a>(&'a self, state: &'a RunState) -> Option<&'a Plan> {
        self.definition.as_ref().map(|definition| &definition.plan).or(state.plan.as_ref())
    }

    fn check(&self, input: &Payload) -> Result<(), crate::model::PayloadError> {
        self.definition.as_ref().map_or(Ok(()), |definition| (definition.check_input)(input))
    }

    /// Makes the new run of the original's origin. It has no key, for a key is one run's; and no parent but one that is
    /// replayed with it, for any other one has ended.
    fn start(self, state: RunState, wish: Wish, taken_over: Vec<Event>) -> Start {
        let (of_code, of, origin) = (self.definition.as_deref(), state.id, state.origin);
        let start_timeout =
            origin.start_deadline.and_then(|deadline| (deadline - origin.created_at).to_std().ok());
        let Wish { from, input, by, reason, parent, trace, .. } = wish;
        // Without the code the original's place counts.
        let limit = match of_code {
            Some(code) => code.limited(&input, &origin.metadata),
            None => origin.limit.map(|limit| *limit),
        };
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
            trigger: Trigger::Replay { of, by, reason, from: Some(from), trace: origin.trace },
            parent,
            trace,
            limit,
            taken_over,
        }
    }
}

/// Lists the child runs that the replay would have replayed, too.
fn unfinished_children(state: &RunState, log: &[Recorded], plan: Option<&Plan>, wish: &Wish) -> Vec<RunId> {
    let found = RefCell::new(Vec::new());
    let note = |child| {
        found.borrow_mut().push(child);
        None
    };
    take_over((state, log), plan, &wish.from, wish.edits(state), &note);
    let mut found = found.into_inner();
    found.truncate(REPLAYED_CHILDREN_MAX);
    found
}

fn composed(
    state: RunState,
    code: Code,
    wish: Wish,
    takeover: Takeover,
    children: Vec<Composed>,
) -> Composed {
    let Takeover { events, reused, skipped, resumed, rerun, not_reused, .. } = takeover;
    let below =
        children.iter().flat_map(|child| std::iter::once(child.plan.of).chain(child.plan.children.clone()));
    let plan = ReplayPlan {
        of: state.id,
        workflow: state.origin.workflow.clone(),
        version: code.version.clone(),
        from: wish.from.clone(),
        input_edited: wish.edits(&state),
        reused,
        skipped,
        resumed,
        rerun,
        not_reused,
        children: below.collect(),
    };
    Composed { id: wish.id, start: code.start(state, wish, events), plan, children }
}

/// Says why a run cannot be replayed so.
fn refusal(state: &RunState, from: &ReplayFrom, force: bool, plan: Option<&Plan>) -> Option<NotReplayable> {
    match state.status {
        Status::Queued | Status::Running => return Some(NotReplayable::Live { status: state.status }),
        Status::Cancelled if !force => return Some(NotReplayable::Cancelled),
        Status::Succeeded if *from == ReplayFrom::Failed => return Some(NotReplayable::Succeeded),
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {}
    }
    let ReplayFrom::Task(task) = from else { return None };
    let tasks = plan.iter().flat_map(|plan| &plan.tasks).filter(|task| task.role == Role::Task);
    let known: Vec<&TaskName> = tasks.map(|task| &task.name).collect();
    let is_unknown = !known.contains(&task);
    is_unknown.then(|| NotReplayable::UnknownTask {
        task: task.clone(),
        known: known.into_iter().map(TaskName::to_string).collect(),
    })
}
