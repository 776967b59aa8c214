//! How answers look on a terminal.

mod plain;
mod table;
mod time;
mod run;
mod line;
mod trace;
mod why;

use std::io::{self, IsTerminal, Write};

use super::options::{Colour, Options, Times};
use crate::clock;
use crate::model::Timestamp;

pub(super) use self::line::log_line;
pub(super) use self::plain::{counted, cut, plain};
pub(super) use self::run::{event_line, headline, run, task};
pub(super) use self::table::{Cell, Table};
pub(super) use self::time::{between, span};
pub(super) use self::trace::trace;
pub(super) use self::why::{actions, changes, text, why};

/// Standard output, and how to write on it.
pub(super) struct Screen {
    out: io::Stdout,
    colour: bool,
    times: Times,
    quiet: bool,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Strong,
    Faint,
    Good,
    Bad,
    Busy,
}

impl Screen {
    /// Makes one as the options and the environment ask: <https://no-color.org>, `CLICOLOR_FORCE`, `TERM=dumb`.
    pub(super) fn new(options: &Options) -> Screen {
        let out = io::stdout();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = match options.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if is_set("NO_COLOR") => false,
            Colour::Auto => is_set("CLICOLOR_FORCE") || out.is_terminal() && !dumb,
        };
        Screen { out, colour, times: options.time, quiet: options.quiet }
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

    /// Writes bytes as they are, and ends their line.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        if !bytes.ends_with(b"\n") {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// Writes what is no result to standard error, unless only results are wanted.
    pub(super) fn remark(&self, text: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", text.as_ref());
        }
    }

    /// Begins a page anew, on a terminal.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if self.is_terminal() {
            write!(self.out, "\x1b[H\x1b[2J")?;
        }
        Ok(())
    }

    /// Gives a text its style.
    pub(super) fn paint(&self, style: Style, text: impl AsRef<str>) -> String {
        let (code, text) = (style.code(), text.as_ref());
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes an instant as asked for.
    pub(super) fn time(&self, at: Timestamp) -> String {
        time::instant(at, clock::wall(), self.times)
    }

    /// How wide the terminal is; `None` where there is none and nothing is cut.
    pub(super) fn width(&self) -> Option<usize> {
        if !self.is_terminal() {
            return None;
        }
        terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.out.is_terminal()
    }
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Busy => "36",
        }
    }
}

/// A status with its mark and its colour: never colour alone.
pub(super) fn status(word: &str) -> (String, Option<Style>) {
    let (mark, style) = match word {
        "QUEUED" => ("◌", Some(Style::Faint)),
        "RUNNING" => ("◐", Some(Style::Busy)),
        "SUCCEEDED" => ("✓", Some(Style::Good)),
        "REUSED" => ("↻", Some(Style::Good)),
        "FAILED" => ("✕", Some(Style::Bad)),
        "TIMED_OUT" => ("⌛", Some(Style::Bad)),
        "CANCELLED" => ("⊘", Some(Style::Faint)),
        "SKIPPED" => ("–", Some(Style::Faint)),
        _ => ("·", None),
    };
    (format!("{mark} {}", plain(&word.to_lowercase())), style)
}
