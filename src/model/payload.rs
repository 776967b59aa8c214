//! What users give and get: JSON kept as the text it was.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX};

/// A user's JSON value, byte for byte: key order, big integers and duplicate keys survive.
///
/// Cheap to clone. Holds at most [`PAYLOAD_BYTES_MAX`] bytes, [`PAYLOAD_DEPTH_MAX`] levels, no NUL and no
/// lone surrogate, so that every reader of the log can read it.
#[derive(Clone)]
pub struct Payload(Arc<RawValue>);

impl Payload {
    /// Serialises `value`.
    ///
    /// # Errors
    /// [`PayloadError`] when it cannot be written as JSON or exceeds a limit.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Payload, PayloadError> {
        let raw = serde_json::value::to_raw_value(value)
            .map_err(|source| PayloadError::Unwritable { message: source.to_string() })?;
        check(raw.get())?;
        Ok(Payload(Arc::from(raw)))
    }

    /// Takes JSON text as it is.
    ///
    /// # Errors
    /// [`PayloadError`] when the text is no JSON or exceeds a limit; the message names line and column.
    pub fn parse(text: impl Into<String>) -> Result<Payload, PayloadError> {
        let text = text.into();
        check(&text)?;
        let raw = RawValue::from_string(text)
            .map_err(|source| PayloadError::Malformed { message: source.to_string() })?;
        Ok(Payload(Arc::from(raw)))
    }

    /// Takes the text of a payload in which other values stand in place of some: it may have grown past the limit.
    pub(super) fn rewritten(text: String) -> Payload {
        RawValue::from_string(text).map_or_else(|_| Payload::null(), |raw| Payload(Arc::from(raw)))
    }

    /// Returns JSON's `null`.
    pub fn null() -> Payload {
        Payload(Arc::from(RawValue::NULL.to_owned()))
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    /// [`PayloadError::Mistyped`] with what was expected, and where.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        serde_json::from_str(self.text()).map_err(|source| PayloadError::Mistyped {
            expected: std::any::type_name::<T>(),
            message: source.to_string(),
        })
    }

    /// Returns the JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Readable formats hold the JSON itself, binary ones (snapshots) its text.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            serializer.serialize_str(self.text())
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        if deserializer.is_human_readable() {
            Ok(Payload(Arc::from(Box::<RawValue>::deserialize(deserializer)?)))
        } else {
            let text = String::deserialize(deserializer)?;
            RawValue::from_string(text).map(|raw| Payload(Arc::from(raw))).map_err(serde::de::Error::custom)
        }
    }
}

/// Says why a value cannot be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value's `Serialize` failed.
    #[error("the value cannot be written as JSON: {message}")]
    Unwritable {
        /// What the serialiser said.
        message: String,
    },
    /// The text is no JSON.
    #[error("malformed JSON: {message}")]
    Malformed {
        /// What the parser said, with line and column.
        message: String,
    },
    /// The JSON is not of the expected type.
    #[error("the JSON is not a {expected}: {message}")]
    Mistyped {
        /// The Rust type that was asked for.
        expected: &'static str,
        /// What the reader said, with line and column.
        message: String,
    },
    /// The text is too long.
    #[error("the payload has {bytes} bytes, the limit is {limit}: store it elsewhere and pass a reference")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most it may have.
        limit: usize,
    },
    /// The text nests too deeply.
    #[error("the payload nests deeper than {limit} levels at byte {at}: flatten it")]
    TooDeep {
        /// The most levels.
        limit: usize,
        /// Where the limit is passed.
        at: usize,
    },
    /// A string holds a NUL.
    #[error("the payload holds a NUL character at byte {at}: Postgres' text and many readers refuse it")]
    Nul {
        /// Where.
        at: usize,
    },
    /// A string holds half of a surrogate pair.
    #[error("the payload holds a lone surrogate at byte {at}: it is no Unicode text")]
    LoneSurrogate {
        /// Where.
        at: usize,
    },
}

impl PayloadError {
    /// Says the same without what the value is: a reader quotes it.
    pub(crate) fn without_value(self) -> PayloadError {
        match self {
            PayloadError::Mistyped { expected, message } => {
                let place = message.rfind(" at line ").and_then(|at| message.get(at..)).unwrap_or_default();
                PayloadError::Mistyped {
                    expected,
                    message: format!("what is there instead is not shown{place}"),
                }
            }
            PayloadError::Unwritable { .. }
            | PayloadError::Malformed { .. }
            | PayloadError::TooLarge { .. }
            | PayloadError::TooDeep { .. }
            | PayloadError::Nul { .. }
            | PayloadError::LoneSurrogate { .. } => self,
        }
    }
}

/// Checks size, depth and characters in one pass; the grammar itself is the JSON parser's business.
fn check(text: &str) -> Result<(), PayloadError> {
    if text.len() > PAYLOAD_BYTES_MAX {
        return Err(PayloadError::TooLarge { bytes: text.len(), limit: PAYLOAD_BYTES_MAX });
    }
    let (mut depth, mut in_string) = (0_usize, false);
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            0 => return Err(PayloadError::Nul { at }),
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                let escape = bytes.next().map(|(_, escape)| escape);
                let skip = if escape == Some(b'u') { check_escape(text, at)? } else { 0 };
                for _ in 0..skip {
                    bytes.next();
                }
            }
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > PAYLOAD_DEPTH_MAX {
                    return Err(PayloadError::TooDeep { limit: PAYLOAD_DEPTH_MAX, at });
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Checks the `\uXXXX` at `at`; returns how many bytes after the `u` belong to it, with a pair's second half.
fn check_escape(text: &str, at: usize) -> Result<usize, PayloadError> {
    let unit = |from: usize| {
        let digits = text.get(from..from + 4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    match unit(at + 2) {
        Some(0) => Err(PayloadError::Nul { at }),
        Some(0xd800..=0xdbff) => {
            let pair = text.get(at + 6..at + 8) == Some("\\u");
            match unit(at + 8) {
                Some(0xdc00..=0xdfff) if pair => Ok(10),
                _ => Err(PayloadError::LoneSurrogate { at }),
            }
        }
        Some(0xdc00..=0xdfff) => Err(PayloadError::LoneSurrogate { at }),
        Some(_) => Ok(4),
        None => Ok(0),
    }
}
