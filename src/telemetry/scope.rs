//! Whose code is being polled on this thread.

use std::cell::RefCell;
use std::sync::Arc;

use super::Remote;
use crate::model::{Level, Line};

/// Where the code that is being polled writes its lines.
pub(crate) trait Paper: Send + Sync {
    /// Says whether lines of that level are kept.
    fn takes(&self, level: Level) -> bool;

    /// Writes a line; never waits.
    fn write(&self, line: Line);
}

thread_local! {
    static PAPER: RefCell<Option<Arc<dyn Paper>>> = const { RefCell::new(None) };
}

/// Polls code of a task, so that what it tells by `tracing` meanwhile goes to `paper`, and the spans that it opens stand under
/// `remote`.
pub(crate) fn on<T>(paper: &Arc<dyn Paper>, remote: &Remote, poll: impl FnOnce() -> T) -> T {
    let _outer = Outer(PAPER.replace(Some(Arc::clone(paper))));
    remote.during(poll)
}

/// What was there before, put back even when the code panics.
struct Outer(Option<Arc<dyn Paper>>);

impl Drop for Outer {
    fn drop(&mut self) {
        PAPER.set(self.0.take());
    }
}

/// Returns where the code that is being polled on this thread writes; `None` outside of tasks.
pub(crate) fn current() -> Option<Arc<dyn Paper>> {
    // A thread that is ending has none.
    PAPER.try_with(|paper| paper.try_borrow().ok().and_then(|paper| paper.clone())).ok().flatten()
}
