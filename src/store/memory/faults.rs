//! What may go wrong between a process and its world.

use std::time::Duration;

use tokio::sync::watch;

use crate::model::NodeId;
use crate::store::StoreError;

/// Decides what becomes of the calls of one connection. It must not call the store.
pub trait Faults: Send + Sync + 'static {
    /// Decides, before a call is carried out, whether and when it arrives.
    fn on_call(&self, call: &Call) -> Fate;

    /// Decides, after a call that appended `events` events, whether and when its answer arrives.
    fn on_answer(&self, call: &Call, events: u64) -> Fate;
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
