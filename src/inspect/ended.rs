//! When runs ended: a count for each span of a time, for a picture.

use std::collections::BTreeMap;
use std::time::Duration;

use super::search::{Search, Window};
use super::{InspectError, search};
use crate::model::{Status, Timestamp};
use crate::store::Store;

/// Spans of a picture: what is told of more is too narrow to be read.
const SPANS_MAX: i64 = 48;

/// Spans of a picture whose time nobody said.
const SPANS_UNBOUNDED: i64 = 60;

/// How long a span can be, in seconds: what people count in.
const LENGTHS: [i64; 8] = [60, 300, 900, 3_600, 21_600, 86_400, 604_800, 2_592_000];

/// Those of a picture whose time nobody said: days.
const DAY: i64 = 86_400;

/// How many runs ended when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How long each span is.
    pub every: Duration,
    /// Spans that follow each other, the oldest first, those without a run too.
    pub spans: Vec<EndedIn>,
    /// When the runs were created that were searched.
    pub window: Window,
    /// Whether there are more runs: the newest 50,000 were read.
    pub capped: bool,
}

/// How many runs ended in a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedIn {
    /// From then on.
    pub from: Timestamp,
    /// Before.
    pub to: Timestamp,
    /// By status; a status without a run has no entry.
    pub by_status: BTreeMap<Status, u64>,
}

impl EndedIn {
    /// Returns how many ended in all.
    pub fn total(&self) -> u64 {
        self.by_status.values().sum()
    }

    /// Returns how many failed or timed out.
    pub fn failed(&self) -> u64 {
        let failed = self.by_status.iter().filter(|(status, _)| status.is_failure());
        failed.map(|(_, runs)| runs).sum()
    }
}

/// Counts runs by when they ended: in spans of a length that goes with the time in which they were created. Without such a
/// time, by day, the newest 60.
///
/// # Errors
/// [`InspectError::Store`].
pub async fn ended(store: &dyn Store, search: &Search) -> Result<Ended, InspectError> {
    let asked = search::uncut(search).query(store, "ended").await?;
    let (now, window) = (asked.query.now, asked.window);
    let begin = window.since.map(|since| since.timestamp());
    let end = window.until.unwrap_or(now).min(now).timestamp();
    let seconds = begin.map_or(DAY, |begin| length(end - begin));
    let every = Duration::from_secs(seconds.unsigned_abs());
    let found = store.when_ended(&asked.query, every).await?;
    let mut known: BTreeMap<i64, BTreeMap<Status, u64>> = found
        .spans
        .into_iter()
        .map(|span| (span.from.timestamp().div_euclid(seconds), span.by_status))
        .collect();
    // A run that was created in the time may have ended after it.
    let last = known.last_key_value().map_or(i64::MIN, |(number, _)| *number).max(end.div_euclid(seconds));
    let earliest =
        (last - SPANS_UNBOUNDED + 1).max(known.first_key_value().map_or(last, |(number, _)| *number));
    let first = begin.map_or(earliest, |begin| begin.div_euclid(seconds)).max(last - 2 * SPANS_UNBOUNDED);
    let at = |number: i64| Timestamp::from_timestamp(number.saturating_mul(seconds), 0).unwrap_or_default();
    let spans = (first..=last).map(|number| EndedIn {
        from: at(number),
        to: at(number + 1),
        by_status: known.remove(&number).unwrap_or_default(),
    });
    let spans = spans.collect();
    Ok(Ended { every, spans, window, capped: found.capped || !known.is_empty() })
}

/// Chooses how long a span is, of a time of so many seconds.
fn length(whole: i64) -> i64 {
    let fits = |seconds: &i64| whole / seconds <= SPANS_MAX;
    LENGTHS.into_iter().find(fits).unwrap_or_else(|| (whole / SPANS_MAX).max(1))
}
