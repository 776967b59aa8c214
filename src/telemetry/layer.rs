//! The layer that makes the code's own `tracing` events its run's lines.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::foreign::{FOREIGN, is_below};
use super::scope;
use crate::model::{Level, Line};

/// Makes the layer with its defaults: INFO and above, without the targets of the libraries below an application.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry().with(runlog::telemetry::log_layer());
/// # drop(subscriber);
/// ```
pub fn log_layer<S>() -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    LogLayer::new().build()
}

/// A layer under construction. It takes events of code that is polled as part of a task or step, and none from elsewhere;
/// it filters for itself alone, so that other layers see what they saw before.
#[derive(Clone, Debug)]
#[must_use = "a layer works when it is built and added to a subscriber"]
pub struct LogLayer {
    level: Level,
    foreign: Vec<Cow<'static, str>>,
}

impl Default for LogLayer {
    fn default() -> LogLayer {
        LogLayer::new()
    }
}

impl LogLayer {
    /// Begins with the defaults of [`log_layer`].
    pub fn new() -> LogLayer {
        LogLayer { level: Level::Info, foreign: FOREIGN.map(Cow::Borrowed).to_vec() }
    }

    /// Sets the least level that is taken. The runtime's own
    /// [`log_level`](crate::RuntimeBuilder::log_level) counts, too. Default: INFO.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Leaves out events of this target and those below it: of `sqlx` also `sqlx::query`.
    pub fn leave_out(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.foreign.push(target.into());
        self
    }

    /// Takes events of this target, which are left out otherwise.
    pub fn take(mut self, target: &str) -> Self {
        self.foreign.retain(|foreign| foreign != target);
        self
    }

    /// Makes the layer.
    pub fn build<S>(self) -> impl Layer<S> + Send + Sync
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        Capture.with_filter(self)
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && level_of(metadata) >= self.level
            && !self.foreign.iter().any(|foreign| is_below(metadata.target(), foreign))
    }
}

impl<S> Filter<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.level {
            Level::Trace => LevelFilter::TRACE,
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        })
    }
}

fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::TRACE => Level::Trace,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::INFO => Level::Info,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::ERROR => Level::Error,
    }
}

/// The layer itself, behind its filter.
struct Capture;

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = level_of(event.metadata());
        let Some(paper) = scope::current().filter(|paper| paper.takes(level)) else { return };
        let mut reading = Reading::default();
        event.record(&mut reading);
        paper.write(Line::new(level, event.metadata().target(), reading.message, reading.fields));
    }
}

/// An event's fields, read one by one.
#[derive(Default)]
struct Reading {
    message: String,
    fields: Map<String, Value>,
}

impl Reading {
    fn keep(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => {
                self.fields.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Reading {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        let number = serde_json::Number::from_f64(value).map(Value::Number);
        self.keep(field, number.unwrap_or_else(|| Value::from(value.to_string())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        self.keep(field, Value::from(text));
    }
}
