//! Whether a batch is in the log already: the answer to its first commit was lost.

use std::collections::HashMap;

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::errors::classify;
use super::rows::run_ids;
use crate::model::event::Encoded;
use crate::model::{NodeId, RunId, Timestamp};
use crate::store::{Append, Appended, Commit, StoreError};

/// Looks at the first event of each append of a batch that collided with the log: all ours, and the batch is
/// answered as it would have been then; else the collision is named.
pub(super) async fn settle(
    connection: &mut PgConnection,
    node: NodeId,
    commits: &[Commit],
) -> Result<Appended, StoreError> {
    let appends = || commits.iter().flat_map(|commit| &commit.appends);
    let written = Written::read(connection, appends()).await?;
    let mut existing = Vec::new();
    let mut mine = None;
    let mut missing = false;
    for commit in commits {
        let keyed =
            commit.appends.iter().find(|append| append.born.as_ref().is_some_and(|new| new.key.is_some()));
        for append in &commit.appends {
            match (written.of(node, append), keyed) {
                (First::Mine(at), _) => mine = Some((at, append)),
                (First::Theirs, _) => return Err(conflict(append)),
                (First::Missing, Some(keyed)) if keyed.run == append.run => existing.push(append.run),
                (First::Missing, None) => missing = true,
                (First::Missing, Some(_)) | (First::Nothing, _) => {}
            }
        }
    }
    match mine {
        Some((at, _)) if !missing => {
            let asks = |append: &Append| Some((append.run.uuid(), append.row.as_ref()?.release?.claims));
            let (asks, claims): (Vec<Uuid>, Vec<i32>) = appends().filter_map(asks).unzip();
            let owned = sqlx::query_file_scalar!(
                "src/store/postgres/sql/owned.sql",
                asks.as_slice() as _,
                claims.as_slice() as _,
                node.0
            );
            let owned = owned.fetch_all(connection).await.map_err(classify)?;
            Ok(Appended { at, kept: run_ids(owned)?, existing })
        }
        // Part of the batch is new: what is written is no commit of this batch, though it looks the same.
        Some((_, append)) => Err(conflict(append)),
        None => Err(StoreError::Bug { message: "an append collided with no event of its batch".to_owned() }),
    }
}

/// Of new runs that were left out because their key is taken, finds those that this very batch created before, and
/// when.
pub(super) async fn born_before(
    connection: &mut PgConnection,
    node: NodeId,
    commits: &[Commit],
    absent: &[RunId],
) -> Result<Vec<(RunId, Timestamp)>, StoreError> {
    let appends = commits.iter().flat_map(|commit| &commit.appends);
    let absent: Vec<&Append> = appends.filter(|append| absent.contains(&append.run)).collect();
    let written = Written::read(connection, absent.iter().copied()).await?;
    let before = absent.into_iter().filter_map(|append| match written.of(node, append) {
        First::Mine(at) => Some((append.run, at)),
        First::Theirs | First::Missing | First::Nothing => None,
    });
    Ok(before.collect())
}

fn conflict(append: &Append) -> StoreError {
    StoreError::Conflict { run: append.run, seq: append.expected.saturating_add(1) }
}

/// What stands in the log where an append's first event goes.
enum First {
    /// That event, by this node.
    Mine(Timestamp),
    /// Something else.
    Theirs,
    /// Nothing.
    Missing,
    /// The append has no event.
    Nothing,
}

/// The events in the log where appends begin.
struct Written(HashMap<Uuid, Row>);

struct Row {
    node: Option<i32>,
    time: Timestamp,
    kind: String,
    payload: String,
}

impl Written {
    async fn read<'a>(
        connection: &mut PgConnection,
        appends: impl Iterator<Item = &'a Append>,
    ) -> Result<Written, StoreError> {
        let first =
            |append: &Append| (append.run.uuid(), i32::try_from(append.expected).unwrap_or(i32::MAX - 1) + 1);
        let (runs, seqs): (Vec<Uuid>, Vec<i32>) =
            appends.filter(|append| !append.events.is_empty()).map(first).unzip();
        let rows = sqlx::query_file!(
            "src/store/postgres/sql/written.sql",
            runs.as_slice() as _,
            seqs.as_slice() as _
        );
        let rows = rows.fetch_all(connection).await.map_err(classify)?;
        let rows = rows.into_iter().map(|row| {
            (row.run_id, Row { node: row.node, time: row.time, kind: row.kind, payload: row.payload })
        });
        Ok(Written(rows.collect()))
    }

    fn of(&self, node: NodeId, append: &Append) -> First {
        let same = |row: &Row, event: &Encoded| {
            row.node == Some(node.0) && row.kind == event.kind && row.payload == event.payload
        };
        match (append.events.first(), self.0.get(&append.run.uuid())) {
            (None, _) => First::Nothing,
            (Some(_), None) => First::Missing,
            (Some(event), Some(row)) if same(row, event) => First::Mine(row.time),
            (Some(_), Some(_)) => First::Theirs,
        }
    }
}
