//! What a person asks. Of a run, as a fold of its log: everything at once, why it failed, how it was at some event, what
//! differs from another. Of many: their rows.

mod history;
mod dossier;
mod view;
mod wait;
mod json;
pub(crate) mod span;
mod state_at;
mod last_good;
mod diff;
mod why;
mod graph;
mod timeline;
mod search;
mod ended;
mod cursor;
mod tasks;
mod export;
mod trace;

pub use self::cursor::CursorError;
pub use self::diff::{Divergence, FieldDiff, Passage, RunDiff, Side, StartDiff, TaskDiff, TaskSide, diff};
pub use self::dossier::Dossier;
pub use self::ended::{Ended, EndedIn, ended};
pub use self::export::{Exported, ImportError, export, read_export, split_exports};
pub use self::graph::{Edge, Graph, LaidOut, Layout, Link, Node, NodeKind, graph};
pub use self::history::{log, state};
pub use self::json::{Change, Changes};
pub use self::last_good::last_good;
pub use self::search::{Page, Search, Window, count, failures, list, survey};
pub use self::state_at::{StateAt, state_at};
pub use self::tasks::{TaskRow, tasks};
pub use self::timeline::{Gap, Mark as TimelineMark, Phase, Segment, Timeline, TimelineRow};
pub use self::trace::{Spans, spans};
pub use self::view::{AttemptView, ChildView, RunView, StepView, TaskView};
pub use self::wait::{Awaited, WaitView};
pub use self::why::{Action, Cause, Fault, Hop, LastGood, NoMore, Similar, Site, StepSite, Wait, Why, why};

use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{IllegalEvent, RunId, Status, Timestamp, Version, Waiting, WorkflowName};
use crate::store::{AtGate, Pause, RunRow, Serving, Store, StoreError};

/// Child runs that a view lists.
const CHILDREN_SHOWN_MAX: u32 = 1_000;

/// Replays that a view lists.
const REPLAYS_SHOWN_MAX: u32 = 1_000;

/// Why a run cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Its log cannot be folded: it is damaged, or code with a bug wrote it.
    #[error("the log cannot be folded: {0}")]
    Illegal(#[from] IllegalEvent),
    /// Its log has no event of that seq.
    #[error("run {run} has no event {seq}: its log has the events 1 to {events}")]
    OutOfRange {
        /// The run.
        run: RunId,
        /// Which event was asked for.
        seq: u32,
        /// How many events the log has.
        events: u32,
    },
    /// A page was asked for with a cursor that is not its own.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A page was asked for that is empty or too long.
    #[error("a page of {asked} is out of range, 1 to {PAGE_ROWS_MAX}")]
    PageLimit {
        /// How many were asked for.
        asked: u32,
    },
    /// An event cannot be read: it is damaged, or a newer release wrote it.
    #[error("event {seq} of run {run} cannot be read: {problem}")]
    Unreadable {
        /// The run.
        run: RunId,
        /// Where in its log.
        seq: u32,
        /// What is wrong with it.
        problem: String,
    },
    /// The store does not answer, or holds something unreadable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads everything about a run; `None` when there is no such run.
///
/// # Errors
/// [`InspectError`].
pub async fn get(store: &dyn Store, run: RunId) -> Result<Option<RunView>, InspectError> {
    match Dossier::open(store, run).await? {
        Some(dossier) => Ok(Some(dossier.view().await?)),
        None => Ok(None),
    }
}

/// Says why a run that is due, or would be, is not taken by any node.
async fn nobody(store: &dyn Store, row: &RunRow) -> Result<Option<Waiting>, InspectError> {
    if row.status == Status::Queued && row.owner.is_none() {
        if let Some(paused) = paused(store, row).await? {
            return Ok(Some(paused));
        }
        if let Some(AtGate { limit: name, key, running, slots, until, quiet_at }) =
            store.at_gate(row.run).await?
        {
            return Ok(Some(match quiet_at {
                Some(until) => Waiting::Quiet { name, key, until },
                None => Waiting::Limit { name, key, running, slots, until },
            }));
        }
    }
    let Some(wake_at) = row.wake_at.filter(|_| row.owner.is_none()) else { return Ok(None) };
    let (now, takers) = takers(store, &row.workflow, &row.version).await?;
    Ok((wake_at <= now).then_some(takers))
}

/// Says whether the run's workflow is paused, as what it waits for.
async fn paused(store: &dyn Store, row: &RunRow) -> Result<Option<Waiting>, InspectError> {
    let pause = store.pause_of(&row.workflow, &row.namespace).await?;
    Ok(pause.map(|Pause { since, by, reason, .. }| Waiting::Paused { since, by, reason }))
}

/// Says which nodes could take a due run of a workflow, as what it waits for, and when that is.
async fn takers(
    store: &dyn Store,
    workflow: &WorkflowName,
    version: &Version,
) -> Result<(Timestamp, Waiting), InspectError> {
    let Serving { nodes, full, now } = store.serving(workflow, version).await?;
    let waiting = match nodes {
        0 => Waiting::Serving { workflow: workflow.clone(), version: version.clone() },
        nodes if nodes == full => Waiting::Slot { nodes },
        _ => Waiting::Node,
    };
    Ok((now, waiting))
}
