//! Code that does not fit what its ledger holds.

use super::ledger::{Book, Ledger};
use crate::model::OpKey;

impl Ledger {
    /// Notes that the log holds something else in the operation's place; the attempt ends as blocked.
    pub(super) fn diverge(&self, key: &OpKey, code: &str, recorded: &str) {
        self.refuse(format!("{key}: the code has a {code}, the log has a {recorded}"));
    }

    /// Notes that the code cannot go on as it is; the attempt ends as blocked.
    pub(super) fn refuse(&self, report: String) {
        self.book().diverged.get_or_insert(report);
        self.wake();
    }

    /// Lets the code do without what the log holds.
    pub(crate) fn forgive(&self) {
        let mut book = self.book();
        book.unclaimed.clear();
        book.retracing = 0;
    }

    /// Returns why the code can go no further: the log holds something else in the place of an operation, or the
    /// code is `idle` in front of a new one while the log holds others first.
    pub(super) fn stuck(&self, idle: bool) -> Option<String> {
        let book = self.book();
        if book.diverged.is_some() {
            return book.diverged.clone();
        }
        let (missing, (_, held)) = (book.unclaimed.first()?, book.held.first_key_value()?);
        let kind = book.kind(missing);
        idle.then(|| format!("the code goes on with a {held}, the log has a {kind} {missing} first"))
    }

    /// Returns what the log holds in the place of an operation of the code, if it holds something else.
    pub(super) fn diverged(&self) -> Option<String> {
        self.book().diverged.clone()
    }

    /// Returns what the log holds and the code, having returned, did not ask for.
    pub(super) fn left_out(&self) -> Option<String> {
        let book = self.book();
        if book.diverged.is_some() {
            return book.diverged.clone();
        }
        let missing = book.unclaimed.first()?;
        Some(format!("the code returned without the {} {missing} that the log has", book.kind(missing)))
    }
}

impl Book {
    fn kind(&self, key: &OpKey) -> &'static str {
        self.ops.get(key).map_or("operation", |op| op.state.kind())
    }
}
