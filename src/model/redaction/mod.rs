//! Which values of payloads a service does not show, and how a text reads without them.
//!
//! A payload is text, and stays it: the spans of hidden values are replaced, every other byte is as it was stored.

mod path;
mod scan;
mod restore;

use std::ops::Range;

pub use self::path::RedactionError;
pub use self::restore::RestoreError;

use self::path::Path;
use self::scan::{pointer, scan};
use super::limits::REDACTED_PATHS_MAX;
use super::payload::Payload;

/// What stands in place of a hidden value, as a JSON string.
pub const REDACTED: &str = "‹redacted›";

/// The same as JSON.
pub const REDACTED_JSON: &str = "\"‹redacted›\"";

/// Which values of payloads are hidden: those that one of its paths leads to, each path from a payload's own root.
///
/// A path is a small part of JSONPath (RFC 9535): `$`, then steps. `.name` and `["any name"]` go to a member, `[3]` to an
/// element, `.*` and `[*]` to every member or element, and `..name`, `..["any name"]`, `..[3]` and `..*` to those at any depth.
/// `$` alone leads to the payload as a whole. Names count as they read, however they are escaped; upper and lower case differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    paths: Vec<Path>,
}

impl Redaction {
    /// Reads paths.
    ///
    /// # Errors
    /// [`RedactionError`] with the path that cannot be read, where, and why.
    pub fn of<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Result<Redaction, RedactionError> {
        let mut redaction = Redaction::default();
        redaction.add(paths)?;
        Ok(redaction)
    }

    /// Adds paths to those that there are; one that is there already is not added again.
    ///
    /// # Errors
    /// As for [`of`](Redaction::of); then none of them is added.
    pub fn add<P: AsRef<str>>(&mut self, paths: impl IntoIterator<Item = P>) -> Result<(), RedactionError> {
        let mut all = self.paths.clone();
        for text in paths {
            let path = Path::parse(text.as_ref())?;
            if all.contains(&path) {
                continue;
            }
            if all.len() == REDACTED_PATHS_MAX {
                return Err(RedactionError {
                    path: path.text,
                    at: 1,
                    problem: format!("there are {REDACTED_PATHS_MAX} paths already, which is the limit"),
                });
            }
            all.push(path);
        }
        self.paths = all;
        Ok(())
    }

    /// Divides a text that holds several paths, as a variable of the environment does: by white space and commas, which stand
    /// in a path only inside of `[…]`.
    pub fn divide(text: &str) -> Vec<&str> {
        path::divide(text)
    }

    /// Says whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Returns the paths as they were written, each once.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|path| path.text.as_str())
    }

    /// Returns each path with the last name in it, if there is one.
    pub(in crate::model) fn ends(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.paths.iter().map(|path| (path.text.as_str(), path.last_name()))
    }

    /// Hides what is to be hidden. A text that is no JSON, which no payload is, is hidden as a whole.
    pub fn hide(&self, payload: &mut Payload) {
        if let Some(text) = self.hidden(payload.text()) {
            *payload = Payload::rewritten(text);
        }
    }

    /// Writes a JSON text without what is hidden; `None` when nothing in it is.
    pub fn hidden(&self, text: &str) -> Option<String> {
        if self.paths.is_empty() {
            return None;
        }
        let mut spans: Vec<Range<usize>> = Vec::new();
        let read = scan(text, &self.paths, &mut |spot| {
            if spot.hidden {
                spans.push(spot.span);
            }
        });
        let Some(()) = read else { return Some(REDACTED_JSON.to_owned()) };
        if spans.is_empty() {
            return None;
        }
        let with = spans.into_iter().map(|span| (span, REDACTED_JSON));
        Some(replaced(text, with).unwrap_or_else(|| REDACTED_JSON.to_owned()))
    }

    /// Finds a placeholder where a value belongs that is hidden: a JSON Pointer (RFC 6901) to it. Whoever sends such a text has
    /// copied it from where the value was not shown.
    pub fn left_in(&self, text: &str) -> Option<String> {
        let mut found = None;
        // What is no JSON is refused by others, who say why.
        let _read = scan(text, &self.paths, &mut |spot| {
            if spot.hidden && found.is_none() && restore::holds(text.get(spot.span.clone())) {
                found = Some(pointer(spot.place));
            }
        });
        found
    }
}

/// Says whether a text has a value that some service hid.
pub fn is_redacted(text: &str) -> bool {
    text.contains(REDACTED_JSON)
}

/// Writes a text with other texts in place of some spans, which ascend; `None` when they do not.
fn replaced<'a>(text: &str, with: impl IntoIterator<Item = (Range<usize>, &'a str)>) -> Option<String> {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (span, instead) in with {
        out.push_str(text.get(at..span.start)?);
        out.push_str(instead);
        at = span.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}
