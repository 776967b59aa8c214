//! What starts runs from outside: trigger events, who subscribed to them, and which of them each wants.

mod filter;
mod scan;

pub use self::filter::{EventFilter, EventFilterError};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::RunId;
use super::payload::Payload;

/// A message from outside, as filters see it.
#[derive(Clone, Copy, Debug)]
pub struct EventFacts<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its key.
    pub key: &'a str,
    /// What it carries.
    pub payload: &'a Payload,
    /// Its tags.
    pub metadata: &'a BTreeMap<String, String>,
}

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
