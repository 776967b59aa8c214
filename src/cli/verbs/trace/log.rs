//! A run's log as the REST interface gives it, folded into spans here: a page is in memory, and what has not ended.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::client::{Client, Failure};
use crate::cli::documents::Page;
use crate::model::{NodeId, Recorded, RunId, Timestamp};
use crate::store::RawEvent;
use crate::telemetry::spans::{Span, Tracer};

/// Events of one answer.
const PAGE: &str = "500";

/// An event as it stands in an answer.
#[derive(Deserialize)]
struct Listed {
    seq: u32,
    at: Timestamp,
    kind: String,
    schema_version: i16,
    node: Option<NodeId>,
    task: Option<String>,
    attempt: Option<u32>,
    data: Box<RawValue>,
}

/// A run's spans, in the order of their ends.
pub(super) struct Spans<'a> {
    client: &'a Client,
    run: RunId,
    tracer: Tracer,
    after: Option<String>,
    /// When the last event was that was read.
    last_at: Option<Timestamp>,
}

impl<'a> Spans<'a> {
    pub(super) fn of(client: &'a Client, run: RunId) -> Spans<'a> {
        Spans { client, run, tracer: Tracer::new(run), after: Some("0".to_owned()), last_at: None }
    }

    /// Returns the spans that the next page of the log ends; `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Span>>, Failure> {
        let Some(after) = self.after.take() else { return Ok(None) };
        let query = [("after", after.as_str()), ("limit", PAGE)];
        let path = format!("runs/{}/events", self.run);
        let page: Page<Listed> = self.client.read(&path, &query).await?;
        self.after = page.next;
        let mut spans = Vec::new();
        for listed in page.data {
            let recorded = listed.recorded()?;
            self.last_at = Some(recorded.at);
            spans.extend(self.tracer.record(&recorded));
        }
        Ok(Some(spans))
    }

    /// Reads to the log's end, and returns when its last event was.
    pub(super) async fn end(mut self) -> Result<Option<Timestamp>, Failure> {
        while self.next().await?.is_some() {}
        Ok(self.last_at)
    }
}

impl Listed {
    fn recorded(self) -> Result<Recorded, Failure> {
        let raw = RawEvent {
            seq: self.seq,
            kind: self.kind,
            schema_version: self.schema_version,
            time: self.at,
            node: self.node,
            task: self.task,
            attempt: self.attempt,
            payload: self.data.get().to_owned(),
        };
        raw.decode().map_err(|error| Failure::Answer(format!("event {}: {error}", raw.seq)))
    }
}
