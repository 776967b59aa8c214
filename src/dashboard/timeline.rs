//! What a run's tasks did when, as bars.

use std::time::Duration;

use maud::{Markup, html};

use super::mark::{Mark, task_mark};
use crate::http::{Code, Params, Problem};
use crate::inspect::span::span;
use crate::inspect::{Phase, Segment, Timeline, TimelineRow};
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
            @if let Some((first, last)) = timeline.zoom {
                p { "From " (span(first)) " to " (span(last)) " of " (span(timeline.length)) ". " a href="?#timeline" { "The whole run" } }
            }
            ol.timeline data-axis=(axis(timeline)) {
                @for row in timeline.rows.iter().take(ROWS_MAX) { (line(row, timeline, link)) }
            }
            p.scale {
                "All in all " (span(timeline.length)) "."
                @for gap in &timeline.gaps { " " (span(gap.length)) " in which nothing ran are drawn narrower." }
            }
            @if left_out > 0 { p.more { (left_out) " more tasks are not drawn." } }
        }
    }
}

fn line(row: &TimelineRow, timeline: &Timeline, link: &dyn Fn(&TaskName) -> Option<String>) -> Markup {
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
                @for gap in &timeline.gaps {
                    rect.gap x=(percent(gap.at)) y="0" width=(percent(gap.width)) height="16" {
                        title { (span(gap.length)) " in which nothing ran" }
                    }
                }
                @for segment in &row.segments { (bar(segment)) }
            }
            span.words { (words) (closer(row, timeline)) }
        }
    }
}

/// Reads which part of the run's time the address asks for: `?from=1200&to=1450`, in milliseconds after its start.
pub(super) fn asked(params: &Params) -> Result<Option<(Duration, Duration)>, Problem> {
    let millis = |name: &str| {
        let read = |text: &str| {
            text.parse().map(Duration::from_millis).map_err(|_| {
                Problem::new(
                    Code::InvalidQuery,
                    format!("{name} is {text:?}: expected milliseconds after the run's start"),
                )
            })
        };
        params.text(name).map(read).transpose()
    };
    match (millis("from")?, millis("to")?) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) if from >= to => {
            Err(Problem::new(Code::InvalidQuery, "to must be later than from".to_owned()))
        }
        (from, to) => Ok(Some((from.unwrap_or_default(), to.unwrap_or(Duration::MAX)))),
    }
}

/// A link to the row's own time, where that is more than a little closer.
fn closer(row: &TimelineRow, timeline: &Timeline) -> Markup {
    let (first, last) = timeline.zoom.unwrap_or((Duration::ZERO, timeline.length));
    let span = row.span.filter(|(from, to)| from < to && (*to - *from) * 10 < (last - first) * 9);
    html! { @if let Some((from, to)) = span { " " a href=(zoomed(from, to)) aria-label={ "Only this: the time of " (row.task) } { "only this" } } }
}

/// The address of a part of the run's time on this page, in whole milliseconds around it.
pub(super) fn zoomed(from: Duration, to: Duration) -> String {
    format!("?from={}&to={}#timeline", from.as_millis(), to.as_micros().div_ceil(1_000))
}

/// Writes what time each place stands for: `0,0 960,1234`, in thousandths and milliseconds.
fn axis(timeline: &Timeline) -> String {
    let marks = timeline.marks.iter().map(|mark| format!("{},{}", mark.at, mark.after.as_micros() / 1_000));
    marks.collect::<Vec<_>>().join(" ")
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
