//! Who waits in this process for a run's end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::model::state::End;
use crate::model::{Payload, RunId, Status};

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub(crate) status: Status,
    pub(crate) output: Option<Payload>,
    pub(crate) end: Option<End>,
}

/// The waiting ones, by run.
#[derive(Default)]
pub(crate) struct Watchers {
    waiting: Mutex<BTreeMap<RunId, Vec<oneshot::Sender<Finish>>>>,
}

impl Watchers {
    /// Waits for the end of a run that lives here, or will.
    pub(crate) fn watch(&self, run: RunId) -> oneshot::Receiver<Finish> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_run = waiting.entry(run).or_default();
        of_run.retain(|sender| !sender.is_closed());
        of_run.push(sender);
        receiver
    }

    /// Tells everyone who waits for `run`.
    pub(crate) fn finished(&self, run: RunId, finish: impl FnOnce() -> Finish) {
        let senders = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        let Some(senders) = senders else { return };
        let finish = finish();
        for sender in senders {
            let _gone = sender.send(finish.clone());
        }
    }

    /// Forgets those who stopped waiting.
    pub(crate) fn prune(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
    }
}
