//! What a task's code waited for, as a person reads it.

use crate::model::state::{Op, OpState};
use crate::model::{Key, OpKey, RunId, SignalName, Timestamp};

/// A sleep, a wait for a signal or a child run of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitView {
    /// Its name and occurrence.
    pub op: OpKey,
    /// The attempt at its task that wrote it last.
    pub attempt: u32,
    /// For what.
    pub what: Awaited,
    /// Whether it is over: what it waited for came, or its time was up.
    pub over: bool,
}

/// What code waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A time.
    Time {
        /// Which.
        until: Timestamp,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: SignalName,
        /// Of which key; `None` = for one that is sent to this run.
        key: Option<Key>,
        /// Until when.
        deadline: Option<Timestamp>,
    },
    /// The end of a child run.
    Child {
        /// Which.
        run: RunId,
    },
}

impl WaitView {
    pub(super) fn new((op, recorded): (&OpKey, &Op)) -> Option<WaitView> {
        let (what, over) = match &recorded.state {
            OpState::Timer { fire_at, fired } => (Awaited::Time { until: *fire_at }, *fired),
            OpState::Signal { signal, key, deadline, outcome } => (
                Awaited::Signal { name: signal.clone(), key: key.clone(), deadline: *deadline },
                outcome.is_some(),
            ),
            OpState::Child { run, outcome, .. } => (Awaited::Child { run: *run }, outcome.is_some()),
            OpState::StepStarted { .. }
            | OpState::StepCompleted { .. }
            | OpState::StepFailed { .. }
            | OpState::Race { .. }
            | OpState::Time { .. }
            | OpState::Abandoned => return None,
        };
        // What a replay took over took no time of this run.
        (!recorded.reused).then(|| WaitView { op: op.clone(), attempt: recorded.attempt, what, over })
    }
}
