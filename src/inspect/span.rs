//! Times for people, the same in every face: two significant figures, one unit.

use std::time::Duration;

use chrono::SecondsFormat;

use crate::model::Timestamp;

/// Writes a duration: `108 ms`, `2.1 s`, `4 min`, `30 h`, `12 d`.
pub(crate) fn span(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = duration.as_secs();
    match duration.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        millis @ 1_000..10_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ if seconds < 2 * MINUTE => format!("{seconds} s"),
        _ if seconds < 2 * HOUR => format!("{} min", seconds / MINUTE),
        _ if seconds < 2 * DAY => format!("{} h", seconds / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

/// Writes an instant to the second, in UTC.
pub(crate) fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
