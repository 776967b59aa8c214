//! The words of a JSON text, as slices of it.

/// One word of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As it is typed.
    pub(super) text: &'a str,
    /// Where it begins, in bytes.
    pub(super) at: usize,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    Colon,
    Comma,
    /// A string, with its quotes.
    Text,
    Number,
    /// `true`, `false`, `null`.
    Word,
}

/// Reads a text that is JSON, or the beginning of one.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Tokens<'a> {
        Tokens { text, at: 0 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.at..)?;
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let at = self.at + rest.len() - trimmed.len();
        let first = trimmed.chars().next()?;
        let (kind, length) = match first {
            '{' | '[' => (Kind::Open, 1),
            '}' | ']' => (Kind::Close, 1),
            ':' => (Kind::Colon, 1),
            ',' => (Kind::Comma, 1),
            '"' => (Kind::Text, string_length(trimmed)),
            '-' | '0'..='9' => (Kind::Number, word_length(trimmed)),
            // At least the character itself, or reading would not go on.
            _ => (Kind::Word, word_length(trimmed).max(first.len_utf8())),
        };
        self.at = at + length;
        Some(Token { kind, text: trimmed.get(..length)?, at })
    }
}

/// Returns how long the string at the beginning is; all of the text, where it has no end.
fn string_length(text: &str) -> usize {
    let mut is_escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        // The first quote counts as escaped: it is not the end.
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns how long the number or word at the beginning is.
fn word_length(text: &str) -> usize {
    let is_end = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | ':' | '{' | '}' | '[' | ']' | '"');
    text.find(is_end).unwrap_or(text.len())
}

/// Counts the members of each object and array, in the order of their beginnings; those that the text's end cuts off are not
/// counted.
pub(super) fn members(text: &str) -> Vec<usize> {
    let mut members: Vec<usize> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for token in Tokens::of(text) {
        let inner = open.last().and_then(|level| members.get_mut(*level));
        match token.kind {
            Kind::Close => {
                open.pop();
            }
            Kind::Comma => {
                if let Some(count) = inner {
                    *count += 1;
                }
            }
            Kind::Open | Kind::Text | Kind::Number | Kind::Word | Kind::Colon => {
                if let Some(count) = inner.filter(|count| **count == 0) {
                    *count = 1;
                }
                if token.kind == Kind::Open {
                    open.push(members.len());
                    members.push(0);
                }
            }
        }
    }
    members
}
