//! How many runs may be live: mailboxes are unbounded, so the bound stands in front of them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of this process.
pub(crate) struct Admission {
    slots: Arc<Semaphore>,
}

/// A run's place in memory; free again when dropped.
pub(crate) type Slot = OwnedSemaphorePermit;

impl Admission {
    pub(crate) fn new(slots: usize) -> Admission {
        Admission { slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))) }
    }

    /// Takes a slot, if one is free.
    pub(crate) fn try_enter(&self) -> Option<Slot> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// Returns how many slots are free; none once it is closed.
    pub(crate) fn free(&self) -> usize {
        if self.is_closed() { 0 } else { self.slots.available_permits() }
    }

    /// Lets nobody in any more: the process shuts down.
    pub(crate) fn close(&self) {
        self.slots.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.slots.is_closed()
    }
}
