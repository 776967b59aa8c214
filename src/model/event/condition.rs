//! Events about the conditions of a task, before its first attempt: of attempt 0.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::condition::SkipReason;

/// The tasks before it came to rest: from now on the task's conditions are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionsOpened {
    /// When time alone meets which of their terms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub due: Vec<(u16, Timestamp)>,
}

/// A term of the task's conditions has its verdict: its time came, or the code judged an output or a signal. A signal that
/// is not the right one is passed over, and the term waits for the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionDecided {
    /// Which term.
    pub term: u16,
    /// Whether it is met.
    pub met: bool,
}

/// The task was left out; its code does not run. In a replay that takes this over, it stands before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSkipped {
    /// Why.
    pub because: SkipReason,
}
