//! What code does otherwise than a log says: the recorded operations and the code's, side by side.

mod align;
mod text;

use std::fmt;

use super::ids::OpKey;

/// One operation of a task, as the log or the code has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpLine {
    /// What kind of operation it is: `step`, `sleep`, `signal`, `child`, `race` or `now`; in a plan, `task` and the like.
    pub kind: &'static str,
    /// Its name and occurrence.
    pub op: OpKey,
    /// What tells its input from others: a hash, where the code gave one; in a plan, the tasks before it.
    pub input: Option<String>,
    /// Where the code builds it, `file:line`; the log does not know.
    pub location: Option<String>,
}

/// How code differs from a log in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// The code asks for an operation that the log does not have.
    Inserted,
    /// The log has an operation that the code does not ask for.
    Removed,
    /// The code calls an operation otherwise.
    Renamed,
    /// The code asks for an operation earlier or later.
    Reordered,
    /// The code has an operation of another kind.
    KindChanged,
    /// The code gives an operation another input.
    InputChanged,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Difference::Inserted => "inserted",
            Difference::Removed => "removed",
            Difference::Renamed => "renamed",
            Difference::Reordered => "reordered",
            Difference::KindChanged => "kind changed",
            Difference::InputChanged => "input changed",
        })
    }
}

/// One line of a diff. At least one side is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the log has here.
    pub recorded: Option<OpLine>,
    /// What the code has here.
    pub code: Option<OpLine>,
    /// How they differ; `None` when they don't, or when nobody can tell because the code did not get so far.
    pub difference: Option<Difference>,
}

/// The recorded operations of a task and the code's, aligned.
///
/// Prints one headline, then both columns around each difference, at most some dozens of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    rows: Vec<Row>,
}

impl Diff {
    /// Aligns what is recorded, in the log's order, with what the code asks for. Operations are the same when their
    /// kind and name are: an occurrence moves with whatever is inserted before it.
    ///
    /// `stuck` when the code could not go beyond its last operation, so that nothing is known of what it does after.
    /// Of more than a thousand operations on a side only those around the first difference are aligned.
    pub fn of(recorded: Vec<OpLine>, code: Vec<OpLine>, stuck: bool) -> Diff {
        Diff { rows: align::rows(recorded, code, stuck) }
    }

    /// Returns the lines in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Lists the differences in order; what was moved counts once, in its recorded place.
    pub fn differences(&self) -> impl Iterator<Item = (Difference, &Row)> {
        let counts = |row: &&Row| row.difference != Some(Difference::Reordered) || row.recorded.is_some();
        self.rows.iter().filter(counts).filter_map(|row| Some((row.difference?, row)))
    }

    /// Says whether the two sides are the same as far as is known.
    pub fn is_empty(&self) -> bool {
        self.differences().next().is_none()
    }
}
