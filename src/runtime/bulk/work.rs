//! Going through the runs of a bulk action.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Action, Bulk, BulkAnswer, BulkDone, BulkIntent};
use crate::model::RunId;
use crate::model::limits::BULK_PATIENCE;
use crate::runtime::create::successor;
use crate::runtime::{Error, Runtime};
use crate::store::StoreError;

/// The first pause before a run whose action got no answer is tried again; doubles.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Does the action to each run, and answers; until nobody listens.
pub(super) async fn work(bulk: Bulk, answers: mpsc::Sender<BulkAnswer>) {
    let (begun, gap, at_once) = (Instant::now(), bulk.gap(), bulk.at_once);
    let bulk = Arc::new(bulk);
    let runs = bulk.runs.clone();
    let paced = stream::iter((0_u32..).zip(runs)).then(move |(place, run)| async move {
        if !gap.is_zero() {
            tokio::time::sleep_until(begun + gap * place).await;
        }
        run
    });
    let act = move |run| {
        let bulk = Arc::clone(&bulk);
        async move { BulkAnswer { run, outcome: patiently(&bulk, run).await } }
    };
    let mut answered = std::pin::pin!(paced.map(act).buffer_unordered(at_once));
    while let Some(answer) = answered.next().await {
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

/// Says what the action would do to a run.
pub(super) async fn intent(runtime: &Runtime, action: &Action, run: RunId) -> Result<BulkIntent, Error> {
    match action {
        Action::Replay(options) => runtime.plan_replay(run, options.clone()).await.map(BulkIntent::Replay),
        Action::Cancel(_) => {
            let row = runtime.engine.store.row(run).await?.ok_or(Error::NotFound { run })?;
            match row.status {
                status if status.is_terminal() && status != crate::model::Status::Cancelled => {
                    Err(Error::Finished { run, status, attempted: "cancelled" })
                }
                status => Ok(BulkIntent::Cancel { status }),
            }
        }
    }
}

/// Does the action to a run, again while the database does not answer: each way to do it may be repeated.
async fn patiently(bulk: &Bulk, run: RunId) -> Result<BulkDone, Error> {
    let (begun, mut pause) = (Instant::now(), PAUSE_MIN);
    loop {
        match once(bulk, run).await {
            Err(Error::Store(StoreError::Unavailable { .. })) if begun.elapsed() < BULK_PATIENCE => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            answer => return answer,
        }
    }
}

async fn once(bulk: &Bulk, run: RunId) -> Result<BulkDone, Error> {
    match &bulk.action {
        Action::Cancel(options) => bulk.runtime.cancel(run, options.clone()).await.map(BulkDone::Cancelled),
        Action::Replay(options) => {
            let options = options.clone().id(successor(bulk.id.0, run));
            let replayed = bulk.runtime.replay(run, options).await?;
            Ok(BulkDone::Replayed { run: replayed.run.id(), created: replayed.created })
        }
    }
}
