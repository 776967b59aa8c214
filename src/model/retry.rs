//! When a failed attempt is tried again.

use std::time::Duration;

use super::event::Allowed;
use super::limits::WAIT_MAX;

/// How often and when a failed task or step is tried again. The default is [`Retry::none`].
///
/// The delay before attempt n + 1 is `initial × factor^(n-1)`, at most `cap`, of which the last `jitter` share is
/// drawn at random ("equal jitter", Brooker, *Exponential Backoff and Jitter*, AWS 2015).
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    attempts_max: u32,
    initial: Duration,
    factor: f64,
    cap: Duration,
    jitter: f64,
}

impl Retry {
    /// One attempt, no retry.
    pub fn none() -> Retry {
        Retry { attempts_max: 1, initial: Duration::ZERO, factor: 1.0, cap: WAIT_MAX, jitter: 0.0 }
    }

    /// Doubling delays from `initial`, 5 attempts, capped at 5 minutes, half of each delay jittered.
    pub fn exponential(initial: Duration) -> Retry {
        Retry { attempts_max: 5, initial, factor: 2.0, cap: Duration::from_secs(300), jitter: 0.5 }
    }

    /// The same `delay` each time, 5 attempts, no jitter.
    pub fn fixed(delay: Duration) -> Retry {
        Retry { attempts_max: 5, initial: delay, factor: 1.0, cap: WAIT_MAX, jitter: 0.0 }
    }

    /// Sets how many attempts there are in all, the first included; 0 counts as 1.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Retry {
        self.attempts_max = attempts.max(1);
        self
    }

    /// Sets what each delay is multiplied by; below 1 counts as 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Retry {
        self.factor = factor.max(1.0);
        self
    }

    /// Sets the longest delay.
    #[must_use]
    pub fn cap(mut self, cap: Duration) -> Retry {
        self.cap = cap.min(WAIT_MAX);
        self
    }

    /// Sets which share of each delay is drawn at random, 0 to 1.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Retry {
        self.jitter = share.clamp(0.0, 1.0);
        self
    }

    /// Returns how many attempts there are in all.
    pub fn attempts_max(&self) -> u32 {
        self.attempts_max
    }

    /// Returns what the log says of the policy beside a failure that the code gave this verdict.
    pub(super) fn allowed(&self, verdict: Verdict) -> Allowed {
        Allowed { max: self.attempts_max, stop: verdict == Verdict::Stop }
    }

    /// Returns how long to wait after attempt number `attempt` (from 1) failed, or `None` when it was the last.
    ///
    /// `chance` is drawn from 0 to 1 by the caller.
    pub fn delay(&self, attempt: u32, verdict: Verdict, chance: f64) -> Option<Duration> {
        if attempt >= self.attempts_max {
            return None;
        }
        match verdict {
            Verdict::Stop => None,
            Verdict::After(delay) => Some(delay.min(WAIT_MAX)),
            Verdict::Retry => {
                let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
                // Kept finite: zero times infinity is no number.
                let growth = self.factor.powi(exponent).min(f64::MAX);
                let full = self.initial.as_secs_f64() * growth;
                let capped = full.min(self.cap.as_secs_f64());
                let jittered = capped * (1.0 - self.jitter * chance.clamp(0.0, 1.0));
                Some(Duration::try_from_secs_f64(jittered).unwrap_or(self.cap).min(WAIT_MAX))
            }
        }
    }
}

impl Default for Retry {
    fn default() -> Retry {
        Retry::none()
    }
}

/// What the application's own predicate says of one error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again as the policy says.
    Retry,
    /// Try again after just this long (a server's `Retry-After`), if the policy has an attempt left.
    After(Duration),
    /// Do not try again.
    Stop,
}

impl From<bool> for Verdict {
    fn from(retry: bool) -> Verdict {
        if retry { Verdict::Retry } else { Verdict::Stop }
    }
}
