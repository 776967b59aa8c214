//! An attempt's code as a future of its own, and the actor's hold on it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::ActorRef;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::live::Live;
use super::paper::RunPaper;
use super::{CheckpointWish, RunMsg};
use crate::actor::settings::Witness;
use crate::model::plan::Role;
use crate::model::state::TaskState;
use crate::model::{Line, NodeId, OpKey, Report, RunId, RunState, TaskName, Timestamp};
use crate::store::Store;
use crate::workflow::context::{AttemptFacts, Cx, Drive, Host, Ledger, Parcel, Sent, TaskErrors};
use crate::workflow::{CxError, Definition, Inputs};

/// An attempt whose code is in memory. Dropping it aborts the code.
pub(crate) struct LiveAttempt {
    pub(super) name: TaskName,
    pub(super) attempt: u32,
    pub(super) ledger: Arc<Ledger>,
    /// It only waits for durable operations, as far as it said.
    pub(super) idle: bool,
    code: JoinHandle<()>,
}

impl Drop for LiveAttempt {
    fn drop(&mut self) {
        self.code.abort();
        self.ledger.close();
    }
}

impl Live {
    /// Begins, or takes up again, the code of an attempt that the log says is under way.
    pub(super) fn spawn_attempt(&mut self, at: usize, definition: &Arc<Definition>) {
        let Some(state) = &self.state else { return };
        let (Some(task), Some(code)) = (state.tasks.get(at), definition.code.get(at)) else { return };
        let ledger = Arc::new(Ledger::new(task.attempt(), task.ops.clone(), task.patches.clone()));
        ledger.tell_time(self.told_until);
        let witness = self.engine.settings.witness.clone();
        if let Some(witness) = &witness {
            witness.note(self.node.id, (self.run, task.name.clone(), None));
        }
        let host = Arc::new(RunHost {
            witness: witness.map(|witness| (witness, self.node.id, self.run)),
            store: Arc::clone(&self.engine.store),
            run: self.myself.clone(),
            task: task.name.clone(),
            attempt: task.attempt(),
            paper: self.paper_of(task),
        });
        let facts = self.facts(state, task);
        let inputs = Inputs {
            input: state.origin.input.clone(),
            outputs: outputs_before(state, at),
            errors: facts.errors.clone(),
        };
        let (name, attempt) = (task.name.clone(), task.attempt());
        let cx = Cx::new(facts, Arc::clone(&ledger), host);
        let paper = cx.paper();
        let run = Arc::clone(&code.run);
        // The closure itself is user code, too: it runs inside the driven future.
        let future = async move { run(cx, inputs).await }.boxed();
        let myself = self.myself.clone();
        let tell = move |told| {
            let _gone = myself.cast(RunMsg::Told { task: at, attempt, told });
        };
        let drive = Drive::new(future, Arc::clone(&ledger), code.location.clone(), paper, tell);
        let live = LiveAttempt { name, attempt, ledger, idle: false, code: tokio::spawn(drive) };
        self.attempts.insert(at, live);
    }

    fn facts(&self, state: &RunState, task: &TaskState) -> AttemptFacts {
        let origin = &state.origin;
        let finished = |task: &TaskState| Some((task.name.clone(), task.output.clone()?));
        // On a wide DAG most tasks ask for nothing but their own edges; the maps are small and shared text.
        AttemptFacts {
            run: state.id,
            workflow: origin.workflow.clone(),
            version: origin.version.clone(),
            namespace: origin.namespace.clone(),
            key: origin.key.clone(),
            metadata: origin.metadata.clone(),
            task: task.name.clone(),
            work: task.work.unwrap_or(state.id),
            attempt: task.attempt(),
            depth: origin.parent.as_ref().map_or(0, |parent| parent.depth),
            outputs: state.tasks.iter().filter_map(finished).collect(),
            errors: errors(state),
            clock: Arc::clone(&self.engine.clock),
            log_level: self.engine.settings.log_level,
        }
    }

    pub(super) fn abort_all(&mut self) {
        self.attempts.clear();
        for timer in self.timer.take().map(|(_, timer)| timer).into_iter().chain(self.rest.take()) {
            timer.abort();
        }
    }
}

/// Returns the outputs of the tasks that the task in place `at` waits for.
fn outputs_before(state: &RunState, at: usize) -> Vec<crate::model::Payload> {
    let after = state.plan.as_ref().and_then(|plan| plan.tasks.get(at)).map(|task| task.after.as_slice());
    let output = |place: &u16| state.tasks.get(usize::from(*place))?.output.clone();
    after.unwrap_or_default().iter().filter_map(output).collect()
}

fn errors(state: &RunState) -> TaskErrors {
    use crate::model::TaskStatus::{Failed, TimedOut};
    let failed = state
        .tasks
        .iter()
        .filter(|task| matches!(task.status, Failed | TimedOut) && task.role == Role::Task)
        .filter_map(|task| Some((task.name.clone(), task.last_error()?.clone())));
    TaskErrors(failed.collect())
}

/// What the attempt's operations need from outside.
struct RunHost {
    witness: Option<(Witness, NodeId, RunId)>,
    store: Arc<dyn Store>,
    run: ActorRef<RunMsg>,
    task: TaskName,
    attempt: u32,
    paper: RunPaper,
}

fn refused(message: impl std::fmt::Display) -> CxError {
    CxError::Transaction { step: String::new(), message: message.to_string() }
}

impl Host for RunHost {
    fn runs(&self, op: &OpKey) {
        if let Some((witness, node, run)) = &self.witness {
            witness.note(*node, (*run, self.task.clone(), Some(op.clone())));
        }
    }

    fn begin(&self) -> BoxFuture<'_, Result<sqlx::PgTransaction<'static>, CxError>> {
        async move { self.store.begin().await.map_err(refused) }.boxed()
    }

    fn commit(
        &self,
        transaction: sqlx::PgTransaction<'static>,
        completed: Report,
    ) -> BoxFuture<'_, Result<(), CxError>> {
        async move {
            let (reply, answer) = oneshot::channel();
            let (task, attempt) = (self.task.clone(), self.attempt);
            let wish = CheckpointWish { task, attempt, transaction, completed, reply };
            let gone = || refused("the run went elsewhere");
            self.run.cast(RunMsg::Checkpoint(Box::new(wish))).map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        }
        .boxed()
    }

    fn line(&self, at: Timestamp, step: Option<String>, line: Line) {
        self.paper.line(at, step, line);
    }

    fn send(&self, parcel: Parcel) -> BoxFuture<'_, Result<Sent, CxError>> {
        self.paper.send(parcel)
    }
}
