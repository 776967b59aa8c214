//! Reads one value of a term.

use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use super::parse::{FilterError, error};
use super::{Comparison, Pattern, When};
use crate::model::Timestamp;
use crate::model::ids::{NodeId, RunId};
use crate::model::limits::WAIT_MAX;

/// A value as it stands in the text.
pub(super) struct Value {
    pub(super) text: String,
    pub(super) column: usize,
    /// Whether a `*` follows it.
    pub(super) prefix: bool,
    pub(super) comparison: Option<Comparison>,
}

/// What a value is read as.
pub(super) type Wanted<T> = Result<T, FilterError>;

/// Milliseconds of each unit, the longest first.
pub(super) const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Hexadecimal digits of an id that are worth a look.
const ID_DIGITS_MIN: usize = 6;

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 32;

impl Value {
    pub(super) fn refused(&self, expected: &str, suggestion: Option<&str>) -> FilterError {
        let suggestion = suggestion.map(str::to_owned);
        FilterError { suggestion, ..error(self.column, &self.text, expected.to_owned()) }
    }

    pub(super) fn pattern(&self) -> Pattern {
        match self.prefix {
            true => Pattern::Prefix(self.text.clone()),
            false => Pattern::Exact(self.text.clone()),
        }
    }

    pub(super) fn compared(&self) -> Comparison {
        self.comparison.unwrap_or(Comparison::AtLeast)
    }

    /// Reads a UUID, or its first digits.
    pub(super) fn id(&self) -> Option<String> {
        let digits: String = self.text.chars().filter(|c| *c != '-').collect();
        let fits = (ID_DIGITS_MIN..=ID_DIGITS).contains(&digits.len());
        (fits && digits.chars().all(|c| c.is_ascii_hexdigit())).then(|| digits.to_ascii_lowercase())
    }

    pub(super) fn run(&self) -> Wanted<RunId> {
        self.text.parse().map_err(|_| self.refused("a whole run id", None))
    }

    pub(super) fn node(&self) -> Wanted<NodeId> {
        let number = self.text.parse().ok().filter(|number| *number > 0);
        number.map(NodeId).ok_or_else(|| self.refused("a node's number, from 1", None))
    }

    /// Reads a duration of whole numbers with units, such as `1h30m`.
    pub(super) fn duration(&self) -> Wanted<Duration> {
        let refused =
            || self.refused("a duration such as 250ms, 90s, 15m, 2h or 7d, at most 100 years", None);
        self.read_duration().filter(|_| !self.prefix).ok_or_else(refused)
    }

    fn read_duration(&self) -> Option<Duration> {
        let mut rest = self.text.as_str();
        let mut total = 0_u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, after) = rest.split_at_checked(digits)?;
            let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at_checked(letters)?;
            let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
            rest = after;
        }
        let duration = Duration::from_millis(total);
        (!self.text.is_empty() && duration <= WAIT_MAX).then_some(duration)
    }

    /// Reads an instant: RFC 3339, a day (its beginning in UTC), or how long ago.
    pub(super) fn when(&self) -> Wanted<When> {
        let refused = || {
            let expected = "a time such as 2026-11-25T10:00:00Z or 2026-11-25, or how long ago, such as 90s, 15m, 2h or 7d";
            self.refused(expected, None)
        };
        if self.prefix {
            return Err(refused());
        }
        let instant = chrono::DateTime::parse_from_rfc3339(&self.text).ok().map(|at| at.to_utc());
        let day = || self.text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
        let at = instant.or_else(day).and_then(to_micros).map(When::At);
        at.or_else(|| self.read_duration().map(When::Ago)).ok_or_else(refused)
    }
}

/// Cuts an instant to the database's precision; `None` before 1970 and after the year 9999, where no run is.
fn to_micros(at: Timestamp) -> Option<Timestamp> {
    const LAST: i64 = 253_402_300_799_999_999;
    let micros = Some(at.timestamp_micros()).filter(|micros| (0..=LAST).contains(micros))?;
    Timestamp::from_timestamp_micros(micros)
}
