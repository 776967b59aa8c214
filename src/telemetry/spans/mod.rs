//! Spans as a function of a run's log.
//!
//! A [`Tracer`] folds one run's events and gives the spans that each of them ends. Nothing here does I/O or reads a clock: the
//! same log gives the same spans with the same ids, whoever folds it and whenever, so that what was exported twice is one.

mod span;
mod tracer;
mod origin;
mod task;
mod op;
mod failed;
mod sampling;

pub use self::sampling::{AtCreation, AtEnd, Ratio, RatioError};
pub use self::span::{Attributes, Link, Span, SpanEvent, SpanKind, SpanStatus, Value};
pub use self::tracer::{Ending, Tracer};
