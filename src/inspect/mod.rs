//! What a person asks of a run: everything at once, as a fold of its log.

mod view;

pub use self::view::{AttemptView, RunView, StepView, TaskView};

use crate::model::evolve::fold;
use crate::model::{IllegalEvent, RunId, RunState};
use crate::store::{Store, StoreError};

/// Child runs that a view lists.
const CHILDREN_SHOWN_MAX: u32 = 1_000;

/// Events read at once.
const PAGE_EVENTS: u32 = 10_000;

/// Why a run cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Its log cannot be folded: it is damaged, or code with a bug wrote it.
    #[error("the log cannot be folded: {0}")]
    Illegal(#[from] IllegalEvent),
    /// The store does not answer, or holds something unreadable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads everything about a run; `None` when there is no such run.
///
/// # Errors
/// [`InspectError`].
pub async fn get(store: &dyn Store, run: RunId) -> Result<Option<RunView>, InspectError> {
    let Some(row) = store.row(run).await? else { return Ok(None) };
    let Some(state) = state(store, run).await? else { return Ok(None) };
    let children = store.children(run, CHILDREN_SHOWN_MAX).await?;
    Ok(Some(RunView::new(state, row, children)))
}

/// Folds a run's whole log; `None` when there is no such run.
///
/// # Errors
/// [`InspectError`].
pub async fn state(store: &dyn Store, run: RunId) -> Result<Option<RunState>, InspectError> {
    let mut log = Vec::new();
    loop {
        let after = u32::try_from(log.len()).unwrap_or(u32::MAX);
        let page = store.log(run, after, PAGE_EVENTS).await?;
        let last = page.len() < PAGE_EVENTS as usize;
        log.extend(page);
        if last {
            return Ok(fold(run, &log)?);
        }
    }
}
