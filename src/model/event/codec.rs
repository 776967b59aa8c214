//! How events stand in the log: a kind, a schema version and a JSON text.
//!
//! Never bincode: with one variant inserted it reads an old event as another one without an error.
//! Growing the log: an optional field needs nothing; a kind or field that changes its meaning needs a new schema
//! version and a step in [`upcast`]. `tests/it/model/golden/` keeps one file per kind and version ever shipped.

use super::*;
use crate::model::ids::TaskName;

/// An event as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The event's kind.
    pub kind: &'static str,
    /// The version of that kind's JSON.
    pub schema_version: i16,
    /// The task, for a task event.
    pub task: Option<TaskName>,
    /// The attempt, for a task event.
    pub attempt: Option<i32>,
    /// The JSON.
    pub payload: String,
}

/// Says why an event cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// No code here knows the kind: a newer release wrote it.
    #[error("event kind {kind:?} is unknown here: a newer release wrote it; upgrade this node")]
    UnknownKind {
        /// The kind.
        kind: String,
    },
    /// The kind is known, but not in this version.
    #[error("event kind {kind:?} has schema version {version}, newest known is {newest}: upgrade this node")]
    UnknownVersion {
        /// The kind.
        kind: String,
        /// The version in the log.
        version: i16,
        /// The newest one here.
        newest: i16,
    },
    /// The JSON does not fit the kind.
    #[error("the payload of event kind {kind:?} is malformed: {source}")]
    Payload {
        /// The kind.
        kind: String,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// A task event without task or attempt.
    #[error("event kind {kind:?} has no task or attempt")]
    NoPlace {
        /// The kind.
        kind: String,
    },
}

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($variant:ident($body:ty) = $kind:literal v $version:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $(#[doc = concat!("`", $kind, "`")] $variant($body),)+
        }

        impl $name {
            /// Every kind with its newest schema version.
            pub const KINDS: &[(&'static str, i16)] = &[$(($kind, $version)),+];

            /// Returns the kind's name.
            pub fn kind(&self) -> &'static str {
                match self { $($name::$variant(_) => $kind,)+ }
            }

            fn schema_version(&self) -> i16 {
                match self { $($name::$variant(_) => $version,)+ }
            }

            fn to_json(&self) -> Result<String, serde_json::Error> {
                match self { $($name::$variant(body) => serde_json::to_string(body),)+ }
            }

            fn from_json(kind: &str, json: &str) -> Option<Result<$name, serde_json::Error>> {
                match kind {
                    $($kind => Some(serde_json::from_str(json).map($name::$variant)),)+
                    _ => None,
                }
            }
        }

        $(impl From<$body> for $name {
            fn from(body: $body) -> $name {
                $name::$variant(body)
            }
        })+
    };
}

kinds! {
    /// A fact about the run as a whole.
    #[expect(clippy::large_enum_variant, reason = "a log has one creation, and few events of the run as a whole")]
    RunEvent {
        Created(RunCreated) = "run_created" v 1,
        Claimed(RunClaimed) = "run_claimed" v 1,
        Started(RunStarted) = "run_started" v 1,
        CancelRequested(CancelRequested) = "cancel_requested" v 1,
        SignalReceived(SignalReceived) = "signal_received" v 1,
        Blocked(RunBlocked) = "run_blocked" v 1,
        Succeeded(RunSucceeded) = "run_succeeded" v 1,
        Failed(RunFailed) = "run_failed" v 1,
        Cancelled(RunCancelled) = "run_cancelled" v 1,
        TimedOut(RunTimedOut) = "run_timed_out" v 1,
    }
}

kinds! {
    /// A fact about one attempt at one task.
    TaskEvent {
        AttemptStarted(AttemptStarted) = "attempt_started" v 1,
        TimeoutExtended(TimeoutExtended) = "timeout_extended" v 1,
        AttemptSucceeded(AttemptSucceeded) = "attempt_succeeded" v 1,
        AttemptFailed(AttemptFailed) = "attempt_failed" v 1,
        StepStarted(StepStarted) = "step_started" v 1,
        StepCompleted(StepCompleted) = "step_completed" v 1,
        StepFailed(StepFailed) = "step_failed" v 1,
        TimerStarted(TimerStarted) = "timer_started" v 1,
        TimerFired(TimerFired) = "timer_fired" v 1,
        SignalAwaited(SignalAwaited) = "signal_awaited" v 1,
        SignalTimedOut(SignalTimedOut) = "signal_timed_out" v 1,
        WaitAbandoned(WaitAbandoned) = "wait_abandoned" v 1,
        ChildStarted(ChildStarted) = "child_started" v 1,
        ChildFinished(ChildFinished) = "child_finished" v 1,
        RaceWon(RaceWon) = "race_won" v 1,
        TimeRead(TimeRead) = "time_read" v 1,
        PatchMarked(PatchMarked) = "patch_marked" v 1,
        TaskReused(TaskReused) = "task_reused" v 1,
        TaskResumed(TaskResumed) = "task_resumed" v 1,
        OpReused(OpReused) = "op_reused" v 1,
        ConditionsOpened(ConditionsOpened) = "conditions_opened" v 1,
        ConditionDecided(ConditionDecided) = "condition_decided" v 1,
        TaskSkipped(TaskSkipped) = "task_skipped" v 1,
    }
}

impl Event {
    /// Writes the event down.
    ///
    /// # Errors
    /// [`CodecError::Payload`] when its JSON cannot be written.
    pub fn encode(&self) -> Result<Encoded, CodecError> {
        let (kind, schema_version, json, place) = match self {
            Event::Run(event) => (event.kind(), event.schema_version(), event.to_json(), None),
            Event::Task(place, event) => (event.kind(), event.schema_version(), event.to_json(), Some(place)),
        };
        let payload = json.map_err(|source| CodecError::Payload { kind: kind.to_owned(), source })?;
        let task = place.map(|place| place.task.clone());
        let attempt = place.map(|place| i32::try_from(place.attempt).unwrap_or(i32::MAX));
        Ok(Encoded { kind, schema_version, task, attempt, payload })
    }

    /// Reads an event from the log.
    ///
    /// # Errors
    /// [`CodecError`] for a kind or version nobody here knows, and for JSON that does not fit.
    pub fn decode(kind: &str, version: i16, place: Option<Place>, json: &str) -> Result<Event, CodecError> {
        let kinds = RunEvent::KINDS.iter().chain(TaskEvent::KINDS);
        let newest = kinds.copied().find(|(known, _)| *known == kind).map(|(_, newest)| newest);
        let newest = newest.ok_or_else(|| CodecError::UnknownKind { kind: kind.to_owned() })?;
        if version > newest || version < 1 {
            return Err(CodecError::UnknownVersion { kind: kind.to_owned(), version, newest });
        }
        let malformed = |source| CodecError::Payload { kind: kind.to_owned(), source };
        let json = upcast(kind, version, json);
        if let Some(event) = RunEvent::from_json(kind, json) {
            return event.map(Event::Run).map_err(malformed);
        }
        let event = TaskEvent::from_json(kind, json)
            .ok_or_else(|| CodecError::UnknownKind { kind: kind.to_owned() })?
            .map_err(malformed)?;
        let place = place.ok_or_else(|| CodecError::NoPlace { kind: kind.to_owned() })?;
        Ok(Event::Task(place, event))
    }
}

/// Brings the JSON of an older schema version to the newest one, step by step. There is only version 1 so far.
fn upcast<'json>(_kind: &str, _version: i16, json: &'json str) -> &'json str {
    json
}
