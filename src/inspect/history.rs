//! A run's log, read and folded: what every question here begins with.

use super::InspectError;
use crate::model::evolve::{evolve, fold};
use crate::model::{Event, IllegalEvent, Recorded, RunEvent, RunId, RunState};
use crate::store::{RunRow, Store, StoreError};

/// Events read at once.
const PAGE_EVENTS: u32 = 10_000;

/// A run as the store has it.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) row: RunRow,
    pub(super) log: Vec<Recorded>,
    pub(super) state: RunState,
}

/// A run as the store has it, be its log whole or not.
pub(super) struct Look {
    pub(super) row: RunRow,
    pub(super) history: Result<History, Damage>,
}

/// Why a log cannot be read or folded.
#[derive(Clone, Debug)]
pub(super) enum Damage {
    /// An event cannot follow those before it.
    Illegal(IllegalEvent),
    /// A stored value cannot be read.
    Corrupt { table: &'static str, column: &'static str, row: String, message: String },
}

impl From<Damage> for InspectError {
    fn from(damage: Damage) -> InspectError {
        match damage {
            Damage::Illegal(illegal) => InspectError::Illegal(illegal),
            Damage::Corrupt { table, column, row, message } => {
                InspectError::Store(StoreError::Corrupt { table, column, row, message })
            }
        }
    }
}

impl Look {
    /// Looks at a run; `None` when there is no such run.
    pub(super) async fn at(store: &dyn Store, run: RunId) -> Result<Option<Look>, InspectError> {
        match store.row(run).await? {
            Some(row) => Look::of(store, row).await,
            None => Ok(None),
        }
    }

    /// Reads the log to a row; `None` when there is no such run any more.
    pub(super) async fn of(store: &dyn Store, row: RunRow) -> Result<Option<Look>, InspectError> {
        let read = log(store, row.run).await.map_err(InspectError::Store);
        let folded = read.and_then(|log| Ok((fold(row.run, &log)?, log)));
        let history = match folded {
            Ok((Some(state), log)) => Ok(History { row: row.clone(), log, state }),
            Ok((None, _)) => return Ok(None),
            Err(InspectError::Illegal(illegal)) => Err(Damage::Illegal(illegal)),
            Err(InspectError::Store(StoreError::Corrupt { table, column, row, message })) => {
                Err(Damage::Corrupt { table, column, row, message })
            }
            Err(error) => return Err(error),
        };
        Ok(Some(Look { row, history }))
    }

    /// Returns the history; fails when the log is damaged.
    pub(super) fn whole(&self) -> Result<&History, InspectError> {
        self.history.as_ref().map_err(|damage| damage.clone().into())
    }
}

impl History {
    /// Reads a run; `None` when there is no such run.
    pub(super) async fn read(store: &dyn Store, run: RunId) -> Result<Option<History>, InspectError> {
        let look = Look::at(store, run).await?;
        Ok(look.map(|look| look.history).transpose()?)
    }

    /// Returns the state before the run was ended, or told to end; its state when neither happened.
    pub(super) fn before_end(&self) -> Result<RunState, InspectError> {
        let ends =
            |event: &Event| event.is_terminal() || matches!(event, Event::Run(RunEvent::CancelRequested(_)));
        let before = self.log.iter().take_while(|recorded| !ends(&recorded.event)).count();
        let state = fold(self.state.id, self.log.get(..before).unwrap_or_default())?;
        Ok(state.unwrap_or_else(|| self.state.clone()))
    }
}

/// Reads a run's whole log; empty when there is no such run.
///
/// # Errors
/// [`StoreError`].
pub async fn log(store: &dyn Store, run: RunId) -> Result<Vec<Recorded>, StoreError> {
    first_events(store, run, u32::MAX).await
}

/// Reads the first events of a run's log, at most `limit`.
pub(super) async fn first_events(
    store: &dyn Store,
    run: RunId,
    limit: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let mut log: Vec<Recorded> = Vec::new();
    loop {
        let after = u32::try_from(log.len()).unwrap_or(u32::MAX);
        let wanted = PAGE_EVENTS.min(limit - after.min(limit));
        if wanted == 0 {
            return Ok(log);
        }
        let page = store.log(run, after, wanted).await?;
        let last = page.len() < wanted as usize;
        log.extend(page);
        if last {
            return Ok(log);
        }
    }
}

/// Folds a run's whole log; `None` when there is no such run.
///
/// # Errors
/// [`InspectError`].
pub async fn state(store: &dyn Store, run: RunId) -> Result<Option<RunState>, InspectError> {
    Ok(fold(run, &log(store, run).await?)?)
}

/// Folds the first events of a log, and the one after them.
pub(super) fn fold_last(
    run: RunId,
    log: &[Recorded],
) -> Result<Option<(Option<RunState>, RunState)>, InspectError> {
    let Some((last, before)) = log.split_last() else { return Ok(None) };
    let before = fold(run, before)?;
    let state = match &before {
        Some(before) => evolve(before.clone(), last)?,
        None => crate::model::evolve::born(run, last)?,
    };
    Ok(Some((before, state)))
}
