//! Appends and claims as transactions: a fence at their beginning, what they write at their end.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::MemoryStore;
use super::faults::{self, Call, Fate, Transaction};
use super::locks::Share;
use super::simulated::Mutant;
use super::world::World;
use crate::model::{NodeId, Timestamp};
use crate::store::{Answer, Appended, Claimed, Commit, StoreError, Wanted};

impl MemoryStore {
    pub(super) fn transact_append<'a>(
        &'a self,
        node: NodeId,
        lane: u16,
        batch: &'a [Commit],
    ) -> Answer<'a, Appended> {
        let call = Call::by("append", node);
        let transaction = self.transaction(&call);
        if transaction == Transaction::default() {
            return self.call(call, move |world, now| {
                world.fence(node, lane, now)?;
                world.append_mutated(node, batch, now)
            });
        }
        let batch = batch.to_vec();
        let fence = move |world: &mut World, now| world.fence(node, lane, now).map(|()| now);
        self.transact(call, node, transaction, fence, move |world, begun| {
            world.append_mutated(node, &batch, begun)
        })
    }

    pub(super) fn transact_claim<'a>(&'a self, node: NodeId, wanted: &'a Wanted) -> Answer<'a, Claimed> {
        let call = Call::by("claim", node);
        let transaction = self.transaction(&call);
        if transaction == Transaction::default() {
            return self.call(call, move |world, now| {
                let candidates = world.begin_claim(node, wanted, now)?;
                Ok(world.end_claim(node, candidates))
            });
        }
        let wanted = wanted.clone();
        let begin = move |world: &mut World, now| world.begin_claim(node, &wanted, now);
        self.transact(call, node, transaction, begin, move |world, seen| Ok(world.end_claim(node, seen)))
    }

    fn transaction(&self, call: &Call) -> Transaction {
        self.faults.as_ref().map(|faults| faults.on_commit(call)).unwrap_or_default()
    }

    /// Begins a transaction, holds the node's lease while it lasts, and ends it: on the server's side of the connection.
    fn transact<'a, B: Send + 'static, T: Send + 'static>(
        &'a self,
        call: Call,
        node: NodeId,
        Transaction { lasts, outlives_caller }: Transaction,
        begin: impl FnOnce(&mut World, Timestamp) -> Result<B, StoreError> + Send + 'static,
        end: impl FnOnce(&mut World, B) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            faults::stand_still(self.faults.as_deref()).await;
            let fate = self.faults.as_ref().map_or(Fate::Passes, |faults| faults.on_call(&call));
            let (shared, faults) = (Arc::clone(&self.shared), self.faults.clone());
            let on_server = async move {
                faults::suffer(fate).await?;
                let (begun, share) = {
                    let mut world = shared.world();
                    let now = shared.clock.now();
                    match begin(&mut world, now) {
                        Ok(begun) => {
                            let locks = !world.is_mutant(Mutant::NoFenceLock);
                            (begun, locks.then(|| Share::take(&shared, &mut world, node, &call)))
                        }
                        Err(error) => {
                            return Ok(shared.step(faults.as_deref(), &call, &mut world, |_, _| Err(error)));
                        }
                    }
                };
                tokio::time::sleep(lasts).await;
                let ended =
                    shared.step(faults.as_deref(), &call, &mut shared.world(), |world, _| end(world, begun));
                drop(share);
                Ok::<_, StoreError>(ended)
            };
            let mut session = Session { server: tokio::spawn(on_server), outlives_caller };
            let gone = |error| StoreError::Unavailable { source: Box::new(error) };
            let (answer, fate) = (&mut session.server).await.map_err(gone)??;
            faults::suffer(fate).await?;
            faults::stand_still(self.faults.as_deref()).await;
            answer
        })
    }
}

/// A caller's hold on its transaction.
struct Session<T> {
    server: JoinHandle<T>,
    outlives_caller: bool,
}

impl<T> Drop for Session<T> {
    fn drop(&mut self) {
        if !self.outlives_caller {
            self.server.abort();
        }
    }
}
