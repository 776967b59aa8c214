//! Numbers and times, for people.

use std::time::Duration;

use chrono::SecondsFormat;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::inspect::span::span;
use crate::model::{RunId, Timestamp};

/// Characters of an id that are shown in a list: its last ones differ.
const SHORT_CHARS: usize = 8;

/// Writes how long ago an instant was, or how soon it will be; all of it is in its title.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let passed = now - at;
    let length = span(passed.abs().to_std().unwrap_or_default());
    let text =
        if passed < chrono::TimeDelta::zero() { format!("in {length}") } else { format!("{length} ago") };
    let exact = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    html! { time datetime=(exact) title=(exact) { (text) } }
}

/// Writes the time of day to the millisecond; all of it is in its title.
pub(super) fn clock(at: Timestamp) -> Markup {
    let exact = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    html! { time datetime=(exact) title=(exact) data-as="clock" { (at.format("%H:%M:%S%.3f").to_string()) } }
}

/// Writes how long something took; a dash while it has not ended.
pub(super) fn took(took: Option<Duration>) -> String {
    took.map_or_else(|| "–".to_owned(), span)
}

/// Writes the time between two instants.
pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    span((to - from).to_std().unwrap_or_default())
}

/// Writes a number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number and its noun.
pub(super) fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// Writes the end of a run's id; all of it is what it links to.
pub(super) fn short(run: RunId) -> String {
    let text = run.to_string();
    let from = text.len().saturating_sub(SHORT_CHARS);
    format!("…{}", text.get(from..).unwrap_or(&text))
}

/// Writes a text as a part of an address.
pub(super) fn escaped(text: &str) -> String {
    /// All but what RFC 3986 calls unreserved.
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}
