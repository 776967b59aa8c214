//! Bringing a run into being, here or in the queue.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::error::Error;
use crate::actor::{Begin, Beginning, Born, Creation, Engine, Finish, Start};
use crate::model::RunId;
use crate::store::{Append, Created, StoreError};

/// What became of a run to be created.
pub(super) enum Birth {
    /// It runs here; the receiver is told of its end.
    Here(oneshot::Receiver<Finish>),
    /// It waits in the queue.
    Queued,
    /// Another run has its key; which one, if that is known already.
    KeyTaken(Option<RunId>),
}

/// Creates a run, committed on return: started by this node in the same commit if it has the code and room, else in the
/// queue.
pub(super) async fn create(engine: &Arc<Engine>, run: RunId, start: &Start) -> Result<Birth, Error> {
    if engine.admission.is_closed() {
        return Err(Error::NotRunning);
    }
    let mut born = Born::here(engine, run, start)?;
    let Some((started, node)) = born.started.take().zip(engine.node()) else {
        // Nobody here can run it now.
        return queue(engine, &[(run, start.clone())]).await;
    };
    let watch = engine.watchers.watch(run);
    let (reply, answer) = oneshot::channel();
    let begin = Begin::Create { born: Box::new(born), reply };
    let (slot, definition) = (started.slot, Some(started.definition));
    engine.spawn(&node, Beginning { run, begin, slot, definition });
    let answer = answer.await.unwrap_or(Err(StoreError::Fenced));
    match answer.map_err(lost_lease)? {
        Creation::Created => Ok(Birth::Here(watch)),
        Creation::Existing => Ok(Birth::KeyTaken(None)),
    }
}

/// Creates runs in the queue, for whichever nodes take them, all or none. May be repeated with the same ids.
pub(super) async fn queue(engine: &Arc<Engine>, runs: &[(RunId, Start)]) -> Result<Birth, Error> {
    if engine.admission.is_closed() {
        return Err(Error::NotRunning);
    }
    let now = engine.clock.now();
    let append = |(run, start): &(RunId, Start)| Ok(Born::queued(*run, start, now)?.append);
    let appends = runs.iter().map(append).collect::<Result<Vec<_>, StoreError>>()?;
    let created = create_queued(engine, &appends).await?;
    Ok(match created.first() {
        Some(created) if !created.created => Birth::KeyTaken(Some(created.run)),
        _ => Birth::Queued,
    })
}

/// Commits runs that wait in the queue, and counts those that are new.
pub(super) async fn create_queued(
    engine: &Arc<Engine>,
    appends: &[Append],
) -> Result<Vec<Created>, StoreError> {
    let created = engine.store.create(appends).await?;
    let new = appends.iter().zip(&created).filter(|(_, created)| created.created);
    engine.enqueued(new.map(|(append, _)| append));
    Ok(created)
}

/// Makes the id of the run that replays `of` for `seed`, a bulk action or a parent's replay: the same whenever that is
/// repeated. It is created, as far as its id tells, when `seed` was.
pub(super) fn successor(seed: RunId, of: RunId) -> RunId {
    let mut hash = Sha256::new();
    hash.update(seed.uuid().as_bytes());
    hash.update(of.uuid().as_bytes());
    let entropy = hash.finalize().iter().take(8).fold(0, |bits, byte| (bits << 8) | u64::from(*byte));
    RunId::from_tick(seed.tick(), entropy)
}

/// A node that is fenced in the middle of a start cannot say whether it was committed.
fn lost_lease(error: StoreError) -> Error {
    match error {
        StoreError::Fenced => Error::NotRunning,
        error => Error::Store(error),
    }
}
