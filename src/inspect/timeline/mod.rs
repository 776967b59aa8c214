//! A run's tasks over time: what each one did when, for a picture.

mod phases;
mod axis;

use std::time::Duration;

use self::axis::Axis;
use self::phases::Stretch;
use super::{RunView, TaskView};
use crate::model::plan::Role;
use crate::model::{TaskName, TaskStatus, Timestamp};

/// Segments of a row: a picture cannot show more, and a page must not weigh more.
const SEGMENTS_MAX: usize = 60;

/// What a run's tasks did, from its start to its end, or to now. Places and widths are thousandths of the picture's width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Where the picture begins: the run's start; `None` before it started, and then there are no rows.
    pub from: Option<Timestamp>,
    /// How long it all took.
    pub length: Duration,
    /// What is shown of it, from and to so long after the run's start; `None` = all of it.
    pub zoom: Option<(Duration, Duration)>,
    /// Places whose times are known, from left to right: between two of them the time runs evenly.
    pub marks: Vec<Mark>,
    /// Times in which no task's code ran, each more than 30 % of the whole: drawn narrower than they were.
    pub gaps: Vec<Gap>,
    /// A row for each task, in the plan's order.
    pub rows: Vec<TimelineRow>,
}

/// What time a place stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The place.
    pub at: u32,
    /// How long after the run's start.
    pub after: Duration,
}

/// A time that is drawn narrower than it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where it begins.
    pub at: u32,
    /// How wide it is drawn.
    pub width: u32,
    /// How long it was.
    pub length: Duration,
}

/// What one task did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineRow {
    /// The task.
    pub task: TaskName,
    /// Where it stands.
    pub status: TaskStatus,
    /// How many attempts it had.
    pub attempts: u32,
    /// Whether it waits for its next attempt.
    pub retries: bool,
    /// Whether its code has nothing to do now but wait.
    pub waits: bool,
    /// Whether the run would have ended earlier had this task been quicker: it is one of those that followed each other to
    /// the end.
    pub critical: bool,
    /// What it did, in order; at most 60.
    pub segments: Vec<Segment>,
    /// When it did the first and the last of it, so long after the run's start; zoomed or not. `None` for what did nothing.
    pub span: Option<(Duration, Duration)>,
    /// How long it waited for a node.
    pub queue: Duration,
    /// How long its code ran.
    pub run: Duration,
    /// How long it waited for its next attempts.
    pub backoff: Duration,
    /// How long it waited for its conditions, and its code for time, signals and child runs.
    pub wait: Duration,
}

/// One thing that a task did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What.
    pub phase: Phase,
    /// Where it begins.
    pub at: u32,
    /// How wide it is; 0 for what took less than a thousandth.
    pub width: u32,
    /// How long it took.
    pub length: Duration,
    /// In, or before which attempt.
    pub attempt: u32,
    /// Whether the attempt failed with its end.
    pub failed: bool,
}

/// What a task does at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It could begin; no node had taken it.
    Queue,
    /// Its code ran.
    Run,
    /// Its attempt failed; the next one had its time.
    Backoff,
    /// It waited for its conditions, or its code for time, a signal or a child run.
    Wait,
}

impl Timeline {
    /// Draws up what the tasks of a run did, up to now if it has not ended.
    ///
    /// A run's log is folded already, and the fold keeps no instant of a signal's arrival: such a wait counts as running once
    /// it is over. Of a sleep counts what follows the last thing that is known of before its end.
    pub fn of(view: &RunView, now: Timestamp) -> Timeline {
        Timeline::zoomed(view, now, None)
    }

    /// The same of a part of the run's time, from and to so long after its start: what happened before and after it is left
    /// out, the rows' sums are of the whole. A part that is empty, or lies behind the run's end, is none.
    pub fn zoomed(view: &RunView, now: Timestamp, zoom: Option<(Duration, Duration)>) -> Timeline {
        let Some(from) = view.started_at else {
            let (gaps, marks, rows) = (Vec::new(), Vec::new(), Vec::new());
            return Timeline { from: None, length: Duration::ZERO, zoom: None, marks, gaps, rows };
        };
        let end = view.finished_at.unwrap_or(now).max(from);
        let whole = length(from, end);
        let zoom = zoom.map(|(first, last)| (first, last.min(whole))).filter(|(first, last)| first < last);
        let (first, last) = zoom.map_or((from, end), |(first, last)| (from + first, from + last));
        let stretches: Vec<Vec<Stretch>> =
            view.tasks.iter().map(|task| phases::of(view, task, end)).collect();
        let axis = Axis::of(first, last, stretches.iter().flatten());
        let critical = critical(view, end);
        let rows = view.tasks.iter().zip(&stretches).zip(critical);
        let rows = rows.map(|((task, stretches), critical)| {
            let span = stretches.first().zip(stretches.last());
            let span = span.map(|(first, last)| (length(from, first.from), length(from, last.to)));
            TimelineRow { span, ..row(task, stretches, critical, &axis) }
        });
        Timeline {
            from: Some(from),
            length: whole,
            zoom,
            marks: axis.marks(from),
            gaps: axis.gaps(),
            rows: rows.collect(),
        }
    }
}

fn row(task: &TaskView, stretches: &[Stretch], critical: bool, axis: &Axis) -> TimelineRow {
    let total =
        |phase: Phase| stretches.iter().filter(|stretch| stretch.phase == phase).map(Stretch::length).sum();
    TimelineRow {
        task: task.name.clone(),
        status: task.status,
        attempts: u32::try_from(task.attempts.len()).unwrap_or(u32::MAX),
        retries: task.status == TaskStatus::Queued && task.retry_at.is_some(),
        waits: task.status == TaskStatus::Running
            && stretches.last().is_some_and(|last| last.phase == Phase::Wait),
        critical,
        segments: segments(stretches, axis),
        span: None,
        queue: total(Phase::Queue),
        run: total(Phase::Run),
        backoff: total(Phase::Backoff),
        wait: total(Phase::Wait),
    }
}

/// Places a task's stretches, and has the narrow ones of too many belong to those before them.
fn segments(stretches: &[Stretch], axis: &Axis) -> Vec<Segment> {
    let segment = |stretch: &Stretch| {
        let at = axis.place(stretch.from);
        Segment {
            phase: stretch.phase,
            at,
            width: axis.place(stretch.to).saturating_sub(at),
            length: stretch.length(),
            attempt: stretch.attempt,
            failed: stretch.failed,
        }
    };
    let mut segments: Vec<Segment> =
        stretches.iter().filter(|stretch| axis.shows(stretch)).map(segment).collect();
    let mut narrow = 1;
    while segments.len() > SEGMENTS_MAX && narrow <= axis::WHOLE {
        let mut kept: Vec<Segment> = Vec::new();
        for segment in segments {
            match kept.last_mut().filter(|_| segment.width < narrow) {
                Some(before) => {
                    before.width = (segment.at + segment.width).saturating_sub(before.at);
                    before.length += segment.length;
                    before.failed |= segment.failed;
                }
                None => kept.push(segment),
            }
        }
        segments = kept;
        narrow *= 2;
    }
    segments
}

/// Says of each task whether it is one of those that followed each other to the end: the one that ended last, the one of those
/// before it that ended last, and so on.
fn critical(view: &RunView, end: Timestamp) -> Vec<bool> {
    let ended = |task: &TaskView| {
        let last = task.attempts.last()?;
        Some(last.finished_at.unwrap_or(end))
    };
    let last_of = |tasks: &mut dyn Iterator<Item = (usize, &TaskView)>| {
        let ended = tasks.filter_map(|(at, task)| Some((ended(task)?, at)));
        ended.max().map(|(_, at)| at)
    };
    let mut critical = vec![false; view.tasks.len()];
    let mut next = last_of(&mut view.tasks.iter().enumerate());
    while let Some(at) = next {
        // A plan has no circle; a view that was put together by hand may.
        let Some(mark) = critical.get_mut(at).filter(|mark| !**mark) else { break };
        *mark = true;
        let Some(task) = view.tasks.get(at) else { break };
        let is_before = |(_, other): &(usize, &TaskView)| match task.role {
            Role::Task => task.after.contains(&other.name),
            // It begins when the others are done with.
            Role::OnFailure => other.role == Role::Task,
        };
        next = last_of(&mut view.tasks.iter().enumerate().filter(is_before));
    }
    critical
}

fn length(from: Timestamp, to: Timestamp) -> Duration {
    (to - from).to_std().unwrap_or_default()
}
