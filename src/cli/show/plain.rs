//! Stored text on a terminal: whatever it holds, it does nothing there.

use std::fmt::Write;

/// Writes what a terminal would obey as what it is: `ESC[31m` becomes `\u{1b}[31m`. Line ends and tabs become spaces.
pub(in crate::cli) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => safe.push(' '),
            c if obeyed(c) => {
                // Writing into a string does not fail.
                let _written = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Controls of terminals, and what turns the direction of text around.
fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Cuts a text at so many characters, and says so.
pub(in crate::cli) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// Writes a number and its noun.
pub(in crate::cli) fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}
