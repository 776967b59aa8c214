//! `cx.transaction`: the append goes out inside the code's own transaction instead of the journal.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::draft::{Draft, Pending};
use super::live::{Live, UnderWay};
use super::{CheckpointWish, RunMsg};
use crate::actor::journal::Outcome;
use crate::model::{Command, NodeId};
use crate::store::{Append, Store, StoreError};
use crate::workflow::CxError;

impl Live {
    /// Decides the step's event and lets it commit with the transaction; meanwhile nothing else is appended.
    pub(super) fn begin_checkpoint(&mut self) {
        let Some(Pending::Checkpoint(wish)) = self.pending.pop_front() else { return };
        let CheckpointWish { task, attempt, transaction, completed, reply } = *wish;
        let Some(state) = &self.state else { return };
        let mut draft = Draft::new(self.claimed);
        let command = Command::Advance { task: task.clone(), attempt, reports: vec![completed] };
        draft.add(state, Pending::command(command), true, self.now());
        if draft.events.is_empty() {
            return refuse(reply, format!("attempt {attempt} of task {task} is over"));
        }
        let append = match self.commit_of(&mut draft) {
            Ok(mut commit) => commit.appends.pop(),
            Err(error) => return refuse(reply, error.to_string()),
        };
        let Some(append) = append else { return };
        let (node, lane, myself) = (self.node.id, self.node.lane_of(self.run), self.myself.clone());
        let store = Arc::clone(&self.engine.store);
        tokio::spawn(async move {
            let outcome = commit(&*store, transaction, node, lane, append).await;
            let _gone = myself.cast(RunMsg::Committed(outcome));
        });
        self.under_way = Some(UnderWay::Checkpoint(draft, reply));
    }
}

async fn commit(
    store: &dyn Store,
    mut transaction: sqlx::PgTransaction<'static>,
    node: NodeId,
    lane: u16,
    mut append: Append,
) -> Outcome {
    // A transaction of the code writes nothing but events; that the run got further is noted with its next commit.
    append.row = None;
    let at = match store.checkpoint(&mut transaction, node, lane, &append).await {
        Ok(at) => at,
        Err(StoreError::Fenced) => return Outcome::Fenced,
        // Nothing was committed, and the transaction is rolled back when it is dropped.
        Err(error) => return Outcome::Refused(error),
    };
    match transaction.commit().await {
        Ok(()) => Outcome::Committed { at, kept: false },
        Err(sqlx::Error::Database(error)) => {
            Outcome::Refused(StoreError::Refused { message: error.to_string() })
        }
        Err(error) => {
            tracing::warn!(%error, run = %append.run, "a transaction's commit got no answer");
            Outcome::Unknown
        }
    }
}

fn refuse(reply: oneshot::Sender<Result<(), CxError>>, message: String) {
    let _gone = reply.send(Err(CxError::Transaction { step: String::new(), message }));
}
