//! The runs that live in this process.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ractor::ActorRef;

use super::run::RunMsg;
use crate::model::RunId;

/// Maps run ids to actors; split so that starts and ends seldom meet at one lock.
pub(crate) struct Live {
    shards: Vec<Mutex<BTreeMap<RunId, ActorRef<RunMsg>>>>,
    expected: Arc<Mutex<BTreeSet<RunId>>>,
}

/// The place of a run whose actor is not here yet: of a child while the commit that creates it has no answer, and of a run
/// that was just claimed. Until this is dropped, nobody else may bring it to life.
pub(crate) struct Expected {
    run: RunId,
    among: Arc<Mutex<BTreeSet<RunId>>>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        lock(&self.among).remove(&self.run);
    }
}

const SHARDS: usize = 16;

impl Live {
    pub(crate) fn new() -> Live {
        Live { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), expected: Arc::default() }
    }

    /// Lets an actor in, unless the run has one already.
    pub(crate) fn enter(&self, run: RunId, actor: ActorRef<RunMsg>) -> bool {
        let enter = |runs: &mut BTreeMap<_, _>| match runs.entry(run) {
            Entry::Vacant(place) => {
                place.insert(actor);
                true
            }
            Entry::Occupied(_) => false,
        };
        self.with(run, enter).unwrap_or_default()
    }

    /// Removes a run, unless another actor took its place.
    pub(crate) fn remove(&self, run: RunId, actor: ractor::ActorId) {
        self.with(run, |runs| {
            if runs.get(&run).is_some_and(|known| known.get_id() == actor) {
                runs.remove(&run);
            }
        });
    }

    /// Keeps a place for a run whose actor will enter.
    pub(crate) fn expect(&self, run: RunId) -> Expected {
        lock(&self.expected).insert(run);
        Expected { run, among: Arc::clone(&self.expected) }
    }

    /// Says whether the run has an actor, or will get one from who keeps its place.
    pub(crate) fn holds(&self, run: RunId) -> bool {
        self.get(run).is_some() || lock(&self.expected).contains(&run)
    }

    pub(crate) fn get(&self, run: RunId) -> Option<ActorRef<RunMsg>> {
        self.with(run, |runs| runs.get(&run).cloned()).flatten()
    }

    pub(crate) fn all(&self) -> Vec<(RunId, ActorRef<RunMsg>)> {
        let entries = |runs: &Mutex<BTreeMap<_, _>>| {
            lock(runs).iter().map(|(run, actor): (&RunId, &ActorRef<RunMsg>)| (*run, actor.clone())).collect()
        };
        self.shards.iter().flat_map(|runs| -> Vec<_> { entries(runs) }).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|runs| lock(runs).len()).sum()
    }

    fn with<T>(
        &self,
        run: RunId,
        act: impl FnOnce(&mut BTreeMap<RunId, ActorRef<RunMsg>>) -> T,
    ) -> Option<T> {
        let shard = usize::try_from(run.shard() % SHARDS as u64).unwrap_or_default();
        self.shards.get(shard).map(|runs| act(&mut lock(runs)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
