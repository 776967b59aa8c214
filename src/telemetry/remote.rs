//! The span that code runs under, as the host's OpenTelemetry knows it: one of another process, for it is exported from the
//! log. Without the feature `otel` there is none, and all of this comes to nothing.

use crate::model::TraceContext;
#[cfg(feature = "otel")]
use crate::model::{SpanId, TraceFlags, TraceId, TraceState};

/// What is current while some code is polled.
#[derive(Clone, Default)]
pub(crate) struct Remote {
    #[cfg(feature = "otel")]
    context: opentelemetry::Context,
}

#[cfg(not(feature = "otel"))]
impl Remote {
    /// Makes the place of a span.
    pub(crate) fn of(_span: impl FnOnce() -> TraceContext) -> Remote {
        Remote::default()
    }

    /// Takes the place at which the caller is.
    pub(crate) fn current() -> Remote {
        Remote::default()
    }

    /// Polls code at this place.
    pub(crate) fn during<T>(&self, poll: impl FnOnce() -> T) -> T {
        poll()
    }
}

#[cfg(feature = "otel")]
impl Remote {
    /// Makes the place of a span.
    pub(crate) fn of(span: impl FnOnce() -> TraceContext) -> Remote {
        use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
        let TraceContext { trace_id, span_id, flags, state } = span();
        let members = state.iter().flat_map(|state| state.as_str().split(','));
        let members = members.filter_map(|member| member.split_once('='));
        let span = SpanContext::new(
            opentelemetry::TraceId::from_bytes(trace_id.bytes()),
            opentelemetry::SpanId::from_bytes(span_id.bytes()),
            opentelemetry::TraceFlags::new(flags.bits()),
            true,
            TraceState::from_key_value(members).unwrap_or_default(),
        );
        // Nothing of the caller's: what the code does belongs to its run, whoever polls it.
        Remote { context: opentelemetry::Context::new().with_remote_span_context(span) }
    }

    /// Takes the place at which the caller is.
    pub(crate) fn current() -> Remote {
        Remote { context: opentelemetry::Context::current() }
    }

    /// Polls code at this place. What was current before is so again afterwards, also when the code panics.
    pub(crate) fn during<T>(&self, poll: impl FnOnce() -> T) -> T {
        let _outer = self.context.clone().attach();
        poll()
    }
}

/// Returns the caller's span, if the host's OpenTelemetry has one here.
#[cfg(feature = "otel")]
pub(crate) fn caller() -> Option<TraceContext> {
    use opentelemetry::trace::TraceContextExt;
    opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        Some(TraceContext {
            trace_id: TraceId::new(span.trace_id().to_bytes())?,
            span_id: SpanId::new(span.span_id().to_bytes())?,
            flags: TraceFlags::new(span.trace_flags().to_u8()),
            // One that is over the standard's limits is nobody's to carry.
            state: TraceState::parse(&span.trace_state().header()).unwrap_or_default(),
        })
    })
}

#[cfg(not(feature = "otel"))]
pub(crate) fn caller() -> Option<TraceContext> {
    None
}
