//! How many runs may be live: mailboxes are unbounded, so the bound stands in front of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::WorkflowName;

/// The slots of this process: one for each live run, and for the code of some workflows fewer.
pub(crate) struct Admission {
    runs: Arc<Semaphore>,
    code: BTreeMap<WorkflowName, Arc<Semaphore>>,
}

/// A run's place in memory; free again when dropped.
pub(crate) struct Slot {
    _run: OwnedSemaphorePermit,
    code: Code,
}

/// Whether a run's code has a place, too.
enum Code {
    Unlimited,
    Admitted(#[expect(dead_code, reason = "a permit is held, not read")] OwnedSemaphorePermit),
    Refused,
}

impl Admission {
    pub(crate) fn new(runs: usize, of_workflows: &BTreeMap<WorkflowName, usize>) -> Admission {
        let semaphore = |slots: usize| Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS)));
        let code = of_workflows.iter().map(|(name, slots)| (name.clone(), semaphore(*slots)));
        Admission { runs: semaphore(runs), code: code.collect() }
    }

    /// Takes a slot for a run and its code, if both are free.
    pub(crate) fn try_start(&self, workflow: &WorkflowName) -> Option<Slot> {
        self.try_enter(workflow).filter(Slot::may_run)
    }

    /// Takes a slot for a run, if one is free: a message can be taken and a deadline kept where there is no room for the
    /// run's code.
    pub(crate) fn try_enter(&self, workflow: &WorkflowName) -> Option<Slot> {
        let run = Arc::clone(&self.runs).try_acquire_owned().ok()?;
        let code = match self.code.get(workflow) {
            None => Code::Unlimited,
            Some(slots) => Arc::clone(slots).try_acquire_owned().map_or(Code::Refused, Code::Admitted),
        };
        Some(Slot { _run: run, code })
    }

    /// Returns how many slots are free; none once it is closed.
    pub(crate) fn free(&self) -> usize {
        if self.is_closed() { 0 } else { self.runs.available_permits() }
    }

    /// Returns how many slots are free for the code of a workflow.
    pub(crate) fn free_for(&self, workflow: &WorkflowName) -> usize {
        self.code.get(workflow).map_or(usize::MAX, |slots| slots.available_permits())
    }

    /// Lets nobody in any more: the process shuts down.
    pub(crate) fn close(&self) {
        self.runs.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.runs.is_closed()
    }
}

impl Slot {
    /// Says whether there is room for the run's code.
    pub(crate) fn may_run(&self) -> bool {
        !matches!(self.code, Code::Refused)
    }
}
