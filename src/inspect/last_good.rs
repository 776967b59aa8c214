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
    Ok(partner(store, run).await?.map(|partner| partner.run))
}

/// Finds a run's last good one.
pub(super) async fn partner(store: &dyn Store, run: RunId) -> Result<Option<RunSummary>, StoreError> {
    let mut asked = store.last_good(run, CANDIDATES).await?;
    if asked.is_empty() {
        return Ok(None);
    }
    asked.push(run);
    let mut candidates = store.summaries(&asked).await?;
    let Some(at) = candidates.iter().position(|candidate| candidate.run == run) else { return Ok(None) };
    let ours = candidates.remove(at);
    // Oldest first: of several that are as much alike the last one is the newest.
    let alike = |theirs: &RunSummary| (theirs.metadata == ours.metadata, theirs.version == ours.version);
    Ok(candidates.into_iter().max_by_key(alike))
}

/// Reads what a run was started with; `None` when its log does not say.
pub(super) async fn origin(store: &dyn Store, run: RunId) -> Result<Option<Origin>, StoreError> {
    let first = store.log(run, 0, 1).await?.into_iter().next();
    Ok(first.and_then(|first| born(run, &first).ok()).map(|state| state.origin))
}
