//! A diff for people.

use std::fmt;

use super::{Diff, Difference, OpLine, Row};

/// Equal lines that are shown on either side of a difference.
const CONTEXT: usize = 3;

/// Lines that are shown in all: what a person reads, and what a run's log keeps of it.
const LINES_MAX: usize = 40;

/// The widest that the recorded column becomes, in characters.
const COLUMN_MAX: usize = 60;

impl fmt::Display for OpLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.op)
    }
}

impl OpLine {
    fn placed(&self) -> String {
        let at = self.location.as_ref().map(|location| format!(" ({location})")).unwrap_or_default();
        format!("{self}{at}")
    }

    fn with_input(&self, shown: bool) -> String {
        let input = self.input.as_ref().filter(|_| shown);
        let input = input.map(|input| format!(" input {input}")).unwrap_or_default();
        format!("{self}{input}")
    }
}

impl Diff {
    /// Says the first difference in one line, and how many there are.
    pub fn headline(&self) -> String {
        let mut differences = self.differences();
        let Some((difference, row)) = differences.next() else { return "no difference".to_owned() };
        let first = sentence(difference, row);
        match differences.count() {
            0 => first,
            1 => format!("{first}; and 1 more difference"),
            more => format!("{first}; and {more} more differences"),
        }
    }
}

fn sentence(difference: Difference, row: &Row) -> String {
    let recorded = row.recorded.as_ref().map(ToString::to_string).unwrap_or_default();
    let code = row.code.as_ref().map(OpLine::placed).unwrap_or_default();
    let input = |line: &Option<OpLine>| line.as_ref().and_then(|line| line.input.clone()).unwrap_or_default();
    match difference {
        Difference::Inserted => format!("the code asks for a {code} that the log does not have"),
        Difference::Removed => format!("the log has a {recorded} that the code does not ask for"),
        Difference::Renamed | Difference::KindChanged => {
            format!("the log has a {recorded} where the code asks for a {code}")
        }
        Difference::Reordered => format!("the log has a {recorded} that the code asks for in another place"),
        Difference::InputChanged => {
            let (ours, theirs) = (input(&row.code), input(&row.recorded));
            format!("the code gives the {code} another input: {ours}, the log has {theirs}")
        }
    }
}

/// The headline, then the two columns: `-` only in the log, `+` only in the code, `~` otherwise, `?` not reached.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        let recorded = |row: &Row| {
            let shown = row.difference == Some(Difference::InputChanged);
            row.recorded.as_ref().map(|line| line.with_input(shown)).unwrap_or_default()
        };
        let near = |at: usize| {
            let from = at.saturating_sub(CONTEXT);
            self.rows.iter().skip(from).take(at + CONTEXT + 1 - from).any(|row| row.difference.is_some())
        };
        let shown: Vec<(usize, &Row)> =
            self.rows.iter().enumerate().filter(|(at, _)| near(*at)).take(LINES_MAX).collect();
        let width = shown.iter().map(|(_, row)| recorded(row).chars().count()).max().unwrap_or(0);
        let width = width.clamp("recorded".len(), COLUMN_MAX);
        write!(f, "  {:width$} | code", "recorded")?;
        let mut next = 0;
        for (at, row) in shown {
            elided(f, at - next)?;
            next = at + 1;
            let left = cut(&recorded(row));
            write!(f, "\n{} {left:width$} | {}", mark(row), right(row))?;
        }
        elided(f, self.rows.len() - next)
    }
}

fn elided(f: &mut fmt::Formatter<'_>, rows: usize) -> fmt::Result {
    if rows == 0 { Ok(()) } else { write!(f, "\n  … {rows} more") }
}

fn mark(row: &Row) -> char {
    match (row.difference, &row.recorded, &row.code) {
        (None, Some(_), Some(_)) => ' ',
        (None, ..) => '?',
        (Some(_), Some(_), None) => '-',
        (Some(_), None, Some(_)) => '+',
        (Some(_), ..) => '~',
    }
}

fn right(row: &Row) -> String {
    let shown = row.difference == Some(Difference::InputChanged);
    let code = row.code.as_ref().map(|line| {
        let location = line.location.as_deref().unwrap_or_default();
        format!("{}  {location}", cut(&line.with_input(shown)))
    });
    let difference = row.difference.map(|difference| format!("[{difference}]"));
    let words = [code.map(|code| code.trim_end().to_owned()), difference];
    words.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn cut(text: &str) -> String {
    if text.chars().count() <= COLUMN_MAX {
        return text.to_owned();
    }
    text.chars().take(COLUMN_MAX - 1).chain(['…']).collect()
}
