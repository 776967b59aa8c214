//! The run to compare a failed one with.

use super::InspectError;
use crate::model::evolve::born;
use crate::model::state::Origin;
use crate::model::{RunId, RunSummary};
use crate::store::{Store, StoreError};

/// Succeeded runs that are looked at for one that is most alike: a page of the index, read in one question.
const CANDIDATES: u32 = 32;

/// Finds the newest run before `run` of the same workflow and namespace that succeeded; `None` when there is none.
///
/// Among the 32 newest it prefers one with the same metadata, then one of the same version.
///
/// # Errors
/// [`InspectError::Store`].
pub async fn last_good(store: &dyn Store, run: RunId) -> Result<Option<RunId>, InspectError> {
    let Some(ours) = store.summaries(&[run]).await?.into_iter().next() else { return Ok(None) };
    Ok(partner(store, &ours).await?.map(|partner| partner.run))
}

/// Finds a run's last good one.
pub(super) async fn partner(store: &dyn Store, ours: &RunSummary) -> Result<Option<RunSummary>, StoreError> {
    let good = store.last_good(ours.run, CANDIDATES).await?;
    // Oldest first: of several that are as much alike the last one is the newest.
    let candidates = store.summaries(&good).await?;
    let alike = |theirs: &RunSummary| (theirs.metadata == ours.metadata, theirs.version == ours.version);
    Ok(candidates.into_iter().max_by_key(alike))
}

/// Reads what a run was started with; `None` when its log does not say.
pub(super) async fn origin(store: &dyn Store, run: RunId) -> Result<Option<Origin>, StoreError> {
    let first = store.log(run, 0, 1).await?.into_iter().next();
    Ok(first.and_then(|first| born(run, &first).ok()).map(|state| state.origin))
}
