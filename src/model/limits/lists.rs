//! Bounds of what is told of many runs at once.

/// Failures that are read to group them, and runs to count them by when they ended: a bad hour of a busy system.
pub const GROUPED_RUNS_MAX: u32 = 50_000;

/// Spans of time that a count of ended runs tells at most: more are no picture.
pub const ENDED_SPANS_MAX: u32 = 1_000;
