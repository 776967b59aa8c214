//! Which racer of a race builds which operations.

use std::cell::RefCell;

use crate::model::OpKey;

thread_local! {
    /// What the racers that are being polled on this thread have built, one list a race, the innermost last.
    static BUILT: RefCell<Vec<Vec<OpKey>>> = const { RefCell::new(Vec::new()) };
}

/// Notes that the code builds an operation.
pub(super) fn note(op: &OpKey) {
    BUILT.with_borrow_mut(|races| {
        for built in races {
            built.push(op.clone());
        }
    });
}

/// Ends a list even when the racer panics.
struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        BUILT.with_borrow_mut(Vec::pop);
    }
}

/// Polls a racer, and adds to `built` what it builds meanwhile.
pub(super) fn poll<T>(built: &mut Vec<OpKey>, poll: impl FnOnce() -> T) -> T {
    BUILT.with_borrow_mut(|races| races.push(std::mem::take(built)));
    let ended = Ended;
    let polled = poll();
    BUILT.with_borrow_mut(|races| *built = races.last_mut().map(std::mem::take).unwrap_or_default());
    drop(ended);
    polled
}
