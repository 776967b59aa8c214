//! How long things took, as percentiles.

use std::time::Duration;

/// Returns the milliseconds in which so many of 100 were done; `times` are in order.
pub fn percentile_ms(times: &[Duration], percent: usize) -> f64 {
    let place = (times.len() * percent).div_ceil(100).max(1) - 1;
    times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
