//! Columns that fit the terminal.

use super::plain::cut;
use super::{Screen, Style};

/// A table under construction: every row has as many cells as the head.
pub(in crate::cli) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// The column that gives way when the terminal is too narrow.
    gives_way: usize,
}

/// One cell: text that is safe on a terminal, and how it looks.
pub(in crate::cli) struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    pub(in crate::cli) fn new(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), style: None }
    }

    pub(in crate::cli) fn styled(text: impl Into<String>, style: Option<Style>) -> Cell {
        Cell { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(text)
    }
}

/// Narrower than this a column says nothing.
const WIDTH_MIN: usize = 12;

const GAP: &str = "  ";

impl Table {
    /// Begins one; `gives_way` is the column that is cut first.
    pub(in crate::cli) fn new(head: Vec<&'static str>, gives_way: usize) -> Table {
        Table { head, rows: Vec::new(), gives_way }
    }

    pub(in crate::cli) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Writes it, its columns as wide as they need to be and the terminal allows.
    pub(in crate::cli) fn print(&self, screen: &mut Screen) -> std::io::Result<()> {
        let widths = self.widths(screen.width());
        let head = self.head.iter().zip(&widths).map(|(name, width)| format!("{name:<width$}"));
        let head = head.collect::<Vec<_>>().join(GAP);
        screen.line(screen.paint(Style::Faint, head.trim_end()))?;
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                let text = format!("{:<width$}", cut(&cell.text, *width));
                cell.style.map_or(text.clone(), |style| screen.paint(style, text))
            });
            let line = cells.collect::<Vec<_>>().join(GAP);
            screen.line(line.trim_end())?;
        }
        Ok(())
    }

    fn widths(&self, total: Option<usize>) -> Vec<usize> {
        let width = |column: usize| {
            let cells =
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count());
            cells.chain(self.head.get(column).map(|name| name.chars().count())).max().unwrap_or_default()
        };
        let mut widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let needed = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        if let (Some(total), Some(soft)) = (total, widths.get_mut(self.gives_way)) {
            *soft = soft.saturating_sub(needed.saturating_sub(total)).max(WIDTH_MIN.min(*soft));
        }
        widths
    }
}
