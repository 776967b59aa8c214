//! The lines that code wrote.

use std::io;

use super::{Screen, Style, plain};
use crate::cli::documents::LogLine;

/// Writes one line of code: when, how much it matters, where, and what.
pub(in crate::cli) fn log_line(screen: &mut Screen, line: &LogLine) -> io::Result<()> {
    let place = format!("{} {}", plain(&line.task), line.attempt);
    let (head, said) = (head(screen, line), said(line));
    screen.line(format!("{head} {place}  {said}"))
}

/// Writes the same below a fact, where the place is known.
pub(super) fn fact_line(screen: &mut Screen, name: &str, line: &LogLine) -> io::Result<()> {
    let (head, said) = (head(screen, line), said(line));
    screen.line(format!("  {name:<10} {head} {said}"))
}

fn head(screen: &Screen, line: &LogLine) -> String {
    let style = match line.level.to_lowercase().as_str() {
        "error" => Style::Bad,
        "warn" => Style::Busy,
        _ => Style::Faint,
    };
    let at = screen.paint(Style::Faint, line.at.format("%H:%M:%S%.3f").to_string());
    let level = screen.paint(style, format!("{:<5}", plain(&line.level.to_uppercase())));
    format!("{at} {level}")
}

fn said(line: &LogLine) -> String {
    let dropped = if line.dropped > 0 { format!("  ({} dropped)", line.dropped) } else { String::new() };
    format!("{}{dropped}", plain(&line.message))
}
