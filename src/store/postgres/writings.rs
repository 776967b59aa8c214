//! Lines and chunks.

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::PostgresStore;
use super::dedicated::within;
use super::errors::classify;
use super::rows::corrupt;
use crate::model::limits::{CHUNKS_MAX, LINES_SEARCHED_MAX};
use crate::model::{Level, Line, NodeId, Payload, RunId, StreamName, TaskName, Timestamp};
use crate::store::writings::{
    self, Chunk, LevelCounts, LogLine, LogQuery, NewChunk, Sending, Writings, Written,
};
use crate::store::{Answer, StoreError};

impl Writings for PostgresStore {
    fn write_lines<'a>(&'a self, new: &'a [(RunId, LogLine)]) -> Answer<'a, ()> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = write_lines(&mut borrowed, new).await;
            borrowed.settle(answer).await
        }))
    }

    fn lines<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, Vec<LogLine>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = lines(&mut borrowed, run, query).await;
            borrowed.settle(answer).await
        }))
    }

    fn line_counts<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, LevelCounts> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = line_counts(&mut borrowed, run, query).await;
            borrowed.settle(answer).await
        }))
    }

    fn write_chunks<'a>(&'a self, new: &'a [NewChunk]) -> Answer<'a, Vec<Written>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = write_chunks(&mut borrowed, new).await;
            borrowed.settle(answer).await
        }))
    }

    fn chunks<'a>(
        &'a self,
        run: RunId,
        stream: &'a StreamName,
        after: u32,
        limit: u32,
    ) -> Answer<'a, Vec<Chunk>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = chunks(&mut borrowed, run, stream, after, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn streams(&self, run: RunId) -> Answer<'_, Vec<(StreamName, u32)>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = streams(&mut borrowed, run).await;
            borrowed.settle(answer).await
        }))
    }
}

async fn write_lines(connection: &mut PgConnection, lines: &[(RunId, LogLine)]) -> Result<(), StoreError> {
    let runs: Vec<Uuid> = lines.iter().map(|(run, _)| run.uuid()).collect();
    let places: Vec<i64> = lines.iter().map(|(_, line)| line.n).collect();
    let times: Vec<Timestamp> = lines.iter().map(|(_, line)| line.at).collect();
    let nodes: Vec<Option<i32>> = lines.iter().map(|(_, line)| line.node.map(|node| node.0)).collect();
    let tasks: Vec<&str> = lines.iter().map(|(_, line)| line.task.as_str()).collect();
    let attempts: Vec<i32> = lines.iter().map(|(_, line)| small(line.attempt)).collect();
    let steps: Vec<Option<&str>> = lines.iter().map(|(_, line)| line.step.as_deref()).collect();
    let claims: Vec<i32> = lines.iter().map(|(_, line)| small(line.claims)).collect();
    let levels: Vec<&str> = lines.iter().map(|(_, line)| line.line.level.as_str()).collect();
    let targets: Vec<&str> = lines.iter().map(|(_, line)| line.line.target.as_str()).collect();
    let messages: Vec<&str> = lines.iter().map(|(_, line)| line.line.message.as_str()).collect();
    let fields: Vec<Option<&str>> =
        lines.iter().map(|(_, line)| line.line.fields.as_ref().map(Payload::text)).collect();
    let dropped: Vec<i32> = lines.iter().map(|(_, line)| small(line.dropped)).collect();
    let written = sqlx::query_file!(
        "src/store/postgres/sql/write_lines.sql",
        runs.as_slice() as _,
        places.as_slice() as _,
        times.as_slice() as _,
        nodes.as_slice() as _,
        tasks.as_slice() as _,
        attempts.as_slice() as _,
        steps.as_slice() as _,
        claims.as_slice() as _,
        levels.as_slice() as _,
        targets.as_slice() as _,
        messages.as_slice() as _,
        fields.as_slice() as _,
        dropped.as_slice() as _,
    );
    written.execute(connection).await.map_err(classify).map(drop)
}

async fn lines(
    connection: &mut PgConnection,
    run: RunId,
    query: &LogQuery,
) -> Result<Vec<LogLine>, StoreError> {
    let (task, attempt) = (query.task.as_ref().map(TaskName::as_str), query.attempt.map(small));
    let (limit, before) = (i64::from(query.limit), query.before.unwrap_or(i64::MAX));
    let rows = if query.from_end {
        let rows = sqlx::query_file_as!(
            LineRecord,
            "src/store/postgres/sql/last_lines.sql",
            run.uuid(),
            query.after,
            task,
            attempt,
            query.level_min.as_str(),
            limit,
            before,
            i64::from(LINES_SEARCHED_MAX),
        );
        rows.fetch_all(connection).await
    } else {
        let rows = sqlx::query_file_as!(
            LineRecord,
            "src/store/postgres/sql/lines.sql",
            run.uuid(),
            query.after,
            task,
            attempt,
            query.level_min.as_str(),
            limit,
            before,
        );
        rows.fetch_all(connection).await
    };
    let rows = rows.map_err(classify)?;
    rows.into_iter().map(|row| row.read(run)).collect()
}

async fn line_counts(
    connection: &mut PgConnection,
    run: RunId,
    query: &LogQuery,
) -> Result<LevelCounts, StoreError> {
    let rows = sqlx::query_file!(
        "src/store/postgres/sql/line_counts.sql",
        run.uuid(),
        query.task.as_ref().map(TaskName::as_str),
        query.attempt.map(small),
    );
    let mut counts = LevelCounts::default();
    for row in rows.fetch_all(connection).await.map_err(classify)? {
        counts.add(level(&row.level, &run)?, u64::try_from(row.lines).unwrap_or_default());
    }
    Ok(counts)
}

async fn write_chunks(
    connection: &mut PgConnection,
    chunks: &[NewChunk],
) -> Result<Vec<Written>, StoreError> {
    let runs: Vec<Uuid> = chunks.iter().map(|chunk| chunk.run.uuid()).collect();
    let streams: Vec<&str> = chunks.iter().map(|chunk| chunk.stream.as_str()).collect();
    let tasks: Vec<&str> = chunks.iter().map(|chunk| chunk.sending.task.as_str()).collect();
    let attempts: Vec<i32> = chunks.iter().map(|chunk| small(chunk.sending.attempt)).collect();
    let steps: Vec<Option<&str>> = chunks.iter().map(|chunk| chunk.step.as_deref()).collect();
    let sources: Vec<i64> = chunks.iter().map(|chunk| chunk.sending.source).collect();
    let places: Vec<i32> = chunks.iter().map(|chunk| small(chunk.sending.k)).collect();
    let data: Vec<&str> = chunks.iter().map(|chunk| chunk.data.text()).collect();
    let rows = sqlx::query_file!(
        "src/store/postgres/sql/write_chunks.sql",
        runs.as_slice() as _,
        streams.as_slice() as _,
        tasks.as_slice() as _,
        attempts.as_slice() as _,
        steps.as_slice() as _,
        sources.as_slice() as _,
        places.as_slice() as _,
        data.as_slice() as _,
        i64::from(CHUNKS_MAX),
    );
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    rows.into_iter().map(|row| writings::written(row.n, row.known, row.sent)).collect()
}

async fn chunks(
    connection: &mut PgConnection,
    run: RunId,
    stream: &StreamName,
    after: u32,
    limit: u32,
) -> Result<Vec<Chunk>, StoreError> {
    let rows = sqlx::query_file_as!(
        ChunkRecord,
        "src/store/postgres/sql/chunks.sql",
        run.uuid(),
        stream.as_str(),
        small(after),
        i64::from(limit),
    );
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    rows.into_iter().map(|row| row.read(run)).collect()
}

async fn streams(connection: &mut PgConnection, run: RunId) -> Result<Vec<(StreamName, u32)>, StoreError> {
    let rows = sqlx::query_file!("src/store/postgres/sql/streams.sql", run.uuid());
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    rows.into_iter()
        .map(|row| Ok((StreamName::recorded(&row.stream), count("runlog.chunks", "n", &run, row.chunks)?)))
        .collect()
}

/// A row of `runlog.log_lines`.
struct LineRecord {
    n: i64,
    at: Timestamp,
    node: Option<i32>,
    task: String,
    attempt: i32,
    step: Option<String>,
    claims: i32,
    level: String,
    target: String,
    message: String,
    fields: Option<String>,
    dropped: i32,
}

impl LineRecord {
    fn read(self, run: RunId) -> Result<LogLine, StoreError> {
        let row = format!("({run}, {})", self.n);
        let number = |column, value| count(LINES, column, &row, value);
        let fields = self.fields.map(Payload::parse).transpose();
        let fields = fields.map_err(|error| corrupt(LINES, "fields", &row, error.to_string()))?;
        Ok(LogLine {
            n: self.n,
            at: self.at,
            node: self.node.map(NodeId),
            task: TaskName::recorded(&self.task),
            attempt: number("attempt", self.attempt)?,
            step: self.step,
            claims: number("claims", self.claims)?,
            dropped: number("dropped", self.dropped)?,
            line: Line {
                level: level(&self.level, &row)?,
                target: self.target,
                message: self.message,
                fields,
            },
        })
    }
}

/// A row of `runlog.chunks`.
struct ChunkRecord {
    n: i32,
    at: Timestamp,
    task: String,
    attempt: i32,
    step: Option<String>,
    source: i64,
    k: i32,
    data: String,
}

impl ChunkRecord {
    fn read(self, run: RunId) -> Result<Chunk, StoreError> {
        let row = format!("({run}, {})", self.n);
        let number = |column, value| count("runlog.chunks", column, &row, value);
        let data = Payload::parse(self.data);
        let sending = Sending {
            task: TaskName::recorded(&self.task),
            attempt: number("attempt", self.attempt)?,
            source: self.source,
            k: number("k", self.k)?,
        };
        Ok(Chunk {
            n: number("n", self.n)?,
            at: self.at,
            sending,
            step: self.step,
            data: data.map_err(|error| corrupt("runlog.chunks", "data", &row, error.to_string()))?,
        })
    }
}

const LINES: &str = "runlog.log_lines";

fn level(text: &str, row: &impl ToString) -> Result<Level, StoreError> {
    text.parse().map_err(|unknown| corrupt(LINES, "level", row, format!("{unknown}")))
}

fn count(
    table: &'static str,
    column: &'static str,
    row: &impl ToString,
    value: i32,
) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|error| corrupt(table, column, row, error.to_string()))
}

/// Numbers that count what limits bound.
fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
