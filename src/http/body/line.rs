//! A line that code wrote.

use serde::Serialize;
use utoipa::ToSchema;

use super::Time;
use crate::model::Payload;
use crate::store::LogLine;

/// A line that code wrote.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLine)]
pub(in crate::http) struct LineBody {
    /// Its place among the run's lines: ascends, with holes.
    n: i64,
    /// When it was written, on the database's clock.
    at: Time,
    /// `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
    level: &'static str,
    /// The node whose process wrote it.
    node: Option<i32>,
    /// The task whose code wrote it.
    task: String,
    /// Which attempt at the task.
    attempt: u32,
    /// The step in whose body it was written: `name#occurrence`.
    step: Option<String>,
    /// How often the run had been claimed then: lines of a code that ran again differ in it.
    claims: u32,
    /// How many lines are missing here; the line itself says so.
    dropped: u32,
    /// Where it comes from: the target of a `tracing` event, or file and line.
    target: String,
    /// The text.
    message: String,
    /// What goes with it: an object.
    #[schema(value_type = Option<serde_json::Value>)]
    fields: Option<Payload>,
}

impl From<LogLine> for LineBody {
    fn from(line: LogLine) -> LineBody {
        LineBody {
            n: line.n,
            at: line.at.into(),
            level: line.line.level.as_str(),
            node: line.node.map(|node| node.0),
            task: line.task.to_string(),
            attempt: line.attempt,
            step: line.step,
            claims: line.claims,
            dropped: line.dropped,
            target: line.line.target,
            message: line.line.message,
            fields: line.line.fields,
        }
    }
}
