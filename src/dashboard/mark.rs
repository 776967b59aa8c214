//! How a status looks: an icon, a word and a class, so that its colour never says it alone.

use maud::{Markup, Render, html};

use crate::model::{Status, TaskStatus};

/// A status as a page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// One character.
    pub(super) icon: &'static str,
    /// The word that filters know, in lower case.
    pub(super) word: &'static str,
    /// The style sheet's class: `s-` and the word.
    pub(super) class: &'static str,
}

impl Mark {
    const QUEUED: Mark = Mark { icon: "◌", word: "queued", class: "s-queued" };
    const RUNNING: Mark = Mark { icon: "◐", word: "running", class: "s-running" };
    const SUCCEEDED: Mark = Mark { icon: "✓", word: "succeeded", class: "s-succeeded" };
    const FAILED: Mark = Mark { icon: "✕", word: "failed", class: "s-failed" };
    const CANCELLED: Mark = Mark { icon: "⊘", word: "cancelled", class: "s-cancelled" };
    const TIMED_OUT: Mark = Mark { icon: "◷", word: "timed_out", class: "s-timed_out" };
    const SKIPPED: Mark = Mark { icon: "–", word: "skipped", class: "s-skipped" };
    pub(super) const REUSED: Mark = Mark { icon: "↺", word: "reused", class: "s-reused" };

    /// A RUNNING run or task that waits: for a signal, a timer, a child run.
    pub(super) const WAITING: Mark = Mark { icon: "‖", word: "waiting", class: "s-waiting" };
    /// One whose next attempt has its time.
    pub(super) const RETRYING: Mark = Mark { icon: "↻", word: "retrying", class: "s-retrying" };
}

/// Returns a run status' mark.
pub(super) fn run_mark(status: Status) -> Mark {
    match status {
        Status::Queued => Mark::QUEUED,
        Status::Running => Mark::RUNNING,
        Status::Succeeded => Mark::SUCCEEDED,
        Status::Failed => Mark::FAILED,
        Status::Cancelled => Mark::CANCELLED,
        Status::TimedOut => Mark::TIMED_OUT,
    }
}

/// Returns a task status' mark.
pub(super) fn task_mark(status: TaskStatus) -> Mark {
    match status {
        TaskStatus::Queued => Mark::QUEUED,
        TaskStatus::Running => Mark::RUNNING,
        TaskStatus::Succeeded => Mark::SUCCEEDED,
        TaskStatus::Failed => Mark::FAILED,
        TaskStatus::Cancelled => Mark::CANCELLED,
        TaskStatus::TimedOut => Mark::TIMED_OUT,
        TaskStatus::Skipped => Mark::SKIPPED,
        TaskStatus::Reused => Mark::REUSED,
    }
}

impl Render for Mark {
    /// Writes the icon, which screen readers pass over, and the word.
    fn render(&self) -> Markup {
        html! { span class={ "mark " (self.class) } { span aria-hidden="true" { (self.icon) } " " (self.word) } }
    }
}
