//! Which part of a file is wanted: conditions and ranges (RFC 9110, sections 13 and 14).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, header};

/// What a request says of the file it asks for.
pub(super) struct Wanted {
    /// What its sender has already.
    known: Option<String>,
    range: Option<String>,
    /// The range counts only while the file is this one.
    range_of: Option<String>,
}

/// The part that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing: its sender has it.
    None,
    /// All of it.
    Whole,
    /// These bytes, from the first to the last.
    Bytes(usize, usize),
    /// Bytes that it does not have.
    Outside,
}

impl<S: Sync> FromRequestParts<S> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Wanted, Infallible> {
        let text = |name: HeaderName| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
        // A range is one of a GET's answer.
        let range = text(header::RANGE).filter(|_| parts.method == Method::GET);
        Ok(Wanted { known: text(header::IF_NONE_MATCH), range, range_of: text(header::IF_RANGE) })
    }
}

impl Wanted {
    /// Decides which part of a file with this tag and so many bytes it is.
    pub(super) fn of(&self, tag: &str, bytes: usize) -> Part {
        let is_known =
            |known: &str| known.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == tag);
        if self.known.as_deref().is_some_and(is_known) {
            return Part::None;
        }
        match &self.range {
            Some(range) if self.range_of.as_ref().is_none_or(|of| of.trim() == tag) => part(range, bytes),
            _ => Part::Whole,
        }
    }
}

/// Reads one range of bytes. What is no such range, or several, is as if it were not there.
fn part(range: &str, bytes: usize) -> Part {
    let asked = range.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = asked.and_then(|(_, range)| range.trim().split_once('-')) else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::Whole,
        (Some(first), _) if first >= bytes && (last.is_empty() || number(last).is_some()) => Part::Outside,
        (Some(first), Some(last)) => Part::Bytes(first, last.min(bytes - 1)),
        (Some(first), None) if last.is_empty() => Part::Bytes(first, bytes - 1),
        (None, Some(0)) if first.is_empty() => Part::Outside,
        (None, Some(length)) if first.is_empty() && bytes > 0 => {
            Part::Bytes(bytes.saturating_sub(length), bytes - 1)
        }
        (None, Some(_)) if first.is_empty() => Part::Outside,
        _ => Part::Whole,
    }
}

/// Reads a number of digits alone; one that is too large is the largest.
fn number(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}
