//! A stored JSON text as a page shows it: every number and string as it was typed, one member a line, the depths folded.

use std::fmt::Write;
use std::iter::Peekable;

use maud::{Escaper, Markup, PreEscaped, html};
use serde::de::IgnoredAny;

use crate::model::redaction::{REDACTED, REDACTED_JSON};

use super::tokens::{self, Kind, Token, Tokens};

/// A longer text is shown in part.
const WHOLE_BYTES_MAX: usize = 64 << 10;

/// That part.
const PART_BYTES: usize = 16 << 10;

/// Lines with colours and folds; more of them are one fold of plain text.
const LINES_MAX: usize = 200;

/// Bytes of that plain text; what comes then stands as it is stored. Indents make a text longer.
const PLAIN_BYTES_MAX: usize = 128 << 10;

/// Objects and arrays that are deeper are folded.
const DEPTH_OPEN_MAX: usize = 3;

/// Levels that are indented and folded: those of any stored payload.
const DEPTH_SHOWN_MAX: usize = 64;

/// Shows a text. One that is no JSON is shown as it is; one of more than 64 KiB by its first 16 KiB and its size.
pub(super) fn payload(text: &str) -> Markup {
    let shown = match text.len() > WHOLE_BYTES_MAX {
        true => text.get(..text.floor_char_boundary(PART_BYTES)).unwrap_or_default(),
        false => text,
    };
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    html! {
        div.payload tabindex="0" role="group" aria-label="JSON" {
            @if is_json { (PreEscaped(Lines::write(shown))) } @else { (shown) }
        }
        @if shown.len() < text.len() {
            p.cut { "The first " (size(shown.len())) " of " (size(text.len())) "." }
        }
    }
}

/// Writes a number of bytes for people: `812 B`, `16 KiB`, `1.3 MiB`.
fn size(bytes: usize) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20),
    }
}

/// An object or array whose members are being written.
struct Level {
    /// Whether it is in a fold of its own.
    is_folded: bool,
}

/// A JSON text on its way into lines.
struct Lines<'a> {
    tokens: Peekable<Tokens<'a>>,
    /// How many members each object and array has, in the order of their beginnings.
    members: std::vec::IntoIter<usize>,
    levels: Vec<Level>,
    html: String,
    lines: usize,
    /// Whether colours and folds are over.
    is_plain: bool,
}

impl<'a> Lines<'a> {
    fn write(text: &'a str) -> String {
        let tokens = Tokens::of(text).peekable();
        let members = tokens::members(text).into_iter();
        let mut lines = Lines {
            tokens,
            members,
            levels: Vec::new(),
            html: String::with_capacity(4 * text.len()),
            lines: 0,
            is_plain: false,
        };
        while lines.lines < LINES_MAX && lines.line() {}
        lines.unfold();
        lines.rest(text);
        lines.html
    }

    /// Closes all folds: what follows is outside of them.
    fn unfold(&mut self) {
        for level in &mut self.levels {
            if std::mem::take(&mut level.is_folded) {
                self.html.push_str("</details>");
            }
        }
    }

    /// Writes what is left as one fold of plain text.
    fn rest(&mut self, text: &str) {
        if self.tokens.peek().is_none() {
            return;
        }
        let before = std::mem::take(&mut self.html);
        (self.lines, self.is_plain) = (0, true);
        while self.html.len() < PLAIN_BYTES_MAX && self.line() {}
        let left = self.tokens.peek().and_then(|token| text.get(token.at..)).unwrap_or_default();
        let plain = std::mem::replace(&mut self.html, before);
        let more = if left.is_empty() { "" } else { " and what follows" };
        let _written = write!(
            self.html,
            "<details class=\"rest\"><summary>{} more lines{more}</summary>{plain}",
            self.lines
        );
        self.text(left);
        self.html.push_str("</details>");
    }

    /// Writes the next line; `false` when there is none.
    fn line(&mut self) -> bool {
        let Some(first) = self.tokens.next() else { return false };
        self.lines += 1;
        if first.kind == Kind::Close {
            let folded = self.levels.pop().is_some_and(|level| level.is_folded);
            self.indent();
            self.text(first.text);
            self.end_of_line();
            if folded {
                self.html.push_str("</details>");
            }
            return true;
        }
        let has_name = self.tokens.next_if(|token| token.kind == Kind::Colon).is_some();
        let value = if has_name { self.tokens.next() } else { Some(first) };
        let name = has_name.then_some(first);
        match value {
            Some(value) if value.kind == Kind::Open => self.open(name, value),
            value => {
                self.head(name, value);
                self.end_of_line();
            }
        }
        true
    }

    /// Writes an object's or array's first line, and all of it if it is empty.
    fn open(&mut self, name: Option<Token<'a>>, value: Token<'a>) {
        let members = self.members.next().unwrap_or_default();
        if let Some(close) = self.tokens.next_if(|token| token.kind == Kind::Close) {
            self.head(name, Some(value));
            self.text(close.text);
            self.end_of_line();
            return;
        }
        let depth = self.levels.len();
        let is_folded = !self.is_plain && (DEPTH_OPEN_MAX..DEPTH_SHOWN_MAX).contains(&depth);
        if is_folded {
            self.html.push_str("<details><summary>");
        }
        self.head(name, Some(value));
        match is_folded {
            true => {
                let _written = write!(self.html, " <span class=\"members\">{members}</span></summary>");
            }
            false => self.html.push('\n'),
        }
        self.levels.push(Level { is_folded });
    }

    /// Writes the indent, a name and a value.
    fn head(&mut self, name: Option<Token<'a>>, value: Option<Token<'a>>) {
        self.indent();
        if let Some(name) = name {
            self.coloured("k", name.text);
            self.html.push_str(": ");
        }
        let Some(value) = value else { return };
        match value.kind {
            Kind::Text if value.text == REDACTED_JSON => self.hidden(),
            Kind::Text => self.coloured("s", value.text),
            Kind::Number => self.coloured("n", value.text),
            Kind::Word => self.coloured("b", value.text),
            Kind::Open | Kind::Close | Kind::Colon | Kind::Comma => self.text(value.text),
        }
    }

    fn end_of_line(&mut self) {
        let comma = self.tokens.next_if(|token| token.kind == Kind::Comma);
        self.html.push_str(if comma.is_some() { ",\n" } else { "\n" });
    }

    fn indent(&mut self) {
        self.html.extend(std::iter::repeat_n("  ", self.levels.len().min(DEPTH_SHOWN_MAX)));
    }

    fn coloured(&mut self, class: &str, text: &str) {
        match self.is_plain {
            true => self.text(text),
            false => {
                let _written = write!(self.html, "<span class=\"{class}\">");
                self.text(text);
                self.html.push_str("</span>");
            }
        }
    }

    /// Writes that there is a value which is not shown, and who decided that.
    fn hidden(&mut self) {
        match self.is_plain {
            true => self.text(REDACTED),
            false => {
                let _written = write!(
                    self.html,
                    "<span class=\"b\" title=\"hidden by a rule of this service\">{REDACTED}</span>"
                );
            }
        }
    }

    fn text(&mut self, text: &str) {
        let _written = Escaper::new(&mut self.html).write_str(text);
    }
}
