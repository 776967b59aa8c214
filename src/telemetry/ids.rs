//! The ids of a run's trace and spans: a function of the log, so that whoever writes one down writes the same, also a link to
//! a trace that is not exported yet.

use sha2::{Digest, Sha256};

use crate::model::{OpKey, RunId, SpanId, TaskName, TraceContext, TraceFlags, TraceId};

/// Stand first in what is hashed: ids of another scheme, or of something else with the same bytes, are others.
const TRACE: &str = "runlog trace v1";
const SPAN: &str = "runlog span v1";

/// Returns the place of a run in its trace: the caller's span, or, in a trace of the run's own, none but its start.
///
/// The trace's id is never the run's own bytes: the low ones are not random, and samplers go by them.
pub fn run(run: RunId, caller: Option<&TraceContext>) -> TraceContext {
    let own = || TraceContext {
        trace_id: TraceId::of_hash(&hash([TRACE.as_bytes(), run.uuid().as_bytes().as_slice()])),
        span_id: start(run),
        flags: TraceFlags::SAMPLED,
        state: None,
    };
    caller.map_or_else(own, |caller| caller.under(start(run)))
}

/// Returns the id of the zero-length span that is exported when a run is created, and that its other spans stand under.
pub fn start(run: RunId) -> SpanId {
    span(run, "start", &[])
}

/// Returns the id of the span of the whole run.
pub fn whole(run: RunId) -> SpanId {
    span(run, "run", &[])
}

/// Returns the id of the span of an attempt at a task.
pub fn attempt(run: RunId, task: &TaskName, attempt: u32) -> SpanId {
    span(run, "attempt", &[task.as_str().as_bytes(), &attempt.to_be_bytes()])
}

/// Returns the id of the span of a step that began in an attempt at a task: one for all its tries there.
pub fn step(run: RunId, task: &TaskName, attempt: u32, op: &OpKey) -> SpanId {
    let (name, occurrence) = (op.name.as_bytes(), op.occurrence.to_be_bytes());
    span(run, "step", &[task.as_str().as_bytes(), &attempt.to_be_bytes(), name, &occurrence])
}

/// Returns the id of the span of a sleep or of a wait for a signal that began in an attempt at a task.
pub fn wait(run: RunId, task: &TaskName, attempt: u32, op: &OpKey) -> SpanId {
    let (name, occurrence) = (op.name.as_bytes(), op.occurrence.to_be_bytes());
    span(run, "wait", &[task.as_str().as_bytes(), &attempt.to_be_bytes(), name, &occurrence])
}

/// Returns the id of the span in which `run` waits for its child run.
pub fn child(run: RunId, child: RunId) -> SpanId {
    span(run, "child", &[child.uuid().as_bytes()])
}

fn span(run: RunId, kind: &str, key: &[&[u8]]) -> SpanId {
    let run = run.uuid();
    let about = [SPAN.as_bytes(), run.as_bytes().as_slice(), kind.as_bytes()];
    SpanId::of_hash(&hash(about.into_iter().chain(key.iter().copied())))
}

/// Hashes parts, each after its length: no two lists of parts are the same bytes.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
