//! Instants and lengths of time, for people.

use chrono::{DateTime, Local, SecondsFormat, TimeDelta};

use crate::cli::options::Times;
use crate::model::Timestamp;

/// Writes an instant as asked for; `now` is the answer's own time where there is one.
pub(in crate::cli) fn instant(at: Timestamp, now: Timestamp, how: Times) -> String {
    match how {
        Times::Rel => ago(now - at),
        Times::Iso => at.to_rfc3339_opts(SecondsFormat::Millis, true),
        Times::Local => DateTime::<Local>::from(at).format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    }
}

/// Writes how long ago something was, or how soon it will be.
fn ago(passed: TimeDelta) -> String {
    match passed < TimeDelta::zero() {
        true => format!("in {}", rough(-passed)),
        false => format!("{} ago", rough(passed)),
    }
}

/// Writes a length of time by its largest unit.
fn rough(length: TimeDelta) -> String {
    let seconds = length.num_seconds();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Writes a length of time, as exact as a person needs it.
pub(in crate::cli) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
        3_600_000..172_800_000 => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
        _ => format!("{} d {} h", ms / 86_400_000, ms / 3_600_000 % 24),
    }
}

/// Writes the time between two instants.
pub(in crate::cli) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let length = from.zip(to).map(|(from, to)| to - from);
    length.and_then(|length| u64::try_from(length.num_milliseconds()).ok()).map(span).unwrap_or_default()
}
