//! Identifiers and names: a newtype each, checked when made.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::Timestamp;
use super::limits::{BRANCH_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX};

/// Identifies one run: a UUIDv7 whose first 60 bits are its creation time in 1/4096 ms, so that
/// the order of ids is the order of [`created_at`](RunId::created_at).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Builds the id of a run created at `tick` (1/4096 ms since 1970), with 62 bits of `entropy`.
    ///
    /// The layout is RFC 9562, section 6.2, method 3: milliseconds, then the fraction in `rand_a`.
    pub fn from_tick(tick: u64, entropy: u64) -> RunId {
        let [m0, m1, m2, m3, m4, m5, ..] = (tick << 4).to_be_bytes();
        let [.., e0, e1] = ((tick & 0xfff) as u16 | 0x7000).to_be_bytes();
        let [r0, r1, r2, r3, r4, r5, r6, r7] = ((entropy >> 2) | (1 << 63)).to_be_bytes();
        RunId(Uuid::from_bytes([m0, m1, m2, m3, m4, m5, e0, e1, r0, r1, r2, r3, r4, r5, r6, r7]))
    }

    /// Returns the smallest id of a run that was created at `at` or later: a window of time is a range of ids.
    pub fn first_at(at: Timestamp) -> RunId {
        let micros = u64::try_from(at.timestamp_micros()).unwrap_or_default();
        RunId::from_tick((micros * 4_096).div_ceil(1_000), 0)
    }

    /// Takes any UUIDv7 as a run's id; `None` for another version.
    pub fn from_uuid(uuid: Uuid) -> Option<RunId> {
        (uuid.get_version_num() == 7).then_some(RunId(uuid))
    }

    /// Returns the id as a plain UUID, as it stands in the database.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// Returns when the run was created, on the database's clock, to the microsecond.
    pub fn created_at(self) -> Timestamp {
        let [m0, m1, m2, m3, m4, m5, e0, e1, ..] = *self.0.as_bytes();
        let millis = u64::from_be_bytes([0, 0, m0, m1, m2, m3, m4, m5]);
        let fraction = u64::from(u16::from_be_bytes([e0, e1]) & 0x0fff);
        let micros = millis * 1_000 + fraction * 1_000 / 4_096;
        i64::try_from(micros).ok().and_then(chrono::DateTime::from_timestamp_micros).unwrap_or_default()
    }

    /// Returns the creation in 1/4096 ms since 1970, as [`from_tick`](RunId::from_tick) takes it.
    pub fn tick(self) -> u64 {
        let (high, _) = self.0.as_u64_pair();
        high >> 16 << 12 | high & 0xfff
    }

    /// Returns 64 well-spread bits of the id, for sharding runs over lanes and locks.
    pub fn shard(self) -> u64 {
        let (_, low) = self.0.as_u64_pair();
        low
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for RunId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<RunId, NameError> {
        let uuid = Uuid::try_parse(text).ok().and_then(RunId::from_uuid);
        uuid.ok_or_else(|| NameError::NotARunId { text: text.chars().take(64).collect() })
    }
}

/// Identifies one bulk action: an id like a run's, so that it tells when the action began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BulkId(pub RunId);

impl fmt::Display for BulkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies one incarnation of a process that embeds the runtime; a restart is a new node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Identifies one row of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i64);

/// Names one durable operation inside a task: its name and how often that name came before it (0, 1, …).
///
/// In the log it is one text, `name#occurrence`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpKey {
    /// What the code calls it.
    pub name: Arc<str>,
    /// How many operations of this name the task built before this one.
    pub occurrence: u32,
}

impl Serialize for OpKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}#{}", self.name, self.occurrence))
    }
}

impl<'de> Deserialize<'de> for OpKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OpKey, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let parts = text.rsplit_once('#').and_then(|(name, n)| Some((name, n.parse().ok()?)));
        let (name, occurrence) =
            parts.ok_or_else(|| D::Error::custom(format!("{text:?} is no name#occurrence")))?;
        Ok(OpKey { name: Arc::from(name), occurrence })
    }
}

impl fmt::Display for OpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.occurrence {
            0 => write!(f, "`{}`", self.name),
            n => write!(f, "`{}` #{}", self.name, n + 1),
        }
    }
}

/// Says why a text cannot be a name, a key or an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text has no character.
    #[error("{what} is empty: give it at least one character")]
    Empty {
        /// Which name.
        what: &'static str,
    },
    /// The text is longer than its limit.
    #[error("{what} has {bytes} bytes, the limit is {limit}: shorten {start:?}…")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest it may be.
        limit: usize,
        /// Its first characters.
        start: String,
    },
    /// The text holds a NUL, a line break or another control character.
    #[error("{what} {text:?} holds the control character {character:?}: remove it")]
    Control {
        /// Which name.
        what: &'static str,
        /// The text.
        text: String,
        /// The first such character.
        character: char,
    },
    /// The text is no UUIDv7.
    #[error("{text:?} is not a run id: expected a UUID of version 7, such as 0198f3a2-…")]
    NotARunId {
        /// The first characters of the text.
        text: String,
    },
}

fn check(what: &'static str, text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > limit {
        let start = text.chars().take(24).collect();
        return Err(NameError::TooLong { what, bytes: text.len(), limit, start });
    }
    match text.chars().find(|c| c.is_control()) {
        Some(character) => Err(NameError::Control { what, text: text.to_owned(), character }),
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $limit:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes it a name.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, over its limit or holds a control character.
            pub fn new(text: impl AsRef<str>) -> Result<$name, NameError> {
                check($what, text.as_ref(), $limit)?;
                Ok($name(Arc::from(text.as_ref())))
            }

            /// Takes a text that the database already holds.
            #[doc(hidden)]
            pub fn recorded(text: &str) -> $name {
                $name(Arc::from(text))
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the text, shared.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }
    )+};
}

names! {
    /// Names a workflow.
    WorkflowName, "the workflow's name", NAME_BYTES_MAX;
    /// Names one version of a workflow's code.
    Version, "the workflow's version", NAME_BYTES_MAX;
    /// Names a task of a workflow.
    TaskName, "the task's name", NAME_BYTES_MAX;
    /// Names a signal.
    SignalName, "the signal's name", NAME_BYTES_MAX;
    /// Names a change of a workflow's code.
    PatchId, "the patch's id", NAME_BYTES_MAX;
    /// Names a subscription.
    SubscriptionName, "the subscription's name", NAME_BYTES_MAX;
    /// What subscriptions know a trigger event by.
    EventKey, "the event's key", NAME_BYTES_MAX;
    /// Identifies a trigger event: the user's own id for it.
    EventId, "the event's id", KEY_BYTES_MAX;
    /// Names a schedule.
    ScheduleName, "the schedule's name", NAME_BYTES_MAX;
    /// Names a stream of a run.
    StreamName, "the stream's name", NAME_BYTES_MAX;
    /// Names a tenant: runs of one namespace are never seen from another.
    Namespace, "the namespace", NAME_BYTES_MAX;
    /// The user's own id for a run: the same workflow and key is the same run.
    Key, "the key", KEY_BYTES_MAX;
}

impl Default for Namespace {
    fn default() -> Namespace {
        Namespace::recorded("default")
    }
}

/// Checks the name of a metadata pair.
///
/// # Errors
/// [`NameError`], as for every name.
pub fn check_metadata_name(text: &str) -> Result<(), NameError> {
    check("the name", text, NAME_BYTES_MAX)
}

/// Checks the name of a branch of a task's code, with those of the branches around it.
///
/// # Errors
/// [`NameError`], as for every name.
pub fn check_branch_name(text: &str) -> Result<(), NameError> {
    check("the branch's name", text, BRANCH_BYTES_MAX)
}

/// Checks the name of a step, sleep or child inside a task.
///
/// # Errors
/// [`NameError`], as for every name.
pub fn check_op_name(text: &str) -> Result<(), NameError> {
    check("the step's name", text, NAME_BYTES_MAX)
}
