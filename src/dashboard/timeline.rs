//! What a run's tasks did when, as bars.

use maud::{Markup, html};

use super::mark::{Mark, task_mark};
use crate::inspect::span::span;
use crate::inspect::{Gap, Phase, Segment, Timeline, TimelineRow};
use crate::model::{TaskName, TaskStatus};

/// Rows of a page.
const ROWS_MAX: usize = 200;

/// What is shorter is drawn as wide, in thousandths: it was there.
const WIDTH_MIN: u32 = 3;

/// Draws a row for each task, at most 200. `link` says where a task leads to.
pub(super) fn timeline(timeline: &Timeline, link: &dyn Fn(&TaskName) -> Option<String>) -> Markup {
    let left_out = timeline.rows.len().saturating_sub(ROWS_MAX);
    html! {
        @if timeline.from.is_none() {
            p.empty { "The run has not started: there is nothing to draw." }
        } @else {
            ol.timeline {
                @for row in timeline.rows.iter().take(ROWS_MAX) { (line(row, &timeline.gaps, link)) }
            }
            p.scale {
                "All in all " (span(timeline.length)) "."
                @for gap in &timeline.gaps { " " (span(gap.length)) " in which nothing ran are drawn narrower." }
            }
            @if left_out > 0 { p.more { (left_out) " more tasks are not drawn." } }
        }
    }
}

fn line(row: &TimelineRow, gaps: &[Gap], link: &dyn Fn(&TaskName) -> Option<String>) -> Markup {
    let (mark, words) = (mark(row), words(row));
    let class = if row.critical { "critical" } else { "" };
    html! {
        li class=[row.critical.then_some(class)] {
            span.task {
                span aria-hidden="true" class={ "icon " (mark.class) } { (mark.icon) } " "
                @match link(&row.task) {
                    Some(href) => a href=(href) { (row.task) },
                    None => (row.task),
                }
                @if row.critical { span.hidden { " (critical)" } }
            }
            svg role="img" aria-label={ (row.task) ": " (mark.word) ", " (words) } width="100%" height="16" {
                @for gap in gaps {
                    rect.gap x=(percent(gap.at)) y="0" width=(percent(gap.width)) height="16" {
                        title { (span(gap.length)) " in which nothing ran" }
                    }
                }
                @for segment in &row.segments { (bar(segment)) }
            }
            span.words { (words) }
        }
    }
}

fn bar(segment: &Segment) -> Markup {
    let class = match (segment.phase, segment.failed) {
        (Phase::Queue, _) => "queue",
        (Phase::Run, false) => "run",
        (Phase::Run, true) => "run failed",
        (Phase::Backoff, _) => "backoff",
        (Phase::Wait, false) => "wait",
        (Phase::Wait, true) => "wait failed",
    };
    let width = segment.width.max(WIDTH_MIN);
    let x = segment.at.min(1_000_u32.saturating_sub(width));
    html! {
        rect class=(class) x=(percent(x)) y="2" width=(percent(width)) height="12" {
            title { (title(segment)) }
        }
    }
}

fn title(segment: &Segment) -> String {
    let (length, attempt) = (span(segment.length), segment.attempt);
    match (segment.phase, segment.failed) {
        (Phase::Queue, _) => format!("queue {length}, for attempt {attempt}"),
        (Phase::Run, false) => format!("run {length}, attempt {attempt}"),
        (Phase::Run, true) => format!("run {length}, attempt {attempt} failed"),
        (Phase::Backoff, _) => format!("backoff {length}, for attempt {attempt}"),
        (Phase::Wait, false) => format!("wait {length}, attempt {attempt}"),
        (Phase::Wait, true) => format!("wait {length}, attempt {attempt} failed"),
    }
}

/// Writes a row's times: `queue 3 ms · run 108 ms · 3 attempts · backoff 1.6 s`.
fn words(row: &TimelineRow) -> String {
    if row.segments.is_empty() {
        return match row.status {
            TaskStatus::Reused => "taken over".to_owned(),
            TaskStatus::Skipped => "left out".to_owned(),
            TaskStatus::Queued
            | TaskStatus::Running
            | TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::Cancelled
            | TaskStatus::TimedOut => "did not begin".to_owned(),
        };
    }
    let long = |word: &str, length: std::time::Duration| {
        (!length.is_zero()).then(|| format!("{word} {}", span(length)))
    };
    let ran = (row.attempts > 0).then(|| format!("run {}", span(row.run)));
    let attempts = (row.attempts > 1).then(|| format!("{} attempts", row.attempts));
    let words =
        [long("queue", row.queue), ran, attempts, long("backoff", row.backoff), long("wait", row.wait)];
    words.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn mark(row: &TimelineRow) -> Mark {
    match (row.retries, row.waits) {
        (true, _) => Mark::RETRYING,
        (false, true) => Mark::WAITING,
        (false, false) => task_mark(row.status),
    }
}

/// Writes thousandths as a percentage: `12.3%`.
fn percent(thousandths: u32) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}
