//! What an attempt's code writes beside the log, with the name of who writes it.

use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::live::Live;
use crate::actor::supervisor::Engine;
use crate::actor::writing::Voice;
use crate::model::state::TaskState;
use crate::model::{Line, NodeId, RunId, TaskName, Timestamp};
use crate::store::writings::{NewChunk, Sending, Written};
use crate::workflow::CxError;
use crate::workflow::context::{Parcel, Sent};

/// An attempt's way to the scribe and the courier. One that writes nothing costs nothing but this.
pub(super) struct RunPaper {
    engine: Arc<Engine>,
    run: RunId,
    node: NodeId,
    task: TaskName,
    attempt: u32,
    claims: u32,
    was_here: bool,
    voice: OnceLock<Arc<Voice>>,
}

impl Live {
    pub(super) fn paper_of(&self, task: &TaskState) -> RunPaper {
        RunPaper {
            engine: Arc::clone(&self.engine),
            run: self.run,
            node: self.node.id,
            task: task.name.clone(),
            attempt: task.attempt(),
            claims: u32::try_from(self.claims).unwrap_or_default(),
            was_here: self.claims > 1 || !task.ops.is_empty(),
            voice: OnceLock::new(),
        }
    }
}

impl RunPaper {
    pub(super) fn line(&self, at: Timestamp, step: Option<String>, line: Line) {
        let voice = self.voice.get_or_init(|| {
            let voice =
                Voice::new(self.run, self.node, self.task.clone(), self.attempt, self.claims, self.was_here);
            Arc::new(voice)
        });
        self.engine.writing.desk.take(voice, at, step, line);
    }

    pub(super) fn send(&self, parcel: Parcel) -> BoxFuture<'static, Result<Sent, CxError>> {
        let Parcel { stream, step, source, k, data } = parcel;
        let what = format!("stream {stream}");
        let sending = Sending { task: self.task.clone(), attempt: self.attempt, source, k };
        let sent = self.engine.writing.send(NewChunk { run: self.run, stream, sending, step, data });
        async move {
            match sent.await {
                Ok(Written::New) => Ok(Sent::New),
                Ok(Written::Known { sent }) => Ok(Sent::Known { sent }),
                Ok(Written::Full) => Ok(Sent::Full),
                Err(error) => Err(CxError::Stream { what, message: error.to_string() }),
            }
        }
        .boxed()
    }
}

impl Drop for RunPaper {
    fn drop(&mut self) {
        if let Some(voice) = self.voice.get() {
            self.engine.writing.desk.end(voice);
        }
    }
}
