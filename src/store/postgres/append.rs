//! The group commit.

use std::collections::HashSet;

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::batch::Batch;
use super::columns::Events;
use super::errors::{classify, is_written};
use super::route::Route;
use super::rows::run_ids;
use super::written::{self, settle};
use crate::model::{NodeId, RunId, Timestamp};
use crate::store::{Append, Appended, Commit, StoreError};

pub(super) async fn append(
    connection: &mut PgConnection,
    route: Route,
    token: i64,
    node: NodeId,
    lane: u16,
    commits: &[Commit],
) -> Result<Appended, StoreError> {
    let batch = Batch::of(commits)?;
    let lane = lane_number(lane)?;
    let done = if batch.is_only_events() {
        execute_events(connection, token, node, lane, &batch).await
    } else if batch.is_only_runs() {
        execute_runs(connection, token, node, lane, &batch).await
    } else {
        execute(connection, token, node, lane, &batch).await
    };
    match done {
        Ok(done) => answer(connection, node, commits, batch, done).await,
        Err(error) if is_written(&error) => {
            route.start_over(connection).await?;
            settle(connection, node, commits).await
        }
        Err(error) => Err(classify(error)),
    }
}

/// What the statement says.
struct Done {
    now: Option<Timestamp>,
    events: i64,
    born: Vec<Uuid>,
    kept: Vec<Uuid>,
}

async fn execute(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    lane: i16,
    batch: &Batch<'_>,
) -> Result<Done, sqlx::Error> {
    let Batch { births, events, rows, post, taken, awaits, locks, .. } = batch;
    let statement = sqlx::query_file_as!(
        Done,
        "src/store/postgres/sql/append.sql",
        node.0,
        lane,
        locks.as_slice() as _,
        births.ids.as_slice() as _,
        births.namespaces.as_slice() as _,
        births.workflows.as_slice() as _,
        births.versions.as_slice() as _,
        births.keys.as_slice() as _,
        births.statuses.as_slice() as _,
        births.owned.as_slice() as _,
        births.priorities.as_slice() as _,
        births.wake_ats.as_slice() as _,
        births.deadlines.as_slice() as _,
        births.created_ats.as_slice() as _,
        births.parents.as_slice() as _,
        births.metadata.as_slice() as _,
        births.mail.as_slice() as _,
        births.births.as_slice() as _,
        events.runs.as_slice() as _,
        events.seqs.as_slice() as _,
        events.kinds.as_slice() as _,
        events.schema_versions.as_slice() as _,
        events.tasks.as_slice() as _,
        events.attempts.as_slice() as _,
        events.payloads.as_slice() as _,
        events.births.as_slice() as _,
        rows.ids.as_slice() as _,
        rows.statuses.as_slice() as _,
        rows.ended.as_slice() as _,
        rows.deadlines.as_slice() as _,
        rows.asks.as_slice() as _,
        rows.wake_ats.as_slice() as _,
        rows.mail_seen.as_slice() as _,
        rows.claims.as_slice() as _,
        rows.births.as_slice() as _,
        post.recipients.as_slice() as _,
        post.bodies.as_slice() as _,
        post.births.as_slice() as _,
        taken.as_slice() as _,
        token,
        births.triggers.as_slice() as _,
        births.trigger_ids.as_slice() as _,
        births.trigger_keys.as_slice() as _,
        births.replays_of.as_slice() as _,
        rows.failures.tasks.as_slice() as _,
        rows.failures.kinds.as_slice() as _,
        rows.failures.messages.as_slice() as _,
        rows.failures.locations.as_slice() as _,
        rows.failures.fingerprints.as_slice() as _,
        rows.failures.caused_by.as_slice() as _,
        births.limit_keys.as_slice() as _,
        awaits.runs.as_slice() as _,
        awaits.namespaces.as_slice() as _,
        awaits.names.as_slice() as _,
        awaits.keys.as_slice() as _,
        awaits.changes.as_slice() as _,
    );
    statement.fetch_one(connection).await
}

async fn execute_events(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    lane: i16,
    batch: &Batch<'_>,
) -> Result<Done, sqlx::Error> {
    let events = &batch.events;
    let statement = sqlx::query_file!(
        "src/store/postgres/sql/append_events.sql",
        node.0,
        lane,
        events.runs.as_slice() as _,
        events.seqs.as_slice() as _,
        events.kinds.as_slice() as _,
        events.schema_versions.as_slice() as _,
        events.tasks.as_slice() as _,
        events.attempts.as_slice() as _,
        events.payloads.as_slice() as _,
        token,
    );
    let done = statement.fetch_one(connection).await?;
    Ok(Done { now: done.now, events: done.events, born: Vec::new(), kept: Vec::new() })
}

async fn execute_runs(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    lane: i16,
    batch: &Batch<'_>,
) -> Result<Done, sqlx::Error> {
    let Batch { births, events, rows, .. } = batch;
    let statement = sqlx::query_file!(
        "src/store/postgres/sql/append_runs.sql",
        node.0,
        lane,
        births.ids.as_slice() as _,
        births.namespaces.as_slice() as _,
        births.workflows.as_slice() as _,
        births.versions.as_slice() as _,
        births.statuses.as_slice() as _,
        births.owned.as_slice() as _,
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
        rows.ids.as_slice() as _,
        rows.statuses.as_slice() as _,
        rows.ended.as_slice() as _,
        rows.deadlines.as_slice() as _,
        token,
        births.triggers.as_slice() as _,
    );
    let done = statement.fetch_one(connection).await?;
    Ok(Done { now: done.now, events: done.events, born: Vec::new(), kept: Vec::new() })
}

/// Turns what the statement says into the answer.
async fn answer(
    connection: &mut PgConnection,
    node: NodeId,
    commits: &[Commit],
    batch: Batch<'_>,
    done: Done,
) -> Result<Appended, StoreError> {
    let Some(at) = done.now else { return Err(StoreError::Fenced) };
    let born: HashSet<Uuid> = done.born.into_iter().collect();
    let left_out = |birth: &Uuid| !born.contains(birth);
    let absent: Vec<RunId> = batch.keyed.iter().copied().filter(|run| left_out(&run.uuid())).collect();
    let expected = batch.events.births.iter().filter(|birth| !birth.as_ref().is_some_and(left_out)).count();
    if usize::try_from(done.events) != Ok(expected) {
        let message = format!("append wrote {} events of {expected}", done.events);
        return Err(StoreError::Bug { message });
    }
    let mut kept = run_ids(done.kept)?;
    kept.extend(batch.kept.iter().filter(|run| !absent.contains(run)));
    if absent.is_empty() {
        return Ok(Appended { at, kept, existing: absent });
    }
    // A run that is there already under its own id was created by this batch, whose first answer was lost.
    let before = written::born_before(connection, node, commits, &absent).await?;
    let at = before.first().map_or(at, |(_, at)| *at);
    let existing = absent.into_iter().filter(|run| !before.iter().any(|(mine, _)| mine == run)).collect();
    Ok(Appended { at, kept, existing })
}

pub(super) async fn checkpoint(
    connection: &mut PgConnection,
    token: i64,
    node: NodeId,
    lane: u16,
    append: &Append,
) -> Result<Timestamp, StoreError> {
    if append.born.is_some()
        || append.row.is_some()
        || !append.mail.is_empty()
        || !append.taken.is_empty()
        || !append.awaits.is_empty()
    {
        let message = format!("the checkpoint of run {} is more than events", append.run);
        return Err(StoreError::Bug { message });
    }
    let lane = lane_number(lane)?;
    let mut events = Events::with_capacity(append.events.len());
    events.push(append, None)?;
    let statement = sqlx::query_file!(
        "src/store/postgres/sql/checkpoint.sql",
        node.0,
        lane,
        append.run.uuid(),
        events.seqs.as_slice() as _,
        events.kinds.as_slice() as _,
        events.schema_versions.as_slice() as _,
        events.tasks.as_slice() as _,
        events.attempts.as_slice() as _,
        events.payloads.as_slice() as _,
        token,
    );
    match statement.fetch_one(connection).await {
        Ok(done) => done.now.ok_or(StoreError::Fenced),
        Err(error) if is_written(&error) => {
            Err(StoreError::Conflict { run: append.run, seq: append.expected.saturating_add(1) })
        }
        Err(error) => Err(classify(error)),
    }
}

fn lane_number(lane: u16) -> Result<i16, StoreError> {
    i16::try_from(lane).map_err(|error| StoreError::Bug { message: format!("lane {lane}: {error}") })
}
