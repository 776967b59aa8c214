//! Which runs are exported. Nothing is thrown away by it: the log has them all, and any of them can be exported later.

use std::time::Duration;

use crate::model::{RunId, Status, TraceContext, TraceFlags, TraceId};
use crate::telemetry::ids;

use super::tracer::Ending;

/// Which runs are exported as they go, decided by what is known at their creation: all spans of a trace have the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum AtCreation {
    /// Every run.
    #[default]
    Always,
    /// A run that was started under a span as that span's flag says; any other by the ratio.
    Caller {
        /// Of traces that begin with a run.
        or: Ratio,
    },
    /// A part of all traces, whatever the caller says.
    Ratio(Ratio),
}

/// A part of all traces, from 0 to 1. The same traces as OpenTelemetry's samplers by ratio keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(f64);

/// Says that a number is no ratio.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is no ratio: expected a number from 0 to 1")]
pub struct RatioError(f64);

impl Ratio {
    /// All traces.
    pub const ALL: Ratio = Ratio(1.0);

    /// None of them.
    pub const NONE: Ratio = Ratio(0.0);

    /// Takes a part of all traces.
    ///
    /// # Errors
    /// [`RatioError`] below 0, above 1 or for no number.
    pub fn new(ratio: f64) -> Result<Ratio, RatioError> {
        if (0.0..=1.0).contains(&ratio) { Ok(Ratio(ratio)) } else { Err(RatioError(ratio)) }
    }

    /// Says whether a trace is in.
    ///
    /// The trace's last 63 bits below the ratio's part of all there are, as the samplers of OpenTelemetry's SDKs do it.
    pub fn keeps(self, trace_id: TraceId) -> bool {
        let low = trace_id.bytes().last_chunk().map_or(0, |low| u64::from_be_bytes(*low)) >> 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^63")]
        let bound = (self.0 * (1_u64 << 63) as f64) as u64;
        self.0 >= 1.0 || low < bound
    }
}

impl AtCreation {
    /// Says whether nothing is exported, whatever the trace.
    #[cfg(feature = "otel")]
    pub(crate) fn keeps_none(self) -> bool {
        matches!(self, AtCreation::Ratio(Ratio(ratio)) if ratio <= 0.0)
    }

    /// Says whether a trace is exported; `caller` are the flags under which its first run was started, if somebody traced that.
    pub fn keeps(self, trace_id: TraceId, caller: Option<TraceFlags>) -> bool {
        match (self, caller) {
            (AtCreation::Always, _) => true,
            (AtCreation::Caller { .. }, Some(flags)) => flags.is_sampled(),
            (AtCreation::Caller { or: ratio }, None) | (AtCreation::Ratio(ratio), _) => ratio.keeps(trace_id),
        }
    }
}

impl AtCreation {
    /// Returns the place of a run in its trace with the flag that says whether the trace is exported: what its code and its
    /// child runs are to be told, so that nothing is recorded below a run that is not.
    pub fn place(self, run: RunId, caller: Option<&TraceContext>) -> TraceContext {
        let place = ids::run(run, caller);
        let keeps = self.keeps(place.trace_id, caller.map(|caller| caller.flags));
        let others = place.flags.bits() & !TraceFlags::SAMPLED.bits();
        let sampled = if keeps { TraceFlags::SAMPLED.bits() } else { 0 };
        TraceContext { flags: TraceFlags::new(others | sampled), ..place }
    }
}

/// Which traces are exported once their first run has ended, decided by how it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AtEnd {
    /// Those that FAILED.
    pub failed: bool,
    /// Those that TIMED_OUT.
    pub timed_out: bool,
    /// Those that took longer from their start to their end, sleeps and waits included.
    pub slower_than: Option<Duration>,
}

impl AtEnd {
    /// Says whether a run is exported.
    pub fn keeps(self, ending: &Ending) -> bool {
        let by_status = match ending.status {
            Status::Failed => self.failed,
            Status::TimedOut => self.timed_out,
            Status::Succeeded | Status::Cancelled | Status::Queued | Status::Running => false,
        };
        by_status || self.slower_than.is_some_and(|limit| ending.took() > limit)
    }
}

impl Ending {
    /// Returns how long the run took from its start to its end; nothing when it never started.
    pub fn took(&self) -> Duration {
        let took = self.started_at.map(|started_at| self.at - started_at);
        took.and_then(|took| took.to_std().ok()).unwrap_or_default()
    }
}
