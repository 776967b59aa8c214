//! The interesting interleavings: each must really occur, or the simulation shows less than it seems to.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// What must happen in some world, over all seeds.
pub const MARKS: &[&str] = &[
    "a takeover waited for an append",
    "a takeover waited for a claim",
    "an append met the fence",
    "a heartbeat waited for an append",
    "a release was left out for a message",
    "a commit was in doubt and recognised",
    "an append's answer was lost",
    "a transaction outlived its process",
    "a node was fenced and joined anew",
    "a node that was dead ran code",
    "a start met a fenced node",
    "a start's fate was unknown",
    "a key was taken",
    "a cancel met the end",
    "a run was cancelled",
    "a cancelled parent's child was cancelled",
    "a timer fired after a takeover",
    "a timer of more than an hour fired",
    "a step ran twice",
    "an at-most-once step was interrupted",
    "a child ended while its parent's node was dead",
    "a signal came in time",
    "a signal timed out",
    "a signal to a key reached several runs",
    "a kept signal was taken",
    "a signal came whose sender never heard of it",
    "a sender asked again with its id",
    "an event was pushed by two",
    "an event was pushed again after a lost answer",
    "a run failed",
    "a run timed out",
    "a run never started in time",
    "a task failed for good and on_failure ran",
    "a run with a long log was parked",
    "a run moved three times",
    "the store was away for ten minutes",
    "a task waited for its conditions",
    "a task was skipped",
    "a run waited for its limit",
    "a start waited for its rate",
    "a run gave way to one that came after it",
    "a burst was let in before its key was quiet",
    "a run kept its slot over a takeover",
    "a run gave way to a newer one",
    "a run that found no slot was cancelled",
    "a run at its gate got a message",
    "a replay took something over",
    "a replay was asked for again",
    "a replay was refused",
];

static HITS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// Notes that something happened that should happen sometimes.
macro_rules! sometimes {
    ($mark:literal) => {
        $crate::marks::hit($mark)
    };
}
pub(crate) use sometimes;

pub fn hit(mark: &'static str) {
    assert!(MARKS.contains(&mark), "{mark:?} is not in MARKS");
    *HITS.lock().unwrap().entry(mark).or_default() += 1;
}

/// Returns how often each was hit.
pub fn hits() -> Vec<(&'static str, u64)> {
    let hits = HITS.lock().unwrap();
    MARKS.iter().map(|mark| (*mark, hits.get(mark).copied().unwrap_or_default())).collect()
}
