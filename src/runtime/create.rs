//! Bringing a run into being, here or in the queue.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::error::Error;
use crate::actor::{Begin, Beginning, Born, Creation, Engine, Finish, Start};
use crate::model::RunId;
use crate::store::StoreError;

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
        return queue(engine, run, start).await;
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

/// Creates a run in the queue, for whichever node takes it. May be repeated with the same id.
pub(super) async fn queue(engine: &Arc<Engine>, run: RunId, start: &Start) -> Result<Birth, Error> {
    if engine.admission.is_closed() {
        return Err(Error::NotRunning);
    }
    let append = Born::queued(run, start, engine.clock.now())?.append;
    let created = engine.store.create(std::slice::from_ref(&append)).await?;
    engine.queued();
    Ok(match created.first() {
        Some(created) if !created.created => Birth::KeyTaken(Some(created.run)),
        _ => Birth::Queued,
    })
}

/// A node that is fenced in the middle of a start cannot say whether it was committed.
fn lost_lease(error: StoreError) -> Error {
    match error {
        StoreError::Fenced => Error::NotRunning,
        error => Error::Store(error),
    }
}
