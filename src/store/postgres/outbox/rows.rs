//! What is in the outbox, and the logs that it speaks of.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;
use sqlx::types::Uuid;

use crate::model::limits::REFUSED_SPANS_KEPT;
use crate::model::{Recorded, RunId};
use crate::store::StoreError;
use crate::store::outbox::{Commits, Committed, Grown, Logs, OutboxRow, Place, RefusedSpan, stretches};
use crate::store::postgres::errors::classify;
use crate::store::postgres::nodes::interval;
use crate::store::postgres::rows::{EventRecord, corrupt, run_id, run_ids};

/// Bytes of payloads that one question for logs reads: what a process has to spare.
const LOG_BYTES: i64 = 4 << 20;

pub(super) async fn read(
    connection: &mut PgConnection,
    place: &Place,
    limit: u32,
) -> Result<Commits, StoreError> {
    let (seen, row) = place.bounds();
    let rows = sqlx::query_file!(
        "src/store/postgres/sql/outbox.sql",
        seen,
        row.xid.to_string(),
        row.id,
        i64::from(limit)
    );
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let Some(snapshot) = rows.first().map(|row| row.snapshot.clone()) else {
        return Err(StoreError::Bug { message: "a look into the outbox tells no snapshot".to_owned() });
    };
    let mut commits = Vec::with_capacity(rows.len());
    for row in rows {
        let (Some(xid), Some(id), Some(at), Some(runs), Some(seqs)) =
            (row.xid, row.id, row.at, row.runs, row.seqs)
        else {
            continue;
        };
        let bad =
            |column, message: String| corrupt("runlog.outbox", column, &format!("({xid}, {id})"), message);
        let row = OutboxRow { xid: xid.parse().map_err(|_| bad("xid", "it is no number".to_owned()))?, id };
        let seqs =
            seqs.into_iter().map(|seq| u32::try_from(seq).map_err(|error| bad("seqs", error.to_string())));
        let runs = runs.into_iter().map(|run| run_id("runlog.outbox", "runs", run));
        let events = runs.zip(seqs).map(|(run, seq)| Ok((run?, seq?)));
        let events = events.collect::<Result<Vec<(RunId, u32)>, StoreError>>()?;
        commits.push(Committed { row, at, stretches: stretches(events) });
    }
    let full = u32::try_from(commits.len()).is_ok_and(|read| read >= limit);
    let (next, more) = place.after(snapshot, commits.last().map(|last| last.row), full)?;
    Ok(Commits { commits, next, more })
}

pub(super) async fn pass(
    connection: &mut PgConnection,
    token: i64,
    rows: &[OutboxRow],
    refused: &[RefusedSpan],
    lease: Duration,
) -> Result<bool, StoreError> {
    let xids: Vec<String> = rows.iter().map(|row| row.xid.to_string()).collect();
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let runs: Vec<Uuid> = refused.iter().map(|span| span.run.uuid()).collect();
    let traces: Vec<Option<&str>> = refused.iter().map(|span| span.trace_id.as_deref()).collect();
    let spans: Vec<Option<&str>> = refused.iter().map(|span| span.span_id.as_deref()).collect();
    let names: Vec<&str> = refused.iter().map(|span| span.name.as_str()).collect();
    let reasons: Vec<&str> = refused.iter().map(|span| span.reason.as_str()).collect();
    let passed = sqlx::query_file_scalar!(
        "src/store/postgres/sql/pass_outbox.sql",
        token,
        interval(lease) as PgInterval,
        xids.as_slice() as _,
        ids.as_slice() as _,
        runs.as_slice() as _,
        traces.as_slice() as _,
        spans.as_slice() as _,
        names.as_slice() as _,
        reasons.as_slice() as _,
    );
    let held = passed.fetch_one(&mut *connection).await.map_err(classify)? == 1;
    if held && !refused.is_empty() {
        let kept = i64::from(REFUSED_SPANS_KEPT);
        let trimmed = sqlx::query_file!("src/store/postgres/sql/trim_refused.sql", kept);
        trimmed.execute(connection).await.map_err(classify)?;
    }
    Ok(held)
}

pub(super) async fn refused(
    connection: &mut PgConnection,
    limit: u32,
) -> Result<Vec<RefusedSpan>, StoreError> {
    let rows = sqlx::query_file!("src/store/postgres/sql/refused_spans.sql", i64::from(limit));
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let spans = rows.into_iter().map(|row| {
        Ok(RefusedSpan {
            at: row.at,
            run: run_id("runlog.refused_spans", "run_id", row.run_id)?,
            trace_id: row.trace_id,
            span_id: row.span_id,
            name: row.name,
            reason: row.reason,
        })
    });
    spans.collect()
}

pub(super) async fn grown(
    connection: &mut PgConnection,
    runs: &[(RunId, u32)],
    limit: u32,
) -> Result<Logs, StoreError> {
    let ids: Vec<Uuid> = runs.iter().map(|(run, _)| run.uuid()).collect();
    let seqs: Vec<i32> = runs.iter().map(|(_, seq)| i32::try_from(*seq).unwrap_or(i32::MAX)).collect();
    let rows = sqlx::query_file_as!(
        EventRecord,
        "src/store/postgres/sql/grown.sql",
        ids.as_slice() as _,
        seqs.as_slice() as _,
        i64::from(limit),
        LOG_BYTES,
    );
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let bytes: usize = rows.iter().map(|row| row.payload.len()).sum();
    let enough = usize::try_from(limit).unwrap_or(usize::MAX);
    let cut = rows.len() >= enough || i64::try_from(bytes).is_ok_and(|bytes| bytes >= LOG_BYTES);
    let mut places: HashMap<Uuid, usize> = HashMap::with_capacity(runs.len());
    let mut grown: Vec<Grown> = Vec::new();
    let after: HashMap<Uuid, i32> = ids.into_iter().zip(seqs).collect();
    for row in rows {
        let place = *places.entry(row.run_id).or_insert(grown.len());
        if place == grown.len() {
            let run = run_id("runlog.events", "run_id", row.run_id)?;
            grown.push(Grown { run, events: Vec::new(), unreadable: None });
        }
        let Some(log) = grown.get_mut(place).filter(|log| log.unreadable.is_none()) else { continue };
        let read = i32::try_from(log.events.len()).unwrap_or(i32::MAX);
        let before = after.get(&row.run_id).copied().unwrap_or_default().saturating_add(read);
        // Out of order: it is asked for again.
        if row.seq != before.saturating_add(1) {
            continue;
        }
        match Recorded::try_from(row) {
            Ok(event) => log.events.push(event),
            Err(unreadable) => log.unreadable = Some(unreadable.to_string()),
        }
    }
    Ok(Logs { logs: grown, cut })
}

pub(super) async fn ended(connection: &mut PgConnection, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    let ended = sqlx::query_file_scalar!("src/store/postgres/sql/ended.sql", ids.as_slice() as _);
    run_ids(ended.fetch_all(connection).await.map_err(classify)?)
}
