//! A run as it was after its first events.

use super::InspectError;
use super::history::{first_events, fold_last, log};
use super::json::Changes;
use crate::model::{RunId, RunState, Timestamp};
use crate::store::{Store, StoreError};

/// A run's state after one of its events.
#[derive(Clone, Debug, PartialEq)]
pub struct StateAt {
    /// The event's seq.
    pub seq: u32,
    /// Its kind.
    pub kind: &'static str,
    /// When it was committed.
    pub at: Timestamp,
    /// The fold of the log up to it.
    pub state: RunState,
    /// The state as JSON; users' payloads stand in it byte for byte.
    pub json: String,
    /// What the event changed in that JSON; nothing is listed for the first event, which makes all of it.
    pub changes: Changes,
}

/// Folds the first `seq` events of a run, from 1; `None` when there is no such run. Events after them are not read, so a
/// log that is damaged further on is shown up to there.
///
/// # Errors
/// [`InspectError::OutOfRange`] when the log has no event `seq`; the others of [`InspectError`].
pub async fn state_at(store: &dyn Store, run: RunId, seq: u32) -> Result<Option<StateAt>, InspectError> {
    let first = first_events(store, run, seq).await?;
    let Some(last) = first.last().filter(|last| last.seq == seq) else {
        // Nothing was read for an event 0; of any other one all there are.
        let all = if seq == 0 { log(store, run).await? } else { first };
        let Some(last) = all.last() else { return Ok(None) };
        return Err(InspectError::OutOfRange { run, seq, events: last.seq });
    };
    let Some((before, state)) = fold_last(run, &first)? else { return Ok(None) };
    let json = json(&state)?;
    let changes = match before {
        Some(before) => Changes::between(Some(&self::json(&before)?), Some(&json)),
        None => Changes::default(),
    };
    Ok(Some(StateAt { seq, kind: last.event.kind(), at: last.at, state, json, changes }))
}

fn json(state: &RunState) -> Result<String, InspectError> {
    let json = serde_json::to_string(state);
    let bug = |error| StoreError::Bug { message: format!("a state as JSON: {error}") };
    json.map_err(bug).map_err(InspectError::Store)
}
