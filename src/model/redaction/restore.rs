//! An edited text, with the values put back that its editor was not shown.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

use super::scan::{Segment, pointer, scan};
use super::{REDACTED, Redaction, replaced};

/// Why a hidden value cannot be put back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} says {REDACTED}: {why}", if pointer.is_empty() { "the whole" } else { pointer })]
pub struct RestoreError {
    /// Where: a JSON Pointer (RFC 6901) into the edited text.
    pub pointer: String,
    /// Why, and what to do.
    pub why: &'static str,
}

const ELSEWHERE: &str = "no value is hidden in this place, so none can be put back; write it out";
const NOTHING: &str = "the original has no value in this place that could be put back; write it out";
const MOVED: &str = "the list around it has other elements than the original, or they changed places, so it is unknown which value \
                     belongs here; write it out, or leave the elements where they were";
const MIXED: &str = "only a whole hidden value can be put back, not a part of one; write it out";

/// A placeholder in the edited text.
struct Left {
    span: Range<usize>,
    pointer: String,
    place: Vec<Step>,
}

/// A step of the way to it.
enum Step {
    Name(String),
    At(usize),
}

impl Redaction {
    /// Puts the original's values back where an edited text says [`REDACTED`] and the original has a value that is hidden;
    /// `None` when it says so nowhere.
    ///
    /// # Errors
    /// [`RestoreError`] where it says so anywhere else: nothing is guessed.
    pub fn restored(&self, edited: &str, original: &str) -> Result<Option<String>, RestoreError> {
        let left = self.left(edited)?;
        if left.is_empty() {
            return Ok(None);
        }
        let mut hidden: BTreeMap<String, Vec<Range<usize>>> = BTreeMap::new();
        let read = scan(original, &self.paths, &mut |spot| {
            if spot.hidden {
                hidden.entry(pointer(spot.place)).or_default().push(spot.span);
            }
        });
        let shown = self.hidden(original).filter(|_| read.is_some());
        let refuse = |left: &Left, why| RestoreError { pointer: left.pointer.clone(), why };
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        let mut back = Vec::new();
        for left in &left {
            let nth = taken.entry(&left.pointer).or_default();
            let span = hidden.get(&left.pointer).and_then(|spans| spans.get(*nth)).cloned();
            *nth += 1;
            let (span, shown) = span.zip(shown.as_deref()).ok_or_else(|| refuse(left, NOTHING))?;
            if !stands(edited, shown, &left.place) {
                return Err(refuse(left, MOVED));
            }
            let value = original.get(span).ok_or_else(|| refuse(left, NOTHING))?;
            back.push((left.span.clone(), value));
        }
        Ok(replaced(edited, back))
    }

    /// Finds every placeholder; refuses those that stand where nothing is hidden.
    fn left(&self, edited: &str) -> Result<Vec<Left>, RestoreError> {
        let (mut found, mut refused) = (Vec::new(), None);
        // What is no JSON is refused by others, who say why.
        let _read = scan(edited, &self.paths, &mut |spot| {
            let text = edited.get(spot.span.clone());
            if !holds(text) || refused.is_some() {
                return;
            }
            let pointer = pointer(spot.place);
            match (spot.hidden, text.is_some_and(is_placeholder)) {
                (true, true) => {
                    let place = spot.place.iter().map(Step::of).collect();
                    found.push(Left { span: spot.span, pointer, place });
                }
                (true, false) => refused = Some(RestoreError { pointer, why: MIXED }),
                (false, true) => refused = Some(RestoreError { pointer, why: ELSEWHERE }),
                // A text that speaks of it.
                (false, false) => {}
            }
        });
        refused.map_or(Ok(found), Err)
    }
}

/// Says whether a value is or has the placeholder.
pub(super) fn holds(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.contains(REDACTED) || (text.contains('\\') && is_placeholder(text)))
}

/// Says whether a value is the placeholder, however it is escaped.
fn is_placeholder(text: &str) -> bool {
    serde_json::from_str::<String>(text).is_ok_and(|text| text == REDACTED)
}

impl Step {
    fn of(segment: &Segment<'_>) -> Step {
        match segment {
            Segment::At(at) => Step::At(*at),
            Segment::Name(raw) => Step::Name(segment.name().map_or_else(|| (*raw).to_owned(), Into::into)),
        }
    }
}

/// Says whether the lists on the way to a place are those of the original as it was shown: as long, and the element on the way
/// in its own place. Its other values may have been edited.
fn stands(edited: &str, shown: &str, place: &[Step]) -> bool {
    let (mut here, mut there) = (edited, shown);
    for step in place {
        let next = match step {
            Step::Name(name) => member(here, name).zip(member(there, name)),
            Step::At(at) => {
                let Some((ours, theirs)) = elements(here).zip(elements(there)) else { return false };
                let plain = |all: &[&RawValue]| all.iter().map(|one| compact(one.get())).collect::<Vec<_>>();
                let (our_texts, their_texts) = (plain(&ours), plain(&theirs));
                let (our, their) = (our_texts.get(*at), their_texts.get(*at));
                let is_same = our == their;
                let is_elsewhere = our.is_some_and(|our| their_texts.contains(our))
                    || their.is_some_and(|their| our_texts.contains(their));
                if ours.len() != theirs.len() || (!is_same && is_elsewhere) {
                    return false;
                }
                ours.get(*at).map(|one| one.get()).zip(theirs.get(*at).map(|one| one.get()))
            }
        };
        let Some(next) = next else { return false };
        (here, there) = next;
    }
    true
}

fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let members: BTreeMap<String, &'t RawValue> = serde_json::from_str(text).ok()?;
    members.get(name).map(|value| value.get())
}

fn elements(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

/// Writes a JSON text without the white space between its values.
fn compact(text: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let keeps = |c: &char| -> bool {
        match (in_string, *c) {
            (true, _) if is_escaped => is_escaped = false,
            (true, '\\') => is_escaped = true,
            (_, '"') => in_string = !in_string,
            (true, _) => {}
            (false, c) => return !matches!(c, ' ' | '\n' | '\t' | '\r'),
        }
        true
    };
    text.chars().filter(keeps).collect()
}
