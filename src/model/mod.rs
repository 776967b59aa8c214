//! The functional core: what a run is, which moves are legal and what must happen next.
//!
//! Nothing here does I/O, reads a clock, draws a random number or awaits; time, chance and ids are arguments.
//! [`decide`](decide::decide) turns a command into events, [`evolve`](evolve::evolve) folds an event into the
//! state, and [`effects`](effects::effects) says what should be in flight for a state.

pub mod ids;
pub mod status;
pub mod payload;
pub mod failure;
pub mod fingerprint;
pub mod line;
pub mod trace;
pub mod retry;
pub mod plan;
pub mod condition;
pub mod event;
pub mod state;
pub mod command;
pub mod decide;
pub mod evolve;
pub mod effects;
pub mod mail;
pub mod replay;
pub mod waiting;
pub mod wanted;
pub mod summary;
pub mod filter;
pub mod divergence;
pub mod schedule;
pub mod trigger;
pub mod snapshot;
pub mod redaction;
pub mod limit;
pub mod limits;

pub use self::command::{Command, Message, MessageBody, Now, Rejection, Report, Rules, TaskRules};
pub use self::effects::Effect;
pub use self::event::{Event, Recorded, RunEvent, TaskEvent};
pub use self::evolve::IllegalEvent;
pub use self::failure::Failure;
pub use self::filter::{Filter, FilterError};
pub use self::ids::{
    BulkId, EventId, EventKey, Key, MessageId, Namespace, NodeId, OpKey, PatchId, RunId, ScheduleName,
    SignalName, StreamName, SubscriptionName, TaskName, Version, WorkflowName,
};
pub use self::line::{Level, Line, UnknownLevel};
pub use self::mail::Mail;
pub use self::payload::{Payload, PayloadError};
pub use self::plan::Plan;
pub use self::redaction::{Redaction, RedactionError};
pub use self::retry::{Retry, Verdict};
pub use self::state::RunState;
pub use self::status::{Status, TaskStatus};
pub use self::summary::{FailureSummary, RunSummary, TriggerSummary};
pub use self::trace::{SpanId, TraceContext, TraceError, TraceFlags, TraceId, TraceState};
pub use self::waiting::Waiting;

/// An instant on the database's clock, to the microsecond.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
