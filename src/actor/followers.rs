//! Who follows a run as it grows: in this process, and elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::supervisor::Engine;
use crate::model::{Recorded, RunId};
use crate::store::News;

/// The followed runs. A run that nobody follows costs its commits one look at a number.
#[derive(Default)]
pub(crate) struct Followers {
    count: AtomicUsize,
    runs: Mutex<BTreeMap<RunId, Followed>>,
}

/// How often a process that follows a run of another node says so.
pub(crate) const SAY_EVERY: Duration = Duration::from_secs(2);

/// How long that holds: long enough for one saying to be lost.
const ELSEWHERE_FOR: Duration = Duration::from_secs(5);

struct Followed {
    here: watch::Sender<()>,
    /// Until when others are told.
    elsewhere: Option<Instant>,
}

impl Followed {
    fn new() -> Followed {
        Followed { here: watch::Sender::new(()), elsewhere: None }
    }

    fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some_and(|until| Instant::now() < until)
    }
}

impl Followers {
    /// Follows a run: from here on the receiver changes soon after anything of the run was committed, if this process
    /// gets to know of it.
    pub(crate) fn follow(&self, run: RunId) -> watch::Receiver<()> {
        self.change(|runs| runs.entry(run).or_insert_with(Followed::new).here.subscribe())
    }

    /// Notes that another process follows a run that lives here.
    pub(crate) fn elsewhere(&self, run: RunId) {
        let until = Instant::now() + ELSEWHERE_FOR;
        self.change(|runs| runs.entry(run).or_insert_with(Followed::new).elsewhere = Some(until));
    }

    /// Tells those who follow `run` here; says whether others do elsewhere.
    pub(crate) fn tell(&self, run: RunId) -> bool {
        // Whoever follows counts before it reads: what it did not see committed finds it counted.
        if self.count.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let runs = self.lock();
        let Some(followed) = runs.get(&run) else { return false };
        followed.here.send_replace(());
        followed.is_elsewhere()
    }

    /// Forgets the runs that nobody follows any more.
    pub(crate) fn prune(&self) {
        if self.count.load(Ordering::SeqCst) > 0 {
            self.change(|runs| {
                runs.retain(|_, followed| followed.here.receiver_count() > 0 || followed.is_elsewhere());
            });
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<RunId, Followed>) -> T) -> T {
        let mut runs = self.lock();
        let changed = change(&mut runs);
        self.count.store(runs.len(), Ordering::SeqCst);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Followed>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Tells whoever follows `run`, and the exporter of this process, what of it was committed.
    pub(in crate::actor) fn committed(
        &self,
        run: RunId,
        #[cfg_attr(not(feature = "otel"), expect(unused_variables, reason = "only an exporter reads them"))]
        events: &[Recorded],
    ) {
        self.grown(run);
        #[cfg(feature = "otel")]
        self.exporting.folds.committed(run, events);
    }

    /// Tells whoever follows `run` that something of it was committed.
    pub(crate) fn grown(&self, run: RunId) {
        if self.followers.tell(run) {
            self.announce(News::Grown(run));
        }
    }

    /// Tells the owner of a run of another node that it is followed here; says whether this process can hear the answer.
    pub(crate) fn say_followed(&self, run: RunId) -> bool {
        let hears = self.settings.listen && !self.settings.client;
        if hears {
            self.announce(News::Followed(run));
        }
        hears
    }
}
