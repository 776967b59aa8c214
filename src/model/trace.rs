//! Where a run belongs in a distributed trace: W3C Trace Context, level 2.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::limits::{TRACESTATE_BYTES_MAX, TRACESTATE_MEMBERS_MAX};

/// The span under which something happens, perhaps in another service: what `traceparent` and `tracestate` carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Whether it is recorded, and how the trace's id was made.
    pub flags: TraceFlags,
    /// What tracing systems carry along for themselves.
    #[serde(default)]
    pub state: Option<TraceState>,
}

/// A trace's id; never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

/// A span's id; never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 8]);

/// The flags of a `traceparent`; bits that the standard does not know are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceFlags(u8);

/// The members of a `tracestate`, of its syntax and within its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceState(String);

/// Says why a text is no `traceparent` or `tracestate`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The text has another shape.
    #[error("{text:?} is no traceparent: expected 00-<32 hexadecimal digits>-<16>-<2>, in lower case")]
    Parent {
        /// The text.
        text: String,
    },
    /// An id is all zero.
    #[error("the {what} of a traceparent is all zero, which means that there is none")]
    Zero {
        /// Which id.
        what: &'static str,
    },
    /// The text is no list of members, or is over a limit.
    #[error("{text:?} is no tracestate: {problem}")]
    State {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl TraceContext {
    /// Reads a `traceparent`, without a state.
    ///
    /// # Errors
    /// [`TraceError`] for anything that the standard does not allow. A text of a later version is read as far as it is known.
    pub fn parse(traceparent: &str) -> Result<TraceContext, TraceError> {
        let wrong = || TraceError::Parent { text: traceparent.to_owned() };
        let mut parts = traceparent.splitn(5, '-');
        let mut next = || parts.next().ok_or_else(wrong);
        let (version, trace_id, span_id, flags) = (next()?, next()?, next()?, next()?);
        let [version]: [u8; 1] = bytes(version).ok_or_else(wrong)?;
        // Later versions may say more after the flags.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return Err(wrong());
        }
        let [flags]: [u8; 1] = bytes(flags).ok_or_else(wrong)?;
        let trace_id = TraceId::new(bytes(trace_id).ok_or_else(wrong)?);
        let span_id = SpanId::new(bytes(span_id).ok_or_else(wrong)?);
        Ok(TraceContext {
            trace_id: trace_id.ok_or(TraceError::Zero { what: "trace-id" })?,
            span_id: span_id.ok_or(TraceError::Zero { what: "parent-id" })?,
            flags: TraceFlags::new(flags),
            state: None,
        })
    }

    /// Writes the `traceparent`, of version 00.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags.0)
    }

    /// Returns the same place of the trace with another span.
    pub fn under(&self, span_id: SpanId) -> TraceContext {
        TraceContext { span_id, ..self.clone() }
    }
}

impl TraceId {
    /// Makes an id; `None` of zeros.
    pub fn new(bytes: [u8; 16]) -> Option<TraceId> {
        (bytes != [0; 16]).then_some(TraceId(bytes))
    }

    /// Makes an id of a hash's first bytes; zeros, which nobody will ever see there, become another id.
    pub(crate) fn of_hash(hash: &[u8; 32]) -> TraceId {
        let id = hash.first_chunk().copied().and_then(TraceId::new);
        id.unwrap_or(TraceId([1; 16]))
    }

    /// Returns the id's bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl SpanId {
    /// Makes an id; `None` of zeros.
    pub fn new(bytes: [u8; 8]) -> Option<SpanId> {
        (bytes != [0; 8]).then_some(SpanId(bytes))
    }

    /// Makes an id of a hash's first bytes; zeros, which nobody will ever see there, become another id.
    pub(crate) fn of_hash(hash: &[u8; 32]) -> SpanId {
        let id = hash.first_chunk().copied().and_then(SpanId::new);
        id.unwrap_or(SpanId([1; 8]))
    }

    /// Returns the id's bytes.
    pub fn bytes(self) -> [u8; 8] {
        self.0
    }
}

impl TraceFlags {
    /// The caller may have recorded the trace, and asks whoever comes after to do so.
    pub const SAMPLED: TraceFlags = TraceFlags(1);

    /// The bits that the standard knows: sampled, and that the trace's id is random.
    const KNOWN: u8 = 0b11;

    /// Takes the bits that the standard knows.
    pub fn new(bits: u8) -> TraceFlags {
        TraceFlags(bits & TraceFlags::KNOWN)
    }

    /// Returns the bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Says whether the sampled bit is set.
    pub fn is_sampled(self) -> bool {
        self.0 & TraceFlags::SAMPLED.0 != 0
    }
}

impl TraceState {
    /// Reads the value of a `tracestate` header, several of them joined by commas. `None` when it has no member.
    ///
    /// # Errors
    /// [`TraceError::State`].
    pub fn parse(text: &str) -> Result<Option<TraceState>, TraceError> {
        let wrong = |problem| TraceError::State { text: text.to_owned(), problem };
        let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
        let members: Vec<&str> = members.filter(|member| !member.is_empty()).collect();
        if members.len() > TRACESTATE_MEMBERS_MAX {
            return Err(wrong("it has more than 32 members"));
        }
        let mut keys = Vec::with_capacity(members.len());
        for member in &members {
            let (key, value) = member.split_once('=').ok_or_else(|| wrong("a member is no key=value"))?;
            if !is_key(key) {
                return Err(wrong("a key is of other characters than a-z, 0-9, _ - * / @, or too long"));
            }
            if !is_value(value) {
                return Err(wrong("a value is empty, not printable, or over 256 bytes"));
            }
            if keys.contains(&key) {
                return Err(wrong("a key comes twice"));
            }
            keys.push(key);
        }
        let joined = members.join(",");
        if joined.len() > TRACESTATE_BYTES_MAX {
            return Err(wrong("it is over 512 bytes"));
        }
        Ok((!joined.is_empty()).then_some(TraceState(joined)))
    }

    /// Returns the header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Says whether a text is a member's key: `name`, or `tenant@system`.
fn is_key(key: &str) -> bool {
    let of_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '*' | '/');
    let is_part = |part: &str, digit_first: bool, longest: usize| {
        let begins =
            part.starts_with(|c: char| c.is_ascii_lowercase() || (digit_first && c.is_ascii_digit()));
        begins && part.len() <= longest && part.chars().all(of_key)
    };
    match key.split_once('@') {
        Some((tenant, system)) => is_part(tenant, true, 241) && is_part(system, false, 14),
        // Level 2 lets a plain key begin with a digit, too.
        None => is_part(key, true, 256),
    }
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value.chars().all(|c| (' '..='~').contains(&c) && c != ',' && c != '=')
        && !value.ends_with(' ')
}

/// Reads as many bytes as there must be from hexadecimal digits, in lower case.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Ids are hexadecimal digits wherever they are written.
macro_rules! ids {
    ($($name:ident $what:literal)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = TraceError;

            fn from_str(text: &str) -> Result<$name, TraceError> {
                let read = bytes(text).ok_or_else(|| TraceError::Parent { text: text.to_owned() })?;
                $name::new(read).ok_or(TraceError::Zero { what: $what })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

ids! {
    TraceId "trace-id"
    SpanId "parent-id"
}
