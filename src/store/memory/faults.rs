//! What may go wrong between a process and its world.

use std::time::Duration;

use tokio::sync::watch;

use crate::model::NodeId;
use crate::store::StoreError;

/// Decides what becomes of the calls of one connection. It must not call the store.
pub trait Faults: Send + Sync + 'static {
    /// Decides, before a call is carried out, whether and when it arrives. Default: it does, at once.
    fn on_call(&self, _call: &Call) -> Fate {
        Fate::Passes
    }

    /// Decides, after a call that appended `events` events, whether and when its answer arrives. Default: it does,
    /// at once.
    fn on_answer(&self, _call: &Call, _events: u64) -> Fate {
        Fate::Passes
    }

    /// Decides how long the transaction of an append or a claim takes. Default: it is one step.
    fn on_commit(&self, _call: &Call) -> Transaction {
        Transaction::default()
    }

    /// Says how much longer the process stands still: nothing leaves it, nothing arrives. Default: it does not.
    fn standstill(&self) -> Duration {
        Duration::ZERO
    }

    /// Hears what the world answers to a call, before the answer is on its way.
    fn on_end(&self, _call: &Call, _error: Option<&StoreError>) {}
}

/// A transaction that takes time between its fence and its end, as one of a database does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// How long after its fence it becomes visible.
    pub lasts: Duration,
    /// Whether it goes on when its caller is gone; else it is rolled back then.
    pub outlives_caller: bool,
}

/// One call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method's name.
    pub method: &'static str,
    /// The node that calls, where the method says so.
    pub node: Option<NodeId>,
}

impl Call {
    pub(super) fn of(method: &'static str) -> Call {
        Call { method, node: None }
    }

    pub(super) fn by(method: &'static str, node: NodeId) -> Call {
        Call { method, node: Some(node) }
    }
}

/// What becomes of a call or of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives at once.
    Passes,
    /// It arrives this much later, on tokio's clock.
    Delayed(Duration),
    /// It never arrives: the caller gets [`StoreError::Unavailable`]. A call that is lost was not carried out, one
    /// whose answer is lost was.
    Lost,
}

/// Waits until the process goes on.
pub(super) async fn stand_still(faults: Option<&dyn Faults>) {
    while let Some(rest) = faults.map(Faults::standstill).filter(|rest| !rest.is_zero()) {
        tokio::time::sleep(rest).await;
    }
}

pub(super) async fn suffer(fate: Fate) -> Result<(), StoreError> {
    match fate {
        Fate::Passes => Ok(()),
        Fate::Delayed(delay) => {
            tokio::time::sleep(delay).await;
            Ok(())
        }
        Fate::Lost => {
            Err(StoreError::Unavailable { source: "the connection is lost (a fault was asked for)".into() })
        }
    }
}

/// Cuts a connection at an event, as a process that dies there would: the append with the n-th event commits, its
/// answer is lost, and so is every later call.
#[derive(Debug)]
pub struct CrashAfter {
    events_left: watch::Sender<u64>,
}

impl CrashAfter {
    /// Cuts the connection when `events` more events are committed through it; with 0 it is cut already.
    pub fn new(events: u64) -> CrashAfter {
        CrashAfter { events_left: watch::Sender::new(events) }
    }

    /// Says whether the connection is cut.
    pub fn has_crashed(&self) -> bool {
        *self.events_left.borrow() == 0
    }

    /// Waits until the connection is cut.
    pub async fn crashed(&self) {
        // Fails only without a sender, which `self` is.
        let _ = self.events_left.subscribe().wait_for(|left| *left == 0).await;
    }
}

impl Faults for CrashAfter {
    fn on_call(&self, _call: &Call) -> Fate {
        if self.has_crashed() { Fate::Lost } else { Fate::Passes }
    }

    fn on_answer(&self, _call: &Call, events: u64) -> Fate {
        self.events_left.send_if_modified(|left| {
            let before = *left;
            *left = left.saturating_sub(events);
            *left != before
        });
        if self.has_crashed() { Fate::Lost } else { Fate::Passes }
    }
}
