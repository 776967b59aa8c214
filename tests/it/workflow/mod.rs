//! What a user's workflow can do, and what it survives.

mod dag;
mod conditions;
mod function;
mod retry;
mod timeout;
mod signal;
mod signal_key;
mod child;
mod race;
mod transaction;
mod at_most_once;
mod crash;
mod version;
mod divergence;
mod patched;
mod parking;
mod spawned;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) use std::convert::Infallible;

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3_600)
}

/// Counts side effects.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU32>);

impl Counter {
    pub(crate) fn hit(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// An application's error that is told by its number.
#[derive(Debug, thiserror::Error)]
#[error("number {0}")]
pub(crate) struct Numbered(pub(crate) u32);
