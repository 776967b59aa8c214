//! What the code wrote last before it failed.

use super::Site;
use crate::store::{LogLine, LogQuery, Store, StoreError};

/// Lines that are told.
const LINES: u32 = 10;

/// Microseconds that a line's place may lie after the end of its attempt: places are moved up where two lines meet.
const MOVED_UP_US: i64 = 1_000_000;

/// Reads the last lines of the attempt at a site; of none before the first attempt.
pub(super) async fn last_lines(store: &dyn Store, site: Option<&Site>) -> Result<Vec<LogLine>, StoreError> {
    let Some(site) = site.filter(|site| site.attempt > 0) else { return Ok(Vec::new()) };
    let query = LogQuery::default().task(site.task.as_str()).attempt(site.attempt).last(LINES);
    // A place is an instant: what other tasks wrote after the attempt's end need not be looked at.
    let query = match site.finished_at {
        Some(end) => query.before(end.timestamp_micros().saturating_add(MOVED_UP_US)),
        None => query,
    };
    store.lines(site.run, &query).await
}
