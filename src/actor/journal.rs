//! Group commit: appends that arrive while a commit is in flight leave together in the next one.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::node::Node;
use super::run::RunMsg;
use crate::model::limits::BATCH_APPENDS_MAX;
use crate::model::{RunId, Timestamp};
use crate::store::{Appended, Commit, Store, StoreError};
use crate::telemetry::{Answered, Metrics};

/// One actor's commit on its way into the log.
pub(crate) struct Submission {
    pub(crate) commit: Commit,
    pub(crate) reply: ActorRef<RunMsg>,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the log.
    Committed {
        /// When: the time of all its events.
        at: Timestamp,
        /// The run stays owned although it asked for its release: a message came.
        kept: bool,
    },
    /// Nothing was written: the new run's key is taken.
    Existing,
    /// Nothing was written: another node may own the run.
    Fenced,
    /// Nothing was written: the database refuses it.
    Refused(StoreError),
    /// Nobody knows: fold the log again.
    Unknown,
}

/// One lane: takes whatever waits, without lingering, and commits it by one statement.
pub(crate) struct Lane {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) node: Arc<Node>,
    pub(crate) lane: u16,
    pub(crate) queue: mpsc::UnboundedReceiver<Submission>,
}

/// The first wait after an unanswered commit; doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

impl Lane {
    /// Runs until the node's last sender is gone.
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(BATCH_APPENDS_MAX);
        while self.queue.recv_many(&mut waiting, BATCH_APPENDS_MAX).await > 0 {
            let (commits, replies): (Vec<_>, Vec<_>) =
                waiting.drain(..).map(|submission| (submission.commit, submission.reply)).unzip();
            self.commit(&commits, &replies).await;
        }
    }

    async fn commit(&self, commits: &[Commit], replies: &[ActorRef<RunMsg>]) {
        match self.append(commits).await {
            Ok(appended) => answer(&appended, commits, replies),
            Err(error) if commits.len() == 1 || matches!(error, StoreError::Fenced) => {
                let mut error = Some(error);
                for reply in replies {
                    let outcome = match error.take() {
                        Some(StoreError::Fenced) | None => Outcome::Fenced,
                        Some(refused) => Outcome::Refused(refused),
                    };
                    tell(reply, outcome);
                }
            }
            // One bad append must not harm the others: each goes alone.
            Err(error) => {
                tracing::warn!(%error, commits = commits.len(), "a group commit was refused: committing one by one");
                for (commit, reply) in commits.iter().zip(replies) {
                    Box::pin(self.commit(std::slice::from_ref(commit), std::slice::from_ref(reply))).await;
                }
            }
        }
    }

    /// Appends, again and again while the answer is unknown: the store recognises its own events.
    async fn append(&self, commits: &[Commit]) -> Result<Appended, StoreError> {
        let mut backoff = BACKOFF_MIN;
        loop {
            if self.node.is_fenced() {
                return Err(StoreError::Fenced);
            }
            let asked = Instant::now();
            let answer = self.store.append(self.node.id, self.lane, commits).await;
            self.metrics.appended(answered(&answer), asked.elapsed(), commits.len());
            match answer {
                Err(StoreError::Unavailable { source }) => {
                    tracing::warn!(error = %source, wait_ms = backoff.as_millis() as u64, "a commit got no answer");
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
                Err(StoreError::Fenced) => {
                    self.node.mark_fenced();
                    return Err(StoreError::Fenced);
                }
                answer => return answer,
            }
        }
    }
}

fn answered(answer: &Result<Appended, StoreError>) -> Answered {
    match answer {
        Ok(_) => Answered::Committed,
        Err(StoreError::Fenced) => Answered::Fenced,
        Err(StoreError::Unavailable { .. }) => Answered::Not,
        Err(_) => Answered::Refused,
    }
}

fn answer(appended: &Appended, commits: &[Commit], replies: &[ActorRef<RunMsg>]) {
    for (commit, reply) in commits.iter().zip(replies) {
        let run = commit.appends.first().map(|append| append.run);
        let among = |runs: &[RunId]| run.is_some_and(|run| runs.contains(&run));
        let outcome = match among(&appended.existing) {
            true => Outcome::Existing,
            false => Outcome::Committed { at: appended.at, kept: among(&appended.kept) },
        };
        tell(reply, outcome);
    }
}

/// An actor that is gone does not mind: whoever claims the run folds the log.
fn tell(reply: &ActorRef<RunMsg>, outcome: Outcome) {
    let _gone = reply.cast(RunMsg::Committed(outcome));
}
