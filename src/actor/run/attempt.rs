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
use crate::model::{Line, NodeId, OpKey, Report, RunId, TaskName, Timestamp};
use crate::store::Store;
use crate::workflow::context::{AttemptFacts, Cx, Drive, Host, Ledger, Parcel, Sent};
use crate::workflow::{CxError, Definition};

/// An attempt whose code is in memory. Dropping it aborts the code.
pub(crate) struct LiveAttempt {
    pub(super) name: TaskName,
    pub(super) attempt: u32,
    pub(super) ledger: Arc<Ledger>,
    /// It only waits for durable operations, as far as it said.
    pub(super) idle: bool,
    /// It was judged to fit the log, and is not asked for what it does without.
    pub(super) lenient: bool,
    pub(super) code: JoinHandle<()>,
}

impl Drop for LiveAttempt {
    fn drop(&mut self) {
        self.code.abort();
        self.ledger.close();
    }
}

impl Live {
    /// Begins, or takes up again, the code of an attempt that the log says is under way. It is asked for everything that
    /// the attempt recorded, unless the code was judged already.
    pub(super) fn spawn_attempt(&mut self, at: usize, definition: &Arc<Definition>, lenient: bool) {
        let Some(state) = &self.state else { return };
        let (Some(task), Some(code)) = (state.tasks.get(at), definition.code.get(at)) else { return };
        let ledger = Arc::new(Ledger::new(task.attempt(), task.ops.clone(), task.patches.clone()));
        ledger.tell_time(self.told_until);
        if lenient {
            ledger.forgive();
        }
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
        let level = self.engine.settings.log_level;
        let trace = self.engine.settings.place(state.id, state.origin.trace.as_deref());
        let facts = AttemptFacts::of(state, task, trace, Arc::clone(&self.engine.clock), level);
        let inputs = facts.inputs(state, at);
        let (name, attempt) = (task.name.clone(), task.attempt());
        let cx = Cx::new(facts, Arc::clone(&ledger), host);
        let scene = (cx.paper(), cx.remote());
        let run = Arc::clone(&code.run);
        // The closure itself is user code, too: it runs inside the driven future.
        let future = async move { run(cx, inputs).await }.boxed();
        let myself = self.myself.clone();
        let tell = move |told| {
            let _gone = myself.cast(RunMsg::Told { task: at, attempt, told });
        };
        let drive = Drive::new(future, Arc::clone(&ledger), code.location.clone(), scene, tell);
        let live = LiveAttempt { name, attempt, ledger, idle: false, lenient, code: tokio::spawn(drive) };
        self.attempts.insert(at, live);
    }

    pub(super) fn abort_all(&mut self) {
        self.attempts.clear();
        self.judging.clear();
        for timer in self.timer.take().map(|(_, timer)| timer).into_iter().chain(self.rest.take()) {
            timer.abort();
        }
    }
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
