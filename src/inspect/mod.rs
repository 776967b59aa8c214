//! What a person asks of a run: everything at once, as a fold of its log.

mod view;

pub use self::view::{AttemptView, RunView, StepView, TaskView};

use crate::model::evolve::fold;
use crate::model::{IllegalEvent, Recorded, RunId, RunState, Waiting};
use crate::store::{RunRow, Serving, Store, StoreError};

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
    let nobody = serving(store, &row).await?;
    let mut view = RunView::new(state, row, children);
    if let Some(nobody) = nobody {
        view.waiting.retain(|waiting| *waiting != Waiting::Node);
        view.waiting.insert(0, nobody);
    }
    Ok(Some(view))
}

/// Says why a run that is due is not taken by any node.
async fn serving(store: &dyn Store, row: &RunRow) -> Result<Option<Waiting>, InspectError> {
    let Some(wake_at) = row.wake_at.filter(|_| row.owner.is_none()) else { return Ok(None) };
    let Serving { nodes, full, now } = store.serving(&row.workflow, &row.version).await?;
    Ok(match nodes {
        _ if wake_at > now => None,
        0 => Some(Waiting::Serving { workflow: row.workflow.clone(), version: row.version.clone() }),
        nodes if nodes == full => Some(Waiting::Slot { nodes }),
        _ => Some(Waiting::Node),
    })
}

/// Folds a run's whole log; `None` when there is no such run.
///
/// # Errors
/// [`InspectError`].
pub async fn state(store: &dyn Store, run: RunId) -> Result<Option<RunState>, InspectError> {
    Ok(fold(run, &log(store, run).await?)?)
}

/// Reads a run's whole log; empty when there is no such run.
///
/// # Errors
/// [`StoreError`].
pub async fn log(store: &dyn Store, run: RunId) -> Result<Vec<Recorded>, StoreError> {
    let mut log = Vec::new();
    loop {
        let after = u32::try_from(log.len()).unwrap_or(u32::MAX);
        let page = store.log(run, after, PAGE_EVENTS).await?;
        let last = page.len() < PAGE_EVENTS as usize;
        log.extend(page);
        if last {
            return Ok(log);
        }
    }
}
