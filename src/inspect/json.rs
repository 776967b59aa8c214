//! Differences between JSON texts, by path. Values are kept as the text they were: no number passes through a float.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::redaction::is_redacted;

/// Differences that are listed; the others are counted.
const CHANGES_MAX: usize = 1_000;

/// What differs between two JSON values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The first 1,000 differences, in the order of the first value.
    pub listed: Vec<Change>,
    /// How many there are in all.
    pub total: usize,
    /// Whether values stand in both that are not shown here: those are not compared.
    pub redacted: bool,
}

/// One difference between two JSON values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where: a JSON Pointer (RFC 6901); empty for the values as a whole.
    pub path: String,
    /// The JSON text in the first value; `None` = it is not there.
    pub before: Option<String>,
    /// The JSON text in the second value; `None` = it is not there.
    pub after: Option<String>,
}

impl Changes {
    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Compares two JSON texts; what is not there is `None`. A text that is no JSON is compared as it is.
    pub(super) fn between(before: Option<&str>, after: Option<&str>) -> Changes {
        let mut changes = Changes::default();
        changes.compare(&mut String::new(), before, after);
        changes
    }

    fn compare(&mut self, path: &mut String, before: Option<&str>, after: Option<&str>) {
        let (Some(one), Some(other)) = (before, after) else {
            if before != after {
                self.add(path, before, after);
            }
            return;
        };
        if one == other {
            self.redacted |= is_redacted(one);
            return;
        }
        match (Shape::of(one), Shape::of(other)) {
            (Shape::Object(one), Shape::Object(other)) => self.compare_objects(path, &one, &other),
            (Shape::Array(one), Shape::Array(other)) => {
                for at in 0..one.len().max(other.len()) {
                    let (one, other) = (one.get(at).copied(), other.get(at).copied());
                    self.below(path, &at.to_string(), one.map(RawValue::get), other.map(RawValue::get));
                }
            }
            (Shape::Text(one), Shape::Text(other)) if one == other => {}
            _ => self.add(path, before, after),
        }
    }

    fn compare_objects(&mut self, path: &mut String, one: &Members<'_>, other: &Members<'_>) {
        let added = other.names.iter().filter(|name| one.count(name) == 0);
        for name in one.names.iter().chain(added) {
            for nth in 0..one.count(name).max(other.count(name)) {
                self.below(path, name, one.get(name, nth), other.get(name, nth));
            }
        }
    }

    fn below(&mut self, path: &mut String, name: &str, before: Option<&str>, after: Option<&str>) {
        let length = path.len();
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        self.compare(path, before, after);
        path.truncate(length);
    }

    fn add(&mut self, path: &str, before: Option<&str>, after: Option<&str>) {
        self.total += 1;
        if self.listed.len() < CHANGES_MAX {
            let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
            self.listed.push(Change { path: path.to_owned(), before: owned(before), after: owned(after) });
        }
    }
}

/// One level of a JSON text.
enum Shape<'a> {
    Object(Members<'a>),
    Array(Vec<&'a RawValue>),
    /// A string, its escapes read.
    Text(String),
    Other,
}

impl<'a> Shape<'a> {
    fn of(text: &'a str) -> Shape<'a> {
        let shape = match text.trim_start().as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(Shape::Object),
            Some(b'[') => serde_json::from_str(text).map(Shape::Array),
            Some(b'"') => serde_json::from_str(text).map(Shape::Text),
            _ => Ok(Shape::Other),
        };
        shape.unwrap_or(Shape::Other)
    }
}

/// An object's members: a name that stands twice has two values.
#[derive(Default)]
struct Members<'a> {
    /// Names in the order of their first values.
    names: Vec<String>,
    values: BTreeMap<String, Vec<&'a RawValue>>,
}

impl<'a> Members<'a> {
    fn get(&self, name: &str, nth: usize) -> Option<&'a str> {
        self.values.get(name)?.get(nth).map(|value| value.get())
    }

    fn count(&self, name: &str) -> usize {
        self.values.get(name).map_or(0, Vec::len)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.count(&name) == 0 {
                        members.names.push(name.clone());
                    }
                    members.values.entry(name).or_default().push(value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
