//! Bounded waits for what another process does.

use std::thread;
use std::time::Duration;

use super::Error;

/// How long a server may take to start or to stop, in seconds: crash recovery of a test's cluster takes a few.
pub(super) const LIMIT_S: u64 = 30;

/// How long to pause between two looks: what is waited for takes tens of milliseconds.
const PAUSE: Duration = Duration::from_millis(4);

/// Looks until `look` answers, for [`LIMIT_S`]; `None` says that it never did. Blocks its thread.
///
/// The limit counts pauses rather than reading a clock, so a machine that is paused does not use it up.
pub(super) fn until<T>(mut look: impl FnMut() -> Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    for _ in 0..u128::from(LIMIT_S) * 1000 / PAUSE.as_millis() {
        if let Some(answer) = look()? {
            return Ok(Some(answer));
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}
