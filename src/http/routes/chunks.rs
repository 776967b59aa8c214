//! The streams that a run's code sends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, stream};
use crate::http::body::{Page, ProblemBody, Time};
use crate::http::extract::{NUMBER_MAX, Named, Params, TheRun};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::ids::NameError;
use crate::model::{Payload, StreamName};
use crate::store::Chunk;

/// Chunks of one page: each may have 64 KiB.
const PAGE_CHUNKS_MAX: u32 = 100;

/// A stream of a run.
#[derive(Serialize, ToSchema)]
#[schema(as = Stream)]
pub(super) struct StreamBody {
    /// Its name.
    name: String,
    /// How many chunks it has.
    chunks: u32,
}

/// A chunk of a stream.
#[derive(Serialize, ToSchema)]
#[schema(as = Chunk)]
pub(super) struct ChunkBody {
    /// Its place in the stream, from 1 without holes.
    n: u32,
    /// When it was written, on the database's clock.
    at: Time,
    /// The task whose code sent it.
    task: String,
    /// Which attempt at the task.
    attempt: u32,
    /// Which execution of a step's body sent it; 0 = the task's own code. A body that runs again is another source, and
    /// voids what its source before sent.
    source: i64,
    /// The step in whose body it was sent: `name#occurrence`.
    step: Option<String>,
    /// What it holds.
    #[schema(value_type = serde_json::Value)]
    data: Payload,
}

impl From<Chunk> for ChunkBody {
    fn from(chunk: Chunk) -> ChunkBody {
        ChunkBody {
            n: chunk.n,
            at: chunk.at.into(),
            task: chunk.sending.task.to_string(),
            attempt: chunk.sending.attempt,
            source: chunk.sending.source,
            step: chunk.step,
            data: chunk.data,
        }
    }
}

/// A run's streams, by name
#[utoipa::path(
    get, path = "/runs/{id}/streams", tag = "logs",
    params(("id" = String, Path, description = "the run's id")),
    responses(
        (status = 200, description = "the streams", body = Page<StreamBody>),
        (status = 404, description = "`run_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn streams(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
) -> Answer<Page<StreamBody>> {
    let streams = service.details().await?.streams(row.run).await?;
    let data = streams.into_iter().map(|(name, chunks)| StreamBody { name: name.to_string(), chunks });
    Ok(Json(Page { data: data.collect(), next: None }))
}

/// A stream's chunks, in order; none of a stream to which nothing was sent
#[utoipa::path(
    get, path = "/runs/{id}/streams/{name}", tag = "logs",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("name" = String, Path, description = "the stream's name"),
        ("after" = Option<u32>, Query, description = "only those after this place; 0 unless told"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "chunks at most, 1 to 100; 100 unless told"),
    ),
    responses(
        (status = 200, description = "the chunks", body = Page<ChunkBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 404, description = "`run_not_found`, `not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    Named(name): Named,
    params: Params,
) -> Answer<Page<ChunkBody>> {
    let name = StreamName::new(name).map_err(unnamed)?;
    let limit = params.number("limit", 1..=PAGE_CHUNKS_MAX, PAGE_CHUNKS_MAX)?;
    let after = params.number("after", 0..=NUMBER_MAX, 0)?;
    let chunks = service.details().await?.chunks(row.run, &name, after, limit).await?;
    let full = chunks.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = chunks.last().filter(|_| full).map(|last| last.n.to_string());
    Ok(Json(Page { data: chunks.into_iter().map(ChunkBody::from).collect(), next }))
}

fn unnamed(error: NameError) -> Problem {
    Problem::new(Code::NotFound, error.to_string())
}

/// A stream's chunks as they are sent, to the run's end (server-sent events)
///
/// `chunk` carries a chunk, its place as the id; `end` says that the run has ended.
#[utoipa::path(
    get, path = "/runs/{id}/streams/{name}/stream", tag = "logs",
    params(
        ("id" = String, Path, description = "the run's id"),
        ("name" = String, Path, description = "the stream's name"),
        ("after" = Option<u32>, Query, description = "only those after this place; 0 unless told"),
        ("Last-Event-ID" = Option<u32>, Header, description = "the same; goes before `after`"),
    ),
    responses(
        (status = 200, description = "the chunks", body = String, content_type = "text/event-stream"),
        (
            status = 400, description = "`invalid_query`, `invalid_header`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 404, description = "`run_not_found`, `not_found`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (
            status = 503, description = "`too_many_streams`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn stream(
    State(service): State<Arc<Service>>,
    TheRun(row): TheRun,
    Named(name): Named,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = StreamName::new(name).map_err(unnamed)?;
    let after = stream::last_seen(&params, &headers)?;
    let permit = stream::permit(&service)?;
    let chunks = service.runtime.stream(row.run, name.as_str(), after)?;
    Ok(stream::follow(row.run, permit, chunks, |chunk| {
        ("chunk", chunk.n.to_string(), ChunkBody::from(chunk))
    }))
}
