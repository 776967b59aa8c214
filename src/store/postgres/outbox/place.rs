//! Where a reader of the outbox goes on.
//!
//! A row is in the outbox until it is exported, so every one that is there is to be read, whenever its transaction committed.
//! A place only keeps the reader from stepping over what it removed again and again: a row that it has not read belongs to a
//! transaction that was under way in the last snapshot it has seen, or began later.

use crate::store::StoreError;
use crate::store::outbox::{OutboxRow, Place};

/// A snapshot in which no transaction had ended.
const NOTHING: &str = "3:3:";

impl Place {
    /// Returns the snapshot and the row to read after.
    pub(super) fn bounds(&self) -> (&str, OutboxRow) {
        (self.seen.as_deref().unwrap_or(NOTHING), self.row.unwrap_or(OutboxRow { xid: 0, id: 0 }))
    }

    /// Goes on to the last row of a look that was made in `snapshot`; says whether there may be more at once.
    pub(super) fn after(
        &self,
        snapshot: String,
        last: Option<OutboxRow>,
        full: bool,
    ) -> Result<(Place, bool), StoreError> {
        let sees = self.sees.clone().unwrap_or(snapshot);
        // Beyond its upper end there is nothing that had ended in it.
        let complete = match last {
            Some(last) if full => last.xid >= upper_end(&sees)?,
            Some(_) | None => true,
        };
        let next = match complete {
            true => Place { seen: Some(sees), sees: None, row: None },
            false => Place { seen: self.seen.clone(), sees: Some(sees), row: last },
        };
        Ok((next, full))
    }
}

/// Reads the upper end of a snapshot's text, `lower:upper:under way`.
fn upper_end(snapshot: &str) -> Result<u64, StoreError> {
    let upper = snapshot.split(':').nth(1).and_then(|upper| upper.parse().ok());
    upper.ok_or_else(|| StoreError::Bug { message: format!("the snapshot {snapshot:?} has no upper end") })
}
