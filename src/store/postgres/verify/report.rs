//! What a check found.

use sqlx::types::Uuid;

use super::Invariant;
use crate::model::RunId;

/// What is wrong with one run, or with something that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// The run; `None` when a row holds an id that is no run's, which `detail` then names.
    pub run: Option<RunId>,
    /// The events concerned, or the seqs where some should be; none when it is not about the log.
    pub seqs: Vec<i32>,
    /// What is wrong, in words; no payloads.
    pub detail: String,
}

impl Violation {
    pub(super) fn new(invariant: &Invariant, id: Uuid, seqs: Vec<i32>, detail: String) -> Violation {
        let run = RunId::from_uuid(id);
        let detail = if run.is_some() { detail } else { format!("{id} is no run's id; {detail}") };
        Violation { invariant: invariant.name, run, seqs, detail }
    }
}

/// What one invariant came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The invariant.
    pub invariant: &'static Invariant,
    /// How often it is violated.
    pub count: u64,
    /// The first violations by run, as many as the scope keeps.
    pub violations: Vec<Violation>,
}

impl Checked {
    /// Says whether the invariant holds.
    pub fn holds(&self) -> bool {
        self.count == 0
    }
}

/// What a check of all invariants came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many runs were looked at.
    pub runs: u64,
    /// Each invariant's result, in the order of [`INVARIANTS`](super::INVARIANTS).
    pub checked: Vec<Checked>,
}

impl Report {
    /// Says whether every invariant holds.
    pub fn holds(&self) -> bool {
        self.checked.iter().all(Checked::holds)
    }

    /// Returns the violations that were kept, invariant by invariant.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.checked.iter().flat_map(|checked| &checked.violations)
    }

    /// Returns how many violations there are, those that were only counted included.
    pub fn count(&self) -> u64 {
        self.checked.iter().map(|checked| checked.count).sum()
    }
}
