//! Runs and their logs as a person reads them on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::inspect::{AttemptView, RunView, TaskView};
use crate::model::{Event, Failure, Payload, Recorded, Status, TaskStatus, Timestamp};

/// Characters of a JSON value that are shown.
const JSON_CHARS_MAX: usize = 76;

/// Writes to standard output, in colour where that is wanted.
pub(super) struct Printer {
    out: io::Stdout,
    colour: bool,
}

/// How a piece of text looks.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Strong,
    Faint,
    Good,
    Bad,
}

impl Printer {
    /// Makes a printer: no colour with `NO_COLOR` (<https://no-color.org>), on a dumb terminal, or on none.
    pub(super) fn new() -> Printer {
        let out = io::stdout();
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = out.is_terminal() && !unwanted && !dumb;
        Printer { out, colour }
    }

    /// Writes one line, or several.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())
    }

    /// Writes a text without ending the line, and shows it at once.
    pub(super) fn ask(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Gives a text its style.
    pub(super) fn paint(&self, style: Style, text: impl AsRef<str>) -> String {
        let (code, text) = (style.code(), text.as_ref());
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes what a run was, how it ended, and what its tasks gave.
    pub(super) fn run(&mut self, run: &RunView) -> io::Result<()> {
        self.head(run)?;
        self.json("input", &run.input)?;
        if let Some(output) = &run.output {
            self.json("output", output)?;
        }
        self.line("")?;
        run.tasks.iter().try_for_each(|task| self.task(task))
    }

    /// Writes why a run failed: the task, its error, its attempts, what it was given, and how the others ended.
    pub(super) fn failure(&mut self, run: &RunView) -> io::Result<()> {
        self.head(run)?;
        let failed = run.tasks.iter().filter(|task| is_bad(task.status));
        for task in failed {
            if let Some(error) = &task.error {
                self.error(task, error)?;
            }
            self.json("input", &run.input)?;
            for (before, output) in &task.inputs {
                self.json(&format!("{before} gave"), output)?;
            }
            self.line("")?;
            self.line(self.paint(Style::Strong, format!("attempts at {}", task.name)))?;
            task.attempts.iter().try_for_each(|attempt| self.attempt(attempt))?;
        }
        self.line("")?;
        self.line(self.paint(Style::Strong, "all tasks"))?;
        run.tasks.iter().try_for_each(|task| self.task(task))
    }

    /// Writes a run's log, one line an event.
    pub(super) fn log(&mut self, log: &[Recorded]) -> io::Result<()> {
        let Some(began) = log.first().map(|recorded| recorded.at) else { return Ok(()) };
        for Recorded { seq, at, event, .. } in log {
            let place = match event {
                Event::Run(_) => String::new(),
                Event::Task(place, _) => format!("{} {}", place.task, place.attempt),
            };
            let after = self.paint(Style::Faint, format!("{:>9}", format!("+{}", span(Some(*at - began)))));
            let line = format!("  {seq:>3} {after}  {:<18} {place}", event.kind());
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    fn head(&mut self, run: &RunView) -> io::Result<()> {
        let style = if run.status == Status::Succeeded { Style::Good } else { Style::Bad };
        let status = self.paint(style, run.status.as_str());
        let took = run.finished_at.map(|end| end - run.created_at);
        self.line(format!("run {}  {} {}  {status} after {}", run.id, run.workflow, run.version, span(took)))
    }

    fn error(&mut self, task: &TaskView, error: &Failure) -> io::Result<()> {
        let headline = self.paint(Style::Bad, format!("{}: {}", error.kind, error.message));
        self.line(format!("  {:<14} task {}, {headline}", "why", task.name))?;
        for cause in &error.chain {
            self.line(format!("  {:<14} {cause}", "caused by"))?;
        }
        match &error.location {
            Some(location) => self.line(format!("  {:<14} {location}", "where")),
            None => Ok(()),
        }
    }

    fn json(&mut self, name: &str, value: &Payload) -> io::Result<()> {
        self.line(format!("  {name:<14} {}", short(value)))
    }

    fn attempt(&mut self, attempt: &AttemptView) -> io::Result<()> {
        let AttemptView { number, started_at, finished_at, error, .. } = attempt;
        let at = self.paint(Style::Faint, clock(*started_at));
        let took = span(finished_at.map(|end| end - *started_at));
        let outcome = match error {
            Some(Failure { kind, message, .. }) => {
                self.paint(Style::Bad, format!("failed after {took}: {kind}: {message}"))
            }
            None => took,
        };
        self.line(format!("  {number}  {at}  {outcome}"))
    }

    fn task(&mut self, task: &TaskView) -> io::Result<()> {
        let padded = format!("{:<10}", task.status.as_str());
        let status = match task.status {
            TaskStatus::Succeeded | TaskStatus::Reused => self.paint(Style::Good, padded),
            TaskStatus::Failed | TaskStatus::TimedOut => self.paint(Style::Bad, padded),
            TaskStatus::Queued | TaskStatus::Running | TaskStatus::Cancelled | TaskStatus::Skipped => {
                self.paint(Style::Faint, padded)
            }
        };
        let output = task.output.as_ref().map(short).unwrap_or_default();
        let line = format!("  {:<14} {status}  {output}", task.name.as_str());
        self.line(line.trim_end())
    }
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Bad => "31",
        }
    }
}

fn is_bad(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Failed | TaskStatus::TimedOut)
}

/// A JSON value on one line, cut where it is too long.
fn short(value: &Payload) -> String {
    let text = value.text();
    match text.char_indices().nth(JSON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A time of day.
fn clock(at: Timestamp) -> String {
    at.format("%H:%M:%S%.3f UTC").to_string()
}

/// A length of time, as exact as a person needs it.
fn span(length: Option<chrono::TimeDelta>) -> String {
    let length: Duration = length.and_then(|length| length.to_std().ok()).unwrap_or_default();
    match length.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        millis @ 1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        millis => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
    }
}
