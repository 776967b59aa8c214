//! What a check found, and how it reads.

use std::fmt;

use crate::model::divergence::Diff;
use crate::model::{RunId, TaskName, Version, WorkflowName};

/// What a check of some histories found. Prints a line a run that does not fit with its diffs, and a summary.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    pub(crate) runs: Vec<CheckedRun>,
}

/// One history against the code at hand.
#[derive(Clone, Debug)]
pub struct CheckedRun {
    /// The run.
    pub run: RunId,
    /// Its workflow and version; `None` when its log cannot be read.
    pub workflow: Option<(WorkflowName, Version)>,
    /// Whether the run has not ended: a divergence in a task that is open would block it.
    pub live: bool,
    /// What was found.
    pub finding: Finding,
}

/// Whether code fits a history.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// The code asks for what the log has, in an order that the log can have.
    Fits {
        /// How many recorded operations were compared.
        operations: usize,
    },
    /// It does not.
    Diverges {
        /// What differs, by task.
        divergences: Vec<Divergence>,
    },
    /// No code of the run's workflow and version is at hand: nothing was compared.
    NoCode,
    /// It cannot be told.
    Undecided {
        /// Why.
        problem: String,
    },
}

/// What differs in one task, or in the plan.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// The task; `None` for the plan.
    pub task: Option<TaskName>,
    /// Whether the run is blocked by it, or would be once this code serves it: a task that has ended is run no more.
    pub blocks: bool,
    /// The two sides.
    pub diff: Diff,
    /// The code waits for something that is not durable, so it may not have got as far as it would.
    pub waits_elsewhere: bool,
}

impl CheckReport {
    /// Lists every history that was given.
    pub fn runs(&self) -> &[CheckedRun] {
        &self.runs
    }

    /// Lists those that the code does not fit.
    pub fn divergences(&self) -> impl Iterator<Item = (&CheckedRun, &Divergence)> {
        self.runs.iter().flat_map(|run| match &run.finding {
            Finding::Diverges { divergences } => {
                divergences.iter().map(|divergence| (run, divergence)).collect::<Vec<_>>()
            }
            Finding::Fits { .. } | Finding::NoCode | Finding::Undecided { .. } => Vec::new(),
        })
    }

    /// Says whether the code fits: nothing diverges, nothing is undecided, and of what was given something was compared.
    pub fn is_ok(&self) -> bool {
        let bad =
            |run: &CheckedRun| matches!(run.finding, Finding::Diverges { .. } | Finding::Undecided { .. });
        let compared = self.runs.iter().any(|run| matches!(run.finding, Finding::Fits { .. }));
        !self.runs.iter().any(bad) && (compared || self.runs.is_empty())
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut fit, mut diverge, mut without, mut undecided) = (0, 0, 0, 0);
        for run in &self.runs {
            match &run.finding {
                Finding::Fits { .. } => fit += 1,
                Finding::NoCode => without += 1,
                Finding::Diverges { divergences } => {
                    diverge += 1;
                    divergences.iter().try_for_each(|divergence| writeln!(f, "{run}{divergence}\n"))?;
                }
                Finding::Undecided { problem } => {
                    undecided += 1;
                    writeln!(f, "{run}: {problem}\n")?;
                }
            }
        }
        let count = |count: usize, what: &str| match count {
            0 => String::new(),
            count => format!(", {count} {what}"),
        };
        write!(
            f,
            "{} checked: {fit} fit, {diverge} diverge{}{}",
            self.runs.len(),
            count(undecided, "undecided"),
            count(without, "without code at hand")
        )
    }
}

impl fmt::Display for CheckedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.workflow {
            Some((workflow, version)) => write!(f, "run {} of {workflow} version {version}", self.run),
            None => write!(f, "run {}", self.run),
        }
    }
}

/// Follows a run: where, whether it blocks, and the diff.
impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.task {
            Some(task) => write!(f, ", task `{task}`")?,
            None => f.write_str(", its plan")?,
        }
        let effect = if self.blocks { "blocks the run" } else { "has ended" };
        write!(f, " ({effect}): {}", self.diff)?;
        if self.waits_elsewhere {
            f.write_str(
                "\n  the code waits for something that is not durable; what it does after that is unknown",
            )?;
        }
        Ok(())
    }
}
