//! Which other runs failed for the same cause.

use std::time::Duration;

use crate::model::filter::{Field, Filter, Pattern, Test, When};
use crate::model::{RunId, RunSummary};
use crate::store::{RunQuery, Store, StoreError};

/// What counts as lately.
const DAY: Duration = Duration::from_secs(24 * 3_600);

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
pub(super) async fn similar(store: &dyn Store, run: &RunSummary) -> Result<Option<Similar>, StoreError> {
    let Some(failure) = &run.failure else { return Ok(None) };
    match of_fingerprint(store, run, &failure.fingerprint).await {
        Ok(similar) => Ok(Some(similar)),
        // The cause is worth more than how often it came.
        Err(error) if error.is_timeout() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn of_fingerprint(store: &dyn Store, run: &RunSummary, print: &str) -> Result<Similar, StoreError> {
    let filter =
        Filter::default().and(Test::Text(Field::Fingerprint, vec![Pattern::Exact(print.to_owned())]));
    let others = filter.clone().and_not(Test::Id(vec![run.run.to_string().replace('-', "")]));
    let now = store.now().await?;
    let query = |filter| {
        let namespace = run.namespace.clone();
        RunQuery { namespace, filter, now, before: None, limit: NAMED_MAX }
    };
    let page = store.list(&query(others.clone())).await?;
    let (day, all, capped) = if page.next.is_none() {
        let since = When::Ago(DAY).at(now);
        let lately = page.runs.iter().filter(|run| run.created_at() >= since).count();
        (lately as u64, page.runs.len() as u64, false)
    } else {
        let all = store.count(&query(others.clone())).await?;
        let day = store.count(&query(others.and(Test::Since(When::Ago(DAY))))).await?;
        (day.total(), all.total(), all.capped)
    };
    let newest = page.runs.iter().map(|run| run.run).collect();
    Ok(Similar { fingerprint: print.to_owned(), filter, day, all, capped, newest })
}
