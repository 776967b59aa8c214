//! Bounds of what is told of many runs at once.

/// Failures that are read to group them, and runs to count them by when they ended: a bad hour of a busy system.
pub const GROUPED_RUNS_MAX: u32 = 50_000;

/// Spans of time that a count of ended runs tells at most: more are no picture.
pub const ENDED_SPANS_MAX: u32 = 1_000;

/// Runs whose values are suggested to one who looks for runs: those of a busy hour, or of a quiet month.
pub const SEEN_RUNS_MAX: u32 = 10_000;

/// Values of one kind that are known for suggestions; nobody reads so many, but what is typed chooses among them.
pub const SEEN_VALUES_MAX: u32 = 50;

/// Names of metadata that are known for suggestions.
pub const SEEN_NAMES_MAX: usize = 50;

/// The longest value that is suggested: what is longer nobody types.
pub const SEEN_VALUE_CHARS_MAX: u32 = 100;
