//! Brings chunks to their streams: what waits leaves together, and each sender hears of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::actor::supervisor::Engine;
use crate::model::RunId;
use crate::model::limits::CHUNKS_PER_WRITE_MAX;
use crate::store::StoreError;
use crate::store::writings::{NewChunk, Written};

/// A chunk whose sender waits.
pub(super) struct Delivery {
    pub(super) chunk: NewChunk,
    pub(super) reply: oneshot::Sender<Result<Written, StoreError>>,
}

/// The agent that brings chunks.
pub(super) struct Courier {
    pub(super) engine: Arc<Engine>,
    pub(super) queue: mpsc::Receiver<Delivery>,
}

/// The pause after a write that got no answer; doubles from the first to the last.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Tries at a chunk that is refused: another process that still thinks that it owns the run may have taken its place.
const TRIES_MAX: u32 = 3;

impl Courier {
    pub(super) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(CHUNKS_PER_WRITE_MAX);
        while self.queue.recv_many(&mut waiting, CHUNKS_PER_WRITE_MAX).await > 0 {
            // The code of those who do not wait any more is gone.
            waiting.retain(|delivery| !delivery.reply.is_closed());
            let (chunks, replies): (Vec<_>, Vec<_>) =
                waiting.drain(..).map(|delivery| (delivery.chunk, delivery.reply)).unzip();
            for (reply, answer) in replies.into_iter().zip(self.bring(&chunks).await) {
                let _gone = reply.send(answer);
            }
        }
    }

    /// Writes chunks and answers for each; of a refused batch each goes alone.
    async fn bring(&self, chunks: &[NewChunk]) -> Vec<Result<Written, StoreError>> {
        if chunks.is_empty() {
            return Vec::new();
        }
        let answers = match self.answered(chunks).await {
            Ok(written) => written.into_iter().map(Ok).collect(),
            Err(_) => {
                let mut answers = Vec::with_capacity(chunks.len());
                for chunk in chunks {
                    answers.push(self.alone(chunk).await);
                }
                answers
            }
        };
        let runs: BTreeSet<RunId> = chunks.iter().map(|chunk| chunk.run).collect();
        runs.into_iter().for_each(|run| self.engine.grown(run));
        answers
    }

    async fn alone(&self, chunk: &NewChunk) -> Result<Written, StoreError> {
        let mut tried = 1;
        loop {
            match self.answered(std::slice::from_ref(chunk)).await {
                Ok(written) => {
                    let bug = || StoreError::Bug { message: "a chunk got no answer".to_owned() };
                    return written.first().copied().ok_or_else(bug);
                }
                Err(error) if tried == TRIES_MAX => return Err(error),
                Err(_) => tried += 1,
            }
        }
    }

    /// Writes, again and again while there is no answer: the store knows what it has.
    async fn answered(&self, chunks: &[NewChunk]) -> Result<Vec<Written>, StoreError> {
        let mut pause = PAUSE_MIN;
        loop {
            match self.engine.store.write_chunks(chunks).await {
                Err(StoreError::Unavailable { source }) => {
                    tracing::debug!(error = %source, "chunks got no answer");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                answer => return answer,
            }
        }
    }
}
