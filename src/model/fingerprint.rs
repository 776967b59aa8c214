//! Which failures have the same cause: a short hash of what stays the same when only ids and numbers differ.

use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::ids::{TaskName, WorkflowName};

/// Characters of a message that count: what tells two causes apart stands at its beginning, a dump of data at its end.
const NORMALISED_CHARS_MAX: usize = 512;

/// Hexadecimal digits of a fingerprint: 48 bits keep a million groups apart but for a chance of 1 in 500, and fit a column.
const DIGITS: usize = 12;

/// What stands for a value that was left out.
const VALUE: char = '#';

/// Letters of a word that can only be hexadecimal; no word of a language is so long with `a` to `f` alone.
const HEX_LETTERS_MIN: usize = 16;

/// Returns the fingerprint of a failure, 12 hexadecimal digits: equal when workflow, task, kind, place and
/// [`normalised`] message are.
pub fn fingerprint(workflow: &WorkflowName, task: Option<&TaskName>, failure: &Failure) -> String {
    let message = normalised(&failure.message);
    let location = failure.location.as_deref().unwrap_or_default();
    let task = task.map_or("", TaskName::as_str);
    let mut hash = Sha256::new();
    for part in [workflow.as_str(), task, &failure.kind, location, &message] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the message with `#` for every value in it: numbers, ids, addresses, times, and what stands in quotes.
///
/// A value is a word with a digit in it, a UUID, a long hexadecimal word, or a text in single or double quotes; values
/// that only punctuation parts (`10.0.0.1:80`, `1, 2, 3`) count as one. What stands in backticks stays: by custom it is
/// a name in the code. Only the first 512 characters count.
pub fn normalised(message: &str) -> String {
    let mut text = Normalised::default();
    let mut rest = message;
    while let Some(first) = rest.chars().next().filter(|_| text.chars < NORMALISED_CHARS_MAX) {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let taken = match first {
            '"' | '\'' if !text.in_word => quoted(rest, first),
            c if is_word(c) => uuid(rest),
            _ => None,
        };
        let (length, is_value) = match taken {
            Some(length) => (length, true),
            None if word > 0 => (word, is_number(rest.get(..word).unwrap_or_default())),
            None => (first.len_utf8(), false),
        };
        match is_value {
            true => text.push_value(),
            false => text.push(rest.get(..length).unwrap_or_default()),
        }
        text.in_word = word > 0;
        rest = rest.get(length..).unwrap_or_default();
    }
    let end = text.text.char_indices().nth(NORMALISED_CHARS_MAX).map_or(text.text.len(), |(at, _)| at);
    let kept = text.text.get(..end).unwrap_or_default().trim_end();
    kept.to_owned()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_number(word: &str) -> bool {
    let is_hex = || word.len() >= HEX_LETTERS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    word.chars().any(char::is_numeric) || is_hex()
}

/// Returns the length of the quoted text at the beginning of `rest`; `None` when the quote is not closed.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c if c == quote => {
                let end = at + c.len_utf8();
                // An apostrophe stands before a letter.
                let closes = !rest.get(end..)?.starts_with(is_word);
                if closes {
                    return Some(end);
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the length of the UUID at the beginning of `rest`, if there is one: its groups may be letters alone.
fn uuid(rest: &str) -> Option<usize> {
    const LENGTH: usize = 36;
    let text = rest.get(..LENGTH)?;
    let fits = text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (fits && !rest.get(LENGTH..)?.starts_with(is_word)).then_some(LENGTH)
}

#[derive(Default)]
struct Normalised {
    text: String,
    chars: usize,
    /// Whether the last piece was a word, so that a quote after it is an apostrophe.
    in_word: bool,
}

impl Normalised {
    fn push(&mut self, piece: &str) {
        if !piece.starts_with(char::is_whitespace) {
            self.text.push_str(piece);
            self.chars += piece.chars().count();
        } else if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
            self.chars += 1;
        }
    }

    /// Adds a value, or joins it to the one before when only punctuation parts them.
    fn push_value(&mut self) {
        let joint = |c: char| matches!(c, '-' | '+' | '.' | ':' | ',' | '/' | ' ');
        let before = self.text.trim_end_matches(joint);
        let between = self.text.get(before.len()..).unwrap_or_default();
        if before.ends_with(VALUE) && between.trim() != "" {
            self.text.truncate(before.len());
            return;
        }
        let signs = self.text.trim_end_matches(['-', '+']);
        if !signs.ends_with(|c| is_word(c) || c == VALUE) {
            self.text.truncate(signs.len());
        }
        self.text.push(VALUE);
        self.chars += 1;
    }
}
