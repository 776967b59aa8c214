//! Cron expressions in a time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::errors::CronError as CronerError;
use croner::parser::{CronParser, Seconds, Year};

use crate::model::Timestamp;
use crate::model::filter::nearest;
use crate::model::limits::CRON_BYTES_MAX;

/// A cron expression of five or six fields, read on the wall clock of a time zone.
///
/// An occurrence is the first instant at which the wall clock shows the time that the expression names, or, where it never
/// does, a later one. So a time that is skipped, as when clocks are put forward, is due at the first instant after the gap, and
/// one that comes twice, as when they are put back, is due the first time only. What falls on one instant is one occurrence.
#[derive(Clone)]
pub struct Cron {
    expression: String,
    /// Some hundred bytes.
    pattern: Box<croner::Cron>,
    zone: Tz,
}

/// Why an expression cannot be a schedule's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// The expression cannot be read.
    #[error(
        "the cron expression {expression:?} cannot be read: {problem}; expected [second] minute hour day-of-month month \
         day-of-week, such as \"30 2 * * MON-FRI\""
    )]
    Expression {
        /// The first characters of it.
        expression: String,
        /// What is wrong.
        problem: String,
    },
    /// No day fits it.
    #[error("the cron expression {expression:?} is never due: no day fits it")]
    Never {
        /// The expression.
        expression: String,
    },
    /// There is no such time zone.
    #[error(
        "there is no time zone {zone:?}{}; expected a name of the tz database, such as \"Europe/Berlin\" or \"UTC\"",
        nearest.map(|name| format!(", did you mean {name:?}?")).unwrap_or_default()
    )]
    Zone {
        /// The first characters of it.
        zone: String,
        /// The name that is most like it.
        nearest: Option<&'static str>,
    },
}

impl Cron {
    /// Reads an expression, and the zone's name in the tz database.
    ///
    /// # Errors
    /// [`CronError`] for an expression that cannot be read or is never due, and for a zone that there is not.
    pub fn parse(expression: &str, zone: &str) -> Result<Cron, CronError> {
        let start = |text: &str| text.chars().take(64).collect::<String>();
        let wrong = |problem: String| CronError::Expression { expression: start(expression), problem };
        if expression.len() > CRON_BYTES_MAX {
            return Err(wrong(format!("it has {} bytes, the limit is {CRON_BYTES_MAX}", expression.len())));
        }
        let fields = expression.split_whitespace().count();
        if !expression.trim_start().starts_with('@') && !matches!(fields, 5 | 6) {
            return Err(wrong(format!("it has {fields} fields, 5 or 6 are needed")));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let pattern =
            parser.parse(expression).map_err(|error| wrong(problem(&parser, expression, &error)))?;
        let unknown = || CronError::Zone { zone: start(zone), nearest: like(zone) };
        let zone = Tz::from_str(zone).map_err(|_| unknown())?;
        let cron = Cron { expression: expression.trim().to_owned(), pattern: Box::new(pattern), zone };
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never { expression: cron.expression }),
        }
    }

    /// Returns the expression.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Returns the time zone's name.
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// Returns the first occurrence after an instant; `None` when there is none before the year 5000.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut wall = self.reached(after);
        loop {
            let nominal = self.pattern.find_next_occurrence(&wall, false).ok()?;
            let at = self.first_showing(nominal)?;
            if at > after {
                return Some(at);
            }
            wall = nominal;
        }
    }

    /// Returns the last occurrences from an instant to another, both included: the latest ones, at most `limit`, in order.
    pub fn last_between(&self, from: Timestamp, until: Timestamp, limit: usize) -> Vec<Timestamp> {
        let mut found: Vec<Timestamp> = Vec::new();
        let (mut wall, mut inclusive) = (self.reached(until), true);
        while found.len() < limit {
            let Ok(nominal) = self.pattern.find_previous_occurrence(&wall, inclusive) else { break };
            let Some(at) = self.first_showing(nominal).filter(|at| *at >= from) else { break };
            // Several times of one gap are one occurrence.
            if at <= until && found.last() != Some(&at) {
                found.push(at);
            }
            (wall, inclusive) = (nominal, false);
        }
        found.reverse();
        found
    }

    /// Returns what the wall clock shows, without the fraction of the second.
    fn shown(&self, at: Timestamp) -> NaiveDateTime {
        let shown = at.with_timezone(&self.zone).naive_local();
        shown.with_nanosecond(0).unwrap_or(shown)
    }

    /// Returns the latest time that the wall clock has ever shown up to an instant. While it repeats an hour, that is what it
    /// showed before it was put back.
    fn reached(&self, at: Timestamp) -> NaiveDateTime {
        let shown = self.shown(at);
        let MappedLocalTime::Ambiguous(one, other) = self.zone.from_local_datetime(&shown) else {
            return shown;
        };
        let (first, second) = (one.min(other).to_utc(), one.max(other).to_utc());
        if at < second {
            return shown;
        }
        let offset = |at: Timestamp| self.zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let after = offset(second);
        let put_back = first_second(first, second, |at| offset(at) == after);
        self.shown(put_back - TimeDelta::seconds(1))
    }

    /// Returns the first instant at which the wall clock shows a time or a later one.
    fn first_showing(&self, wall: NaiveDateTime) -> Option<Timestamp> {
        match self.zone.from_local_datetime(&wall) {
            MappedLocalTime::Single(at) => Some(at.to_utc()),
            MappedLocalTime::Ambiguous(one, other) => Some(one.min(other).to_utc()),
            MappedLocalTime::None => {
                // No zone is further from UTC than these.
                let before = wall.checked_sub_signed(TimeDelta::hours(15))?.and_utc();
                let behind = wall.checked_add_signed(TimeDelta::hours(13))?.and_utc();
                Some(first_second(before, behind, |at| self.shown(at) >= wall))
            }
        }
    }
}

/// The fields of an expression, the last of them in one that has fewer.
const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of the month", "month", "day of the week"];

/// Says what is wrong with an expression, and which field it is where it is one alone.
fn problem(parser: &CronParser, expression: &str, error: &CronerError) -> String {
    if expression.trim_start().starts_with('@') {
        return "it is none of @yearly, @monthly, @weekly, @daily and @hourly".to_owned();
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let names = FIELDS.iter().skip(FIELDS.len().saturating_sub(fields.len()));
    for (at, (field, name)) in fields.iter().zip(names).enumerate() {
        let alone: Vec<&str> =
            (0..fields.len()).map(|place| if place == at { *field } else { "*" }).collect();
        if let Err(error) = parser.parse(&alone.join(" ")) {
            return format!("{field:?} is no {name} ({})", fragment(&error));
        }
    }
    fragment(error)
}

/// Makes a fragment of the parser's sentence.
fn fragment(error: &CronerError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("Component error: ").unwrap_or(&text).trim_end_matches('.');
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Returns the first second after `before`, at `behind` at the latest, from which on something holds.
fn first_second(before: Timestamp, behind: Timestamp, holds: impl Fn(Timestamp) -> bool) -> Timestamp {
    let (mut no, mut yes) = (before.timestamp(), behind.timestamp());
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        match DateTime::from_timestamp(middle, 0) {
            Some(at) if !holds(at) => no = middle,
            _ => yes = middle,
        }
    }
    DateTime::from_timestamp(yes, 0).unwrap_or(behind)
}

/// Returns the zone whose name is most like a text.
fn like(text: &str) -> Option<&'static str> {
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let same = names().find(|name| name.eq_ignore_ascii_case(text));
    same.or_else(|| {
        let lower: Vec<String> = names().map(str::to_lowercase).collect();
        let found = nearest(text.get(..64).unwrap_or(text), lower.iter().map(String::as_str))?;
        names().find(|name| name.eq_ignore_ascii_case(found))
    })
}

impl PartialEq for Cron {
    fn eq(&self, other: &Cron) -> bool {
        self.expression == other.expression && self.zone == other.zone
    }
}

impl Eq for Cron {}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.expression, self.zone)
    }
}
