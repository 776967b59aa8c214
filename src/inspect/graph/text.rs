//! A node in a few words.

use super::super::span::span;
use super::{Node, NodeKind};
use crate::model::plan::Role;
use crate::model::{Status, TaskStatus};

/// Columns of a name in a picture: the demo's and most people's names fit, and a layer is not wider than a phone.
const SHORT_NAME_COLUMNS_MAX: usize = 28;

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
            NodeKind::Child { status, .. } | NodeKind::Stack { status, .. } => match status {
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
            NodeKind::Child { status, .. } | NodeKind::Stack { status, .. } => status.as_str(),
        }
    }

    /// Returns its name as a picture has it: at most 28 columns, cut in the middle.
    pub fn short_name(&self) -> String {
        cut(&self.name, SHORT_NAME_COLUMNS_MAX)
    }

    /// Writes what stands behind its name in a picture: `2.0 s ×3`, or `×240 — 3 failed`. Empty for a task that has not begun.
    pub fn detail(&self) -> String {
        let took = self.duration.map(span);
        let count = match &self.kind {
            NodeKind::Task { attempts, .. } if *attempts > 1 => Some(format!("×{attempts}")),
            NodeKind::Task { .. } | NodeKind::Child { .. } => None,
            NodeKind::Stack { runs, failed: 0, .. } => Some(format!("×{runs}")),
            NodeKind::Stack { runs, failed, .. } => Some(format!("×{runs} — {failed} failed")),
        };
        took.into_iter().chain(count).collect::<Vec<_>>().join(" ")
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
            NodeKind::Stack { runs, .. } => label = format!("{label} ×{runs}"),
            NodeKind::Task { .. } | NodeKind::Child { .. } => {}
        }
        match &self.kind {
            NodeKind::Task { role: Role::OnFailure, .. } => format!("{label} (on failure)"),
            NodeKind::Task { skipped: Some(because), .. } => format!("{label} ({because})"),
            NodeKind::Stack { failed: failed @ 1.., .. } => format!("{label} ({failed} failed)"),
            NodeKind::Task { role: Role::Task, .. } | NodeKind::Child { .. } | NodeKind::Stack { .. } => {
                label
            }
        }
    }
}

/// Cuts a text's middle out where it has more columns than `most`.
fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    // One column is for the dots.
    let (head, tail) = (most / 2, (most - 1) / 2);
    let head = take(text.chars(), head);
    let tail = take(text.chars().rev(), tail);
    format!("{}…{}", head.iter().collect::<String>(), tail.iter().rev().collect::<String>())
}

/// Takes characters as long as they fit into `room` columns.
fn take(text: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let columns = text.scan(0, |columns, c| {
        *columns += column(c);
        Some((*columns, c))
    });
    columns.take_while(|(columns, _)| *columns <= room).map(|(_, c)| c).collect()
}

/// Counts the columns that a text takes in monospaced type.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// Returns 2 for the wide characters of East Asia and for pictures, 1 for others: a box is rather too wide than too narrow.
fn column(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f000}'..='\u{1faff}'
        | '\u{20000}'..='\u{3ffff}' => 2,
        _ => 1,
    }
}
