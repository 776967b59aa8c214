//! A node in a few words.

use super::super::span::span;
use super::{Node, NodeKind};
use crate::model::plan::Role;
use crate::model::{Status, TaskStatus};

impl Node {
    /// Returns the sign of its status: `✓`, `✕`, `◐` …
    pub fn sign(&self) -> char {
        match &self.kind {
            NodeKind::Task { status, attempts, .. } => match status {
                TaskStatus::Queued => '○',
                TaskStatus::Running => '◐',
                TaskStatus::Succeeded => '✓',
                TaskStatus::Failed => '✕',
                TaskStatus::TimedOut => '⌛',
                TaskStatus::Cancelled if *attempts > 0 => '⊘',
                // It never began.
                TaskStatus::Cancelled | TaskStatus::Skipped => '–',
                TaskStatus::Reused => '↻',
            },
            NodeKind::Child { status, .. } => match status {
                Status::Queued => '○',
                Status::Running => '◐',
                Status::Succeeded => '✓',
                Status::Failed => '✕',
                Status::TimedOut => '⌛',
                Status::Cancelled => '⊘',
            },
        }
    }

    /// Returns its status' word.
    pub fn status(&self) -> &'static str {
        match &self.kind {
            NodeKind::Task { status, .. } => status.as_str(),
            NodeKind::Child { status, .. } => status.as_str(),
        }
    }

    /// Writes it in a few words: `charge 2.0 s ×3`.
    pub(super) fn label(&self) -> String {
        let mut label = self.name.clone();
        if let NodeKind::Child { run, .. } = &self.kind {
            label = format!("run {label} {run}");
        }
        if let Some(duration) = self.duration {
            label = format!("{label} {}", span(duration));
        }
        match &self.kind {
            NodeKind::Task { attempts, .. } if *attempts > 1 => label = format!("{label} ×{attempts}"),
            NodeKind::Task { .. } | NodeKind::Child { .. } => {}
        }
        match &self.kind {
            NodeKind::Task { role: Role::OnFailure, .. } => format!("{label} (on failure)"),
            NodeKind::Task { skipped: Some(because), .. } => format!("{label} ({because})"),
            NodeKind::Task { role: Role::Task, .. } | NodeKind::Child { .. } => label,
        }
    }
}
