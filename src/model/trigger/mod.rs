//! What starts runs from outside: trigger events, who subscribed to them, and which of them each wants.

mod filter;
mod scan;
mod reach;

pub use self::filter::{EventFacts, EventFilter, EventFilterError};

use serde::{Deserialize, Serialize};

use super::ids::RunId;

/// What became of a trigger event at one subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The subscription's name.
    pub subscription: String,
    /// Its workflow.
    pub workflow: String,
    /// The run that it started.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Why it started none.
    #[serde(default)]
    pub refused: Option<String>,
}
