//! How many runs of one key may run at once and start in how long, and how long it must be quiet before.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Timestamp;
use super::ids::RunId;
use super::limits::KEY_BYTES_MAX;
use super::payload::Payload;

/// A workflow's limit of concurrency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Its name, for people.
    pub name: String,
    /// How many runs of one key, in one namespace, may run at once, on all nodes together.
    pub slots: u32,
    /// How many of one key may start in how long.
    pub rate: Option<Rate>,
    /// How long a key must be quiet before its newest run starts.
    pub debounce: Option<Debounce>,
    /// Who goes next.
    pub policy: Policy,
    /// What the key is.
    pub by: LimitBy,
}

/// How many runs may start in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// So many are let in at most, in any window.
    pub starts: u32,
    /// How long a window is, in whole milliseconds.
    pub window: Duration,
}

/// How long a key must be quiet: of the runs that come until then, the newest starts, and the others are cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debounce {
    /// For so long no newer run of the key came; in whole milliseconds.
    pub quiet: Duration,
    /// Or so long ago the first came that was not let in; `None` = however long it takes.
    pub max_wait: Option<Duration>,
}

impl Debounce {
    /// Says when a run may start as long as no newer one comes: `burst` is when the first of those came for which it stands.
    pub(crate) fn opens_at(&self, came: Timestamp, burst: Timestamp) -> Timestamp {
        let quiet = came + self.quiet;
        self.max_wait.map_or(quiet, |max_wait| quiet.min(burst + max_wait))
    }
}

/// Whose turn it is when a slot gets free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The runs of all keys stand in the order of the queue.
    Queue,
    /// The keys take turns: a key's next run stands where its last one stood that was served, behind those that were served
    /// before.
    RoundRobin,
    /// As [`Queue`](Policy::Queue); a run that finds no free slot has the run of its key cancelled that was created first,
    /// and is let in when that has ended.
    CancelOldest,
    /// As [`Queue`](Policy::Queue); a run that finds no free slot is cancelled.
    CancelNewest,
}

impl Policy {
    const ALL: [Policy; 4] = [Policy::Queue, Policy::RoundRobin, Policy::CancelOldest, Policy::CancelNewest];

    /// Finds a policy by its word.
    pub fn named(word: &str) -> Option<Policy> {
        Policy::ALL.into_iter().find(|policy| policy.as_str() == word)
    }

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Queue => "queue",
            Policy::RoundRobin => "round_robin",
            Policy::CancelOldest => "cancel_oldest",
            Policy::CancelNewest => "cancel_newest",
        }
    }
}

/// Where a limit's key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitBy {
    /// All runs of the workflow have one key.
    Workflow,
    /// The value at this JSON pointer (RFC 6901) in the input: a text, number or boolean.
    Input(String),
    /// The metadata of this name.
    Metadata(String),
    /// The workflow's code: only who has it can start runs.
    Code,
}

/// A run's place under its workflow's limit, as its log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limited {
    /// The limit's name.
    pub name: String,
    /// What the run counts for; empty without one.
    pub key: String,
    /// Why it has no key, if it has none: the run fails instead of starting.
    pub problem: Option<String>,
}

impl Limited {
    /// Makes the place of a run, with its key or why it has none.
    pub fn new(name: &str, key: Result<String, String>) -> Limited {
        let key = key.and_then(|key| match key {
            key if key.len() > KEY_BYTES_MAX => {
                Err(format!("it has {} bytes, the limit is {KEY_BYTES_MAX}", key.len()))
            }
            key if key.contains('\0') => Err("it holds a NUL character".to_owned()),
            key => Ok(key),
        });
        let (key, problem) = match key {
            Ok(key) => (key, None),
            Err(problem) => (String::new(), Some(problem)),
        };
        Limited { name: name.to_owned(), key, problem }
    }
}

/// Names for people a limit, and the key that it counts if there is one.
pub(super) fn named(limit: &str, key: &str) -> String {
    if key.is_empty() { format!("limit `{limit}`") } else { format!("limit `{limit}` of key `{key}`") }
}

impl Limit {
    /// Says for people why a run of a key is cancelled under the limit, which has slots left or not.
    pub(crate) fn cancels(&self, key: &str, has_slots: bool) -> String {
        let limit = named(&self.name, key);
        if let Some(Rate { starts, window }) = self.rate.filter(|_| has_slots) {
            let seconds = window.as_secs_f64();
            return format!("{limit} lets {starts} start in {seconds} s, as many as did");
        }
        let why = match self.policy {
            Policy::CancelOldest => "and a newer run needs one",
            Policy::Queue | Policy::RoundRobin | Policy::CancelNewest => "all of which are taken",
        };
        format!("{limit} has {} slots, {why}", self.slots)
    }

    /// Says for people why a run of a key is cancelled for a newer one, whose turn is yet to come.
    pub(crate) fn debounces(&self, key: &str, newest: RunId) -> String {
        format!("{} is debounced, and run {newest} came after it", named(&self.name, key))
    }

    /// Finds the key of a run; `None` where only the workflow's code can.
    pub fn of_run(&self, input: &Payload, metadata: &BTreeMap<String, String>) -> Option<Limited> {
        let key = match &self.by {
            LimitBy::Workflow => Ok(String::new()),
            LimitBy::Input(pointer) => at(input, pointer),
            LimitBy::Metadata(name) => {
                metadata.get(name).cloned().ok_or_else(|| format!("the run has no metadata {name:?}"))
            }
            LimitBy::Code => return None,
        };
        Some(Limited::new(&self.name, key))
    }
}

fn at(input: &Payload, pointer: &str) -> Result<String, String> {
    let value: Value = input.read().map_err(|error| error.to_string())?;
    let what = match value.pointer(pointer) {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Number(number)) => return Ok(number.to_string()),
        Some(Value::Bool(so)) => return Ok(so.to_string()),
        Some(Value::Null) => "null",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
        None => "nothing",
    };
    Err(format!("the input has {what} at {pointer:?}: it must be a text, a number or a boolean"))
}
