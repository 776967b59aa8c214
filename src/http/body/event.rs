//! Events of a run's log.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Sight, Time};
use crate::model::event::CodecError;
use crate::model::limits::PAYLOAD_INLINE_BYTES_MAX;
use crate::model::{Event, Payload, Recorded};

/// One event of a run's log.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(in crate::http) struct EventBody {
    /// Its position in the log, from 1 without holes.
    seq: u32,
    /// When it was committed, on the database's clock.
    at: Time,
    /// Its kind, such as `run_created` or `step_completed`; more may come.
    kind: &'static str,
    /// The version of that kind's data.
    schema_version: i16,
    /// The node that wrote it; null when a client did.
    node: Option<i32>,
    /// The task that it is about.
    task: Option<String>,
    /// The attempt at that task.
    attempt: Option<i32>,
    /// The operation in that attempt: `name#occurrence`.
    op: Option<String>,
    /// The fact, as it stands in the log. A user's value in it that the caller may not see, or in a list one larger than
    /// 65,536 bytes, is replaced by `{"$omitted":{"bytes":…}}`.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
}

/// How much of large values an answer carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Size {
    /// All.
    Whole,
    /// None over 65,536 bytes.
    Listed,
}

impl EventBody {
    /// # Errors
    /// The event cannot be written as JSON: a bug.
    pub(in crate::http) fn new(
        recorded: Recorded,
        sight: Sight,
        size: Size,
    ) -> Result<EventBody, CodecError> {
        let Recorded { seq, at, node, mut event } = recorded;
        for payload in event.payloads_mut() {
            let bytes = payload.text().len();
            let large = size == Size::Listed && bytes > PAYLOAD_INLINE_BYTES_MAX;
            if large || !sight.payloads() {
                *payload = omitted(bytes);
            }
        }
        let op = match &event {
            Event::Run(_) => None,
            Event::Task(_, event) => event.op().map(|op| format!("{}#{}", op.name, op.occurrence)),
        };
        let encoded = event.encode()?;
        let malformed = |source| CodecError::Payload { kind: encoded.kind.to_owned(), source };
        Ok(EventBody {
            seq,
            at: at.into(),
            kind: encoded.kind,
            schema_version: encoded.schema_version,
            node: node.map(|node| node.0),
            task: encoded.task.map(|task| task.to_string()),
            attempt: encoded.attempt,
            op,
            data: RawValue::from_string(encoded.payload).map_err(malformed)?,
        })
    }
}

impl EventBody {
    /// Returns the fact as JSON.
    #[cfg(feature = "dashboard")]
    pub(in crate::http) fn data(&self) -> String {
        self.data.get().to_owned()
    }
}

fn omitted(bytes: usize) -> Payload {
    let marker = serde_json::json!({ "$omitted": { "bytes": bytes } });
    Payload::of(&marker).unwrap_or_else(|_| Payload::null())
}
