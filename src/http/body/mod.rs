//! What answers look like. Names in snake case, instants as RFC 3339 in UTC with microseconds, durations in whole
//! milliseconds.

mod time;
mod failure;
mod run;
mod task;
mod event;
mod replay;
mod diff;
mod graph;
mod why;
mod summary;
mod span;

pub(super) use self::diff::{ChangesBody, DiffBody};
pub(super) use self::event::{EventBody, Size};
pub(super) use self::failure::FailureBody;
pub(super) use self::graph::GraphBody;
pub(super) use self::replay::PlanBody;
pub(super) use self::run::RunBody;
pub(super) use self::span::SpanBody;
pub(super) use self::summary::{GroupBody, ListBody, RunBrief, StatsBody, TaskRowBody};
pub(super) use self::task::{AttemptBody, InputBody, TaskBody, TaskBrief};
pub(super) use self::time::{Time, millis};
pub(super) use self::why::WhyBody;

use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Action, Caller};
use crate::model::Payload;
use crate::model::event::ReplayFrom;
use crate::model::limits::PAYLOAD_INLINE_BYTES_MAX;

/// A list.
#[derive(Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The rows.
    pub(super) data: Vec<T>,
    /// What the next page is asked for with; null = this is the last one.
    pub(super) next: Option<String>,
}

/// A problem as RFC 9457 has it, with `code` for programs. More members may stand beside these.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// The page that explains the code.
    r#type: String,
    /// The code in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened, and what would do.
    detail: String,
    /// The path that was asked.
    instance: String,
    /// What programs branch on.
    code: String,
    /// Finds this in the log.
    request_id: String,
    /// The members of the body that are wrong.
    #[schema(required = false)]
    errors: Vec<FieldProblem>,
}

/// One wrong member of a body.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldProblem)]
pub(super) struct FieldProblem {
    /// Where: a JSON pointer.
    pointer: String,
    /// What is wrong.
    detail: String,
}

/// A payload as part of an answer: left out where the caller may not see it, or where it is too large.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) value: Option<Payload>,
    pub(super) bytes: usize,
}

/// What a caller is shown of payloads.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    payloads: bool,
}

impl Sight {
    pub(super) fn of(caller: &Caller) -> Sight {
        Sight { payloads: caller.may(Action::ReadPayload) }
    }

    pub(super) fn payloads(self) -> bool {
        self.payloads
    }

    pub(super) fn show(self, payload: &Payload) -> Shown {
        let bytes = payload.text().len();
        let fits = self.payloads && bytes <= PAYLOAD_INLINE_BYTES_MAX;
        Shown { value: fits.then(|| payload.clone()), bytes }
    }
}

/// Returns the word for where a replay runs anew from, and the task.
fn from_where(from: &ReplayFrom) -> (&'static str, Option<String>) {
    match from {
        ReplayFrom::Failed => ("failed", None),
        ReplayFrom::Start => ("start", None),
        ReplayFrom::Task(task) => ("task", Some(task.to_string())),
    }
}
