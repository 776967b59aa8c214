//! One pass over a JSON text, which tells of each of its values and of each that is hidden.

use std::borrow::Cow;
use std::ops::Range;

use super::path::{Path, Pick};

/// A value that is hidden, or one that is shown and holds no others.
pub(super) struct Spot<'s, 't> {
    /// Where in the text.
    pub(super) span: Range<usize>,
    pub(super) hidden: bool,
    /// The way to it.
    pub(super) place: &'s [Segment<'t>],
}

/// A step of the way to a value.
#[derive(Clone, Copy)]
pub(super) enum Segment<'t> {
    /// A member's name, as it stands in the text, with its quotes.
    Name(&'t str),
    /// An element's place.
    At(usize),
}

impl<'t> Segment<'t> {
    /// Returns a member's name as it reads; `None` for an element, and a name that cannot be read.
    pub(super) fn name(self) -> Option<Cow<'t, str>> {
        match self {
            Segment::Name(raw) if raw.contains('\\') => serde_json::from_str(raw).ok().map(Cow::Owned),
            Segment::Name(raw) => raw.get(1..raw.len().checked_sub(1)?).map(Cow::Borrowed),
            Segment::At(_) => None,
        }
    }

    /// Says whether a step leads there; `None` where a name cannot be read.
    fn is_picked(self, pick: &Pick) -> Option<bool> {
        Some(match (pick, self) {
            (Pick::Any, _) => true,
            (Pick::At(wanted), Segment::At(at)) => *wanted == at,
            (Pick::Name(wanted), Segment::Name(_)) => *wanted == self.name()?,
            (Pick::At(_), Segment::Name(_)) | (Pick::Name(_), Segment::At(_)) => false,
        })
    }
}

/// Writes a way as a JSON Pointer (RFC 6901).
pub(super) fn pointer(place: &[Segment<'_>]) -> String {
    let mut pointer = String::new();
    for segment in place {
        pointer.push('/');
        match segment {
            Segment::Name(raw) => {
                let name = segment.name().unwrap_or(Cow::Borrowed(raw));
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Segment::At(at) => pointer.push_str(&at.to_string()),
        }
    }
    pointer
}

/// How far along a path an object or array is: the path's number, and that of the step that is next.
type Along = (usize, usize);

/// An object or array whose members are being read.
struct Open {
    is_object: bool,
    along: Vec<Along>,
    /// The place of its next element.
    next: usize,
}

struct Scan<'t, 'p> {
    text: &'t str,
    at: usize,
    paths: &'p [Path],
    open: Vec<Open>,
    place: Vec<Segment<'t>>,
}

/// Tells of a text's values in their order; `None` when it is no JSON. What is inside a hidden value is not told of. It keeps
/// what is open on the heap, so that no text is too deep for it.
pub(super) fn scan<'t>(text: &'t str, paths: &[Path], found: &mut dyn FnMut(Spot<'_, 't>)) -> Option<()> {
    let mut scan = Scan { text, at: 0, paths, open: Vec::new(), place: Vec::new() };
    loop {
        scan.blank();
        let (from, hidden) = (scan.at, scan.is_hidden()?);
        if !hidden && matches!(scan.byte()?, b'{' | b'[') {
            if scan.enter()? {
                continue;
            }
        } else {
            scan.value()?;
            found(Spot { span: from..scan.at, hidden, place: &scan.place });
        }
        if !scan.goes_on()? {
            scan.blank();
            return (scan.at == text.len()).then_some(());
        }
    }
}

impl<'t> Scan<'t, '_> {
    /// Says whether a path ends at the value that is next.
    fn is_hidden(&self) -> Option<bool> {
        let Some(open) = self.open.last() else {
            return Some(self.paths.iter().any(|path| path.steps.is_empty()));
        };
        let segment = *self.place.last()?;
        for (path, step) in &open.along {
            let steps = &self.paths.get(*path)?.steps;
            if step + 1 == steps.len() && segment.is_picked(&steps.get(*step)?.pick)? {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Says how far along each path the object or array is that is next.
    fn along(&self) -> Option<Vec<Along>> {
        let Some(open) = self.open.last() else {
            return Some((0..self.paths.len()).map(|path| (path, 0)).collect());
        };
        let segment = *self.place.last()?;
        let mut along: Vec<Along> = Vec::new();
        let mut add = |one: Along| {
            if !along.contains(&one) {
                along.push(one);
            }
        };
        for (path, at) in &open.along {
            let step = self.paths.get(*path)?.steps.get(*at)?;
            if step.is_deep {
                add((*path, *at));
            }
            if segment.is_picked(&step.pick)? {
                add((*path, at + 1));
            }
        }
        Some(along)
    }

    /// Opens the object or array that is next and stands before its first member; `false` when it has none and is over.
    fn enter(&mut self) -> Option<bool> {
        let along = self.along()?;
        let is_object = self.byte()? == b'{';
        self.at += 1;
        self.blank();
        if self.byte()? == if is_object { b'}' } else { b']' } {
            self.at += 1;
            return Some(false);
        }
        self.open.push(Open { is_object, along, next: 0 });
        self.member()?;
        Some(true)
    }

    /// Goes from the end of a value to the next one; `false` when there is none.
    fn goes_on(&mut self) -> Option<bool> {
        while let Some(open) = self.open.last() {
            let end = if open.is_object { b'}' } else { b']' };
            self.place.pop();
            self.blank();
            match self.byte()? {
                b',' => {
                    self.at += 1;
                    self.member()?;
                    return Some(true);
                }
                byte if byte == end => {
                    self.at += 1;
                    self.open.pop();
                }
                _ => return None,
            }
        }
        Some(false)
    }

    /// Notes the way to the next member or element, and stands before its value.
    fn member(&mut self) -> Option<()> {
        let open = self.open.last_mut()?;
        if !open.is_object {
            self.place.push(Segment::At(open.next));
            open.next += 1;
            return Some(());
        }
        self.blank();
        let from = self.at;
        self.string()?;
        self.place.push(Segment::Name(self.text.get(from..self.at)?));
        self.blank();
        let is_colon = self.byte()? == b':';
        self.at += 1;
        is_colon.then_some(())
    }

    /// Passes over a value, whatever it is.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.byte()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\n' | b'\t' | b'\r' if depth > 0 => self.at += 1,
                _ => self.word()?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Passes over a number or a word.
    fn word(&mut self) -> Option<()> {
        let ends = |byte: u8| {
            matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']' | b' ' | b'\n' | b'\t' | b'\r')
        };
        let rest = self.text.as_bytes().get(self.at..)?;
        let length = rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then_some(())
    }

    /// Passes over a string.
    fn string(&mut self) -> Option<()> {
        if self.byte()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))? + 1;
            if self.text.as_bytes().get(self.at - 1) == Some(&b'"') {
                return Some(());
            }
            self.at += 1;
        }
    }

    fn blank(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r')).count();
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}
