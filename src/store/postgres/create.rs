//! Runs that a client creates: nobody owns them yet.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::columns::{Births, Events, by_key};
use super::errors::classify;
use super::rows::run_id;
use crate::model::{RunId, Status};
use crate::store::{Append, Created, NewRun, StoreError};

/// Creates runs inside the caller's transaction, if `connection` is in one: all or none, committed with it. Answers
/// in the order given; of two with the same key in one call, the second is answered with the first.
///
/// Until the caller commits, whoever else starts a run with one of the keys waits.
///
/// # Errors
/// As [`Store::create`](crate::store::Store::create); after any of them the transaction can only be rolled back.
pub async fn create_in(connection: &mut PgConnection, runs: &[Append]) -> Result<Vec<Created>, StoreError> {
    let born = insert(connection, runs).await?;
    let left_out = |append: &&Append| !born.contains(&append.run.uuid());
    let left_out: Vec<&Append> = runs.iter().filter(left_out).collect();
    if left_out.is_empty() {
        return Ok(runs.iter().map(|append| Created { run: append.run, created: true }).collect());
    }
    let holders = holders(connection, &left_out).await?;
    let answer = |append: &Append| {
        if born.contains(&append.run.uuid()) {
            return Ok(Created { run: append.run, created: true });
        }
        let keyed = append.born.as_ref().is_some_and(|new| new.key.is_some());
        match holders.get(&append.run) {
            Some(holder) => Ok(Created { run: *holder, created: *holder == append.run }),
            // Without a key only its own id can be taken: by this very call, whose first answer was lost.
            None if !keyed => Ok(Created { run: append.run, created: true }),
            None => {
                let message = format!("run {} was left out, and no run has its key", append.run);
                Err(StoreError::Bug { message })
            }
        }
    };
    runs.iter().map(answer).collect()
}

async fn insert(connection: &mut PgConnection, runs: &[Append]) -> Result<HashSet<Uuid>, StoreError> {
    let mut new = runs.iter().map(new_run).collect::<Result<Vec<_>, StoreError>>()?;
    new.sort_by_key(|(_, new)| by_key(new));
    let mut births = Births::default();
    let mut events = Events::with_capacity(runs.iter().map(|append| append.events.len()).sum());
    for (append, new) in new {
        births.push_queued(append, new)?;
        events.push(append, None)?;
    }
    let statement = sqlx::query_file_scalar!(
        "src/store/postgres/sql/create.sql",
        births.ids.as_slice() as _,
        births.namespaces.as_slice() as _,
        births.workflows.as_slice() as _,
        births.versions.as_slice() as _,
        births.keys.as_slice() as _,
        births.priorities.as_slice() as _,
        births.wake_ats.as_slice() as _,
        births.deadlines.as_slice() as _,
        births.created_ats.as_slice() as _,
        births.parents.as_slice() as _,
        births.metadata.as_slice() as _,
        events.runs.as_slice() as _,
        events.seqs.as_slice() as _,
        events.kinds.as_slice() as _,
        events.schema_versions.as_slice() as _,
        events.tasks.as_slice() as _,
        events.attempts.as_slice() as _,
        events.payloads.as_slice() as _,
        births.triggers.as_slice() as _,
        births.trigger_ids.as_slice() as _,
        births.trigger_keys.as_slice() as _,
        births.replays_of.as_slice() as _,
        births.limit_keys.as_slice() as _,
    );
    let born = statement.fetch_all(connection).await.map_err(classify)?;
    Ok(born.into_iter().collect())
}

fn new_run(append: &Append) -> Result<(&Append, &NewRun), StoreError> {
    let other = append.row.is_some() || !append.mail.is_empty() || !append.taken.is_empty();
    match append.born.as_deref() {
        Some(new) if new.status == Status::Queued && append.expected == 0 && !other => Ok((append, new)),
        Some(_) | None => {
            let message =
                format!("run {} cannot be created: it is not new, queued and nothing else", append.run);
            Err(StoreError::Bug { message })
        }
    }
}

/// Finds the runs that hold the keys of those that were left out.
async fn holders(
    connection: &mut PgConnection,
    left_out: &[&Append],
) -> Result<HashMap<RunId, RunId>, StoreError> {
    let (mut runs, mut namespaces, mut workflows, mut keys) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for append in left_out {
        if let Some((namespace, workflow, key)) = append.born.as_deref().and_then(by_key) {
            runs.push(append.run.uuid());
            namespaces.push(namespace);
            workflows.push(workflow);
            keys.push(key);
        }
    }
    let rows = sqlx::query_file!(
        "src/store/postgres/sql/holders.sql",
        runs.as_slice() as _,
        namespaces.as_slice() as _,
        workflows.as_slice() as _,
        keys.as_slice() as _,
    );
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let pairs = rows
        .into_iter()
        .map(|row| Ok((run_id("runlog.runs", "id", row.wanted)?, run_id("runlog.runs", "id", row.holder)?)));
    pairs.collect()
}
