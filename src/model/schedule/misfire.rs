//! What becomes of occurrences that nobody was there for.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;

use super::Timing;
use crate::model::Timestamp;
use crate::model::limits::{MISFIRE_GRACE, MISFIRES_MAX};

/// What becomes of occurrences that were missed, because no node was there: those that are more than a minute late. Those that
/// are less late are always made up for.
///
/// As text: `skip`, `once`, `all` or `all:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfire {
    /// They are left out.
    Skip,
    /// One run is started for all of them, as the last one's.
    Once,
    /// A run is started for each, for the latest ones if there are more.
    All {
        /// For so many at most, 1 to 100.
        at_most: u16,
    },
}

/// The text is no misfire policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no misfire policy: expected skip, once, all or all:N with N from 1 to {MISFIRES_MAX}")]
pub struct MisfireError {
    /// The first characters of the text.
    pub text: String,
}

impl Misfire {
    /// Refuses a number that is out of range.
    pub(crate) fn checked(self) -> Result<Misfire, MisfireError> {
        match self {
            Misfire::All { at_most } if !(1..=MISFIRES_MAX).contains(&at_most) => {
                Err(MisfireError { text: self.to_string() })
            }
            allowed => Ok(allowed),
        }
    }
}

impl fmt::Display for Misfire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfire::Skip => f.write_str("skip"),
            Misfire::Once => f.write_str("once"),
            Misfire::All { at_most } => write!(f, "all:{at_most}"),
        }
    }
}

impl FromStr for Misfire {
    type Err = MisfireError;

    fn from_str(text: &str) -> Result<Misfire, MisfireError> {
        match text {
            "skip" => return Ok(Misfire::Skip),
            "once" => return Ok(Misfire::Once),
            "all" => return Ok(Misfire::All { at_most: MISFIRES_MAX }),
            _ => {}
        }
        let number = text.strip_prefix("all:").and_then(|number| number.parse().ok());
        let all = number.and_then(|at_most| Misfire::All { at_most }.checked().ok());
        all.ok_or_else(|| MisfireError { text: text.chars().take(64).collect() })
    }
}

/// What is to be done about a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The occurrences to start a run for, the earliest first.
    pub fire: Vec<Timestamp>,
    /// The next one after them; `None` when there is none.
    pub next: Option<Timestamp>,
}

/// Says what is to be done at `now` about a schedule whose next occurrence was to be at `next_at`.
pub fn due(timing: &Timing, misfire: Misfire, next_at: Timestamp, now: Timestamp) -> Due {
    if next_at > now {
        return Due { fire: Vec::new(), next: Some(next_at) };
    }
    let fresh_from = now - MISFIRE_GRACE;
    match timing {
        Timing::At(at) => {
            let is_left_out = *at < fresh_from && misfire == Misfire::Skip;
            Due { fire: if is_left_out { Vec::new() } else { vec![*at] }, next: None }
        }
        Timing::Cron(cron) => {
            let missed = match misfire {
                Misfire::Skip => 0,
                Misfire::Once => 1,
                Misfire::All { at_most } => usize::from(at_most),
            };
            let mut fire = cron.last_between(next_at, fresh_from - TimeDelta::microseconds(1), missed);
            fire.extend(cron.last_between(next_at.max(fresh_from), now, usize::from(MISFIRES_MAX)));
            Due { fire, next: cron.next_after(now) }
        }
    }
}
