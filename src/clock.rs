//! The one place that reads clocks and draws random numbers.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{RunId, Timestamp};

/// Draws a number that tells this process from every other one.
pub(crate) fn draw_token() -> i64 {
    i64::from_ne_bytes(entropy().to_ne_bytes())
}

/// Draws a secret from the operating system; `None` when that gives none.
#[cfg(feature = "http")]
pub(crate) fn draw_secret() -> Option<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).ok().map(|()| secret)
}

/// Returns this machine's wall clock: for how times are shown to a person, and for nothing that is decided.
#[cfg(feature = "dashboard")]
pub(crate) fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    std::time::SystemTime::now().into()
}

/// The standard library's own entropy from the operating system.
fn entropy() -> u64 {
    RandomState::new().hash_one("runlog")
}

/// The database's time as this process knows it, and the source of run ids and chance.
///
/// Time is the database's at the last [`sync`](Clock::sync) plus what the monotonic clock measured since: a wrong
/// wall clock of this machine has no effect. Under tokio's paused time it stands still until the test advances it.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    micros_at_origin: AtomicI64,
    last_tick: AtomicU64,
    entropy: AtomicU64,
}

impl Clock {
    /// Makes a clock that shows `now`, with entropy from the operating system.
    pub fn starting_at(now: Timestamp) -> Clock {
        Clock::seeded(now, entropy())
    }

    /// Makes a clock that shows `now` and draws the same ids and numbers for the same `seed`.
    pub fn seeded(now: Timestamp, seed: u64) -> Clock {
        Clock {
            origin: Instant::now(),
            micros_at_origin: AtomicI64::new(now.timestamp_micros()),
            last_tick: AtomicU64::new(0),
            entropy: AtomicU64::new(seed),
        }
    }

    /// Sets the clock to what the database showed while a question that was sent at `asked` was under way.
    ///
    /// The answer is taken for the instant at which it arrived, so that this clock is never ahead of the database's:
    /// nothing fires early.
    pub fn sync(&self, database: Timestamp) {
        let elapsed = i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.micros_at_origin.store(database.timestamp_micros().saturating_sub(elapsed), Ordering::Relaxed);
    }

    /// Takes note that the database showed `seen` some time ago: from here on this clock is not behind that.
    pub fn witness(&self, seen: Timestamp) {
        let elapsed = i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.micros_at_origin.fetch_max(seen.timestamp_micros().saturating_sub(elapsed), Ordering::Relaxed);
    }

    /// Returns the database's time, or a little less.
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX);
        let micros = self.micros_at_origin.load(Ordering::Relaxed).saturating_add(elapsed);
        Timestamp::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Returns how long it is until `at`; zero when that has passed.
    pub fn until(&self, at: Timestamp) -> Duration {
        (at - self.now()).to_std().unwrap_or_default()
    }

    /// Makes the id of a run created now. Ids of one process ascend strictly.
    pub fn new_run_id(&self) -> RunId {
        let micros = u64::try_from(self.now().timestamp_micros()).unwrap_or_default();
        let tick = ((micros / 1_000) << 12) + (micros % 1_000) * 4_096 / 1_000;
        let next = |last: u64| Some(tick.max(last + 1));
        let last = self.last_tick.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        RunId::from_tick(tick.max(last.unwrap_or_default() + 1), self.draw())
    }

    /// Draws a number from 0 (included) to 1 (excluded).
    pub fn chance(&self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Draws 31 bits that tell one thing of a kind from the others.
    pub(crate) fn draw_mark(&self) -> u32 {
        u32::try_from(self.draw() >> 33).unwrap_or_default()
    }

    /// Draws 64 bits: SplitMix64 (Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*, 2014).
    fn draw(&self) -> u64 {
        let state = self.entropy.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
