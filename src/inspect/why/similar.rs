//! Which other runs failed for the same cause.

use crate::model::RunId;
use crate::model::filter::{Field, Filter, Pattern, Test};
use crate::model::limits::COUNT_MAX;
use crate::store::{Alike, Store, StoreError};

/// Runs that are named.
const NAMED_MAX: u32 = 3;

/// Other runs of the same namespace whose failure has the same fingerprint, as one group of
/// [`failures`](super::super::failures) has. Archived ones are not counted: no list shows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Similar {
    /// What they share.
    pub fingerprint: String,
    /// Finds them, and the run that was asked about.
    pub filter: Filter,
    /// How many others were created in the last 24 hours.
    pub day: u64,
    /// How many others there are.
    pub all: u64,
    /// Whether there are more: the newest 10,000 were counted.
    pub capped: bool,
    /// The newest of the others, the newest first, at most three.
    pub newest: Vec<RunId>,
}

/// Finds what failed as `run` did; `None` when it did not fail, and when the server gave up counting.
pub(super) async fn similar(store: &dyn Store, run: RunId) -> Result<Option<Similar>, StoreError> {
    match store.alike(run, NAMED_MAX).await {
        Ok(alike) => Ok(alike.map(Similar::from)),
        // The cause is worth more than how often it came.
        Err(error) if error.is_timeout() => Ok(None),
        Err(error) => Err(error),
    }
}

impl From<Alike> for Similar {
    fn from(alike: Alike) -> Similar {
        let Alike { fingerprint, all, day, newest } = alike;
        let print = Test::Text(Field::Fingerprint, vec![Pattern::Exact(fingerprint.clone())]);
        let filter = Filter::default().and(print);
        Similar { fingerprint, filter, day, all, capped: all >= u64::from(COUNT_MAX), newest }
    }
}
