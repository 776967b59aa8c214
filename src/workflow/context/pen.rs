//! What an attempt's code writes beside the log: lines, and chunks of streams.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::cx::Host;
use super::facts::AttemptFacts;
use super::ledger::Ledger;
use super::step::{Polled, polled};
use crate::model::limits::STREAMS_MAX;
use crate::model::{Level, Line, Payload, StreamName};
use crate::telemetry::Paper;
use crate::workflow::CxError;

/// Writes for one attempt's code; shared by all clones of its context.
pub(crate) struct Pen {
    pub(super) facts: Arc<AttemptFacts>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) host: Arc<dyn Host>,
    streams: Mutex<BTreeMap<StreamName, Tally>>,
    /// Tells the step bodies that run now from those of other times in which the code was in memory.
    incarnation: OnceLock<u32>,
}

/// What was sent to one stream.
#[derive(Default)]
struct Tally {
    /// By the task's own code.
    own: u32,
    /// Of that, what the stream is known to hold from before.
    known: u32,
    /// By bodies of steps.
    of_steps: u32,
}

/// A chunk on its way from the code.
pub(crate) struct Parcel {
    pub(crate) stream: StreamName,
    /// The step in whose body it is sent, as `name#occurrence`.
    pub(crate) step: Option<String>,
    /// Which execution of a step's body sends it; 0 = the task's own code.
    pub(crate) source: i64,
    /// Its place among the source's chunks.
    pub(crate) k: u32,
    pub(crate) data: Payload,
}

/// What became of a chunk.
#[derive(Clone, Copy)]
pub(crate) enum Sent {
    /// It is in the stream.
    New,
    /// It was before; for a source's first one, with how many of that source are.
    Known { sent: u32 },
    /// The stream takes no more.
    Full,
}

impl Pen {
    pub(super) fn new(facts: Arc<AttemptFacts>, ledger: Arc<Ledger>, host: Arc<dyn Host>) -> Pen {
        Pen { facts, ledger, host, streams: Mutex::default(), incarnation: OnceLock::new() }
    }

    /// Claims the next place of a chunk of `stream`; `None` when the stream holds it from before.
    pub(super) fn claim(&self, stream: &StreamName, data: Payload) -> Result<Option<Parcel>, CxError> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= STREAMS_MAX && !streams.contains_key(stream) {
            let what = format!("streams of task {}", self.facts.task);
            return Err(CxError::Limit { what, limit: STREAMS_MAX as u64 });
        }
        let tally = streams.entry(stream.clone()).or_default();
        let (source, step, counter) = match polled() {
            Some(polled) => (self.source(&polled), Some(polled.text()), &mut tally.of_steps),
            None => (0, None, &mut tally.own),
        };
        let k = *counter;
        *counter += 1;
        if source == 0 && k < tally.known {
            return Ok(None);
        }
        Ok(Some(Parcel { stream: stream.clone(), step, source, k, data }))
    }

    /// Notes that the stream holds the task's own first `sent` chunks from before.
    pub(super) fn note_known(&self, stream: &StreamName, sent: u32) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tally) = streams.get_mut(stream) {
            tally.known = sent;
        }
    }

    /// Names an execution of a step's body.
    fn source(&self, polled: &Polled) -> i64 {
        let incarnation = self.incarnation.get_or_init(|| self.facts.clock.draw_mark());
        (i64::from(*incarnation) << 32) | i64::from(polled.execution)
    }
}

impl Paper for Pen {
    fn takes(&self, level: Level) -> bool {
        level >= self.facts.log_level
    }

    fn write(&self, line: Line) {
        let step = polled().map(|polled| polled.text());
        // The code only comes back to where it was: it wrote this before.
        if step.is_none() && self.ledger.is_retracing() {
            return;
        }
        self.host.line(self.facts.clock.now(), step, line);
    }
}
