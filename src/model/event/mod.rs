//! Facts in a run's log, past tense, and how they are written down.
//!
//! An event carries what was decided, never how to decide it: a retry's instant, not its policy.

mod run;
mod task;
mod reuse;
mod condition;
mod codec;
mod payloads;

pub use self::codec::{CodecError, Encoded, RunEvent, TaskEvent};
pub use self::condition::{ConditionDecided, ConditionsOpened, TaskSkipped};
pub use self::reuse::{OpReused, ReplayFrom, ReusedOp, TaskResumed, TaskReused};
pub use self::run::*;
pub use self::task::*;

use super::Timestamp;
use super::ids::{NodeId, TaskName};

/// One fact of a run's life.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// About the run as a whole.
    Run(RunEvent),
    /// About one attempt at one task.
    Task(Place, TaskEvent),
}

/// Where in a run a task event happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The task.
    pub task: TaskName,
    /// Which attempt at it, from 1; 0 for what a replay takes over.
    pub attempt: u32,
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its position in the run's log, from 1 without holes.
    pub seq: u32,
    /// When it was committed, on the database's clock.
    pub at: Timestamp,
    /// The node that wrote it; `None` when a client's own transaction did (a start).
    pub node: Option<NodeId>,
    /// The fact.
    pub event: Event,
}

impl From<RunEvent> for Event {
    fn from(event: RunEvent) -> Event {
        Event::Run(event)
    }
}

impl Event {
    /// Returns the kind's name, as in the log's `kind` column.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Run(event) => event.kind(),
            Event::Task(_, event) => event.kind(),
        }
    }

    /// Says whether nothing may follow this event.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Event::Run(
                RunEvent::Succeeded(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_) | RunEvent::TimedOut(_)
            )
        )
    }
}
