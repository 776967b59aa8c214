//! Exporting spans, and how far that is.

use std::time::Duration;

use super::control::Runtime;
use super::error::Error;
#[cfg(feature = "otel")]
use crate::actor::ExportSettings;
use crate::model::Timestamp;
use crate::model::limits::REFUSED_SPANS_KEPT;
#[cfg(feature = "otel")]
use crate::model::limits::{
    EXPORT_INTERVAL_DEFAULT, EXPORT_INTERVAL_MAX, EXPORT_INTERVAL_MIN, EXPORT_RUNS_KEPT_DEFAULT,
};
use crate::store::outbox::{Backlog, RefusedSpan};
#[cfg(feature = "otel")]
use crate::telemetry::otlp::{Otlp, Sender};
#[cfg(feature = "otel")]
use crate::telemetry::spans::{AtCreation, AtEnd};

/// An export of spans to an OpenTelemetry backend; [`RuntimeBuilder::export`](super::RuntimeBuilder::export) takes it.
///
/// ```no_run
/// use runlog::telemetry::otlp::Otlp;
/// use runlog::{Export, Runtime};
///
/// # async fn start(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// let honeycomb = Otlp::http("https://api.honeycomb.io").header("x-honeycomb-team", "the API key").gzip(true);
/// let runtime = Runtime::builder(pool).export(Export::otlp(honeycomb)).start().await?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "otel")]
#[derive(Clone, Debug)]
pub struct Export {
    otlp: Otlp,
    at_creation: AtCreation,
    at_end: Option<AtEnd>,
    interval: Duration,
    runs_kept: usize,
}

#[cfg(feature = "otel")]
impl Export {
    /// Exports every run by OTLP.
    pub fn otlp(otlp: Otlp) -> Export {
        Export {
            otlp,
            at_creation: AtCreation::Always,
            at_end: None,
            interval: EXPORT_INTERVAL_DEFAULT,
            runs_kept: EXPORT_RUNS_KEPT_DEFAULT,
        }
    }

    /// Sets which traces are exported as they go, by what is known when their first run is created. Default: all. Code is
    /// told: the `traceparent` that it passes on, and the child runs that it starts, bear that answer.
    #[must_use]
    pub fn sample(mut self, sampled: AtCreation) -> Self {
        self.at_creation = sampled;
        self
    }

    /// Exports, of the traces that [`sample`](Export::sample) leaves out, those whose first run ends like this, too: each as a
    /// whole, at that end. With a ratio of 0 there these are all that is exported. Default: none.
    #[must_use]
    pub fn sample_ended(mut self, kept: AtEnd) -> Self {
        self.at_end = Some(kept);
        self
    }

    /// Sets how often commits are looked for when there was nothing to export: 10 ms to 1 min. Default: 1 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how many runs' open spans are kept in memory from one commit to the next, at least 1; the logs of others are read
    /// anew when they go on. Default: 20,000.
    #[must_use]
    pub fn runs_kept(mut self, runs: usize) -> Self {
        self.runs_kept = runs;
        self
    }

    pub(super) fn checked(self) -> Result<ExportSettings, Error> {
        let refuse = |problem: String| Error::Setting { name: "export", problem };
        let (shortest, longest) = (EXPORT_INTERVAL_MIN, EXPORT_INTERVAL_MAX);
        if !(shortest..=longest).contains(&self.interval) {
            let asked = self.interval;
            return Err(refuse(format!(
                "an interval of {asked:?} is out of range, {shortest:?} to {longest:?}"
            )));
        }
        if self.runs_kept == 0 {
            return Err(refuse("0 runs kept would read every log again and again, at least 1".to_owned()));
        }
        if self.at_end.is_some() && self.at_creation == AtCreation::Always {
            return Err(refuse("sample_ended has nothing to add where sample leaves nothing out".to_owned()));
        }
        let sender = Sender::new(&self.otlp).map_err(|error| refuse(error.to_string()))?;
        let Export { at_creation, at_end, interval, runs_kept, .. } = self;
        Ok(ExportSettings { sender, at_creation, at_end, interval, runs_kept })
    }
}

/// What is committed and not exported yet, in the whole database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportLag {
    /// For how long the oldest such commit has been waiting; zero when there is none.
    pub age: Duration,
    /// How many such commits there are, counted up to 100,000.
    pub commits: u64,
    /// Whether runs have to be looked through besides, because no export has begun yet, or its outbox was closed for a while:
    /// then there is more to export than those commits.
    pub catches_up: bool,
    /// The node that exports, and until when it does without another word of it; `None`: nobody does.
    pub exporter: Option<(String, Timestamp)>,
    /// Spans that the backend refused for good, ever.
    pub refused: u64,
}

impl From<Backlog> for ExportLag {
    fn from(backlog: Backlog) -> ExportLag {
        let is_open = backlog.open_until.is_some_and(|until| until > backlog.now);
        ExportLag {
            age: backlog.lag(),
            commits: backlog.commits,
            catches_up: backlog.sweeps || !is_open,
            exporter: backlog.holder.map(|holder| (holder.by, holder.until)),
            refused: backlog.refused,
        }
    }
}

impl Runtime {
    /// Reads how far the export is, whichever process exports. Without one it stands still: commits wait for at most an hour,
    /// what is older is found in the runs themselves.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn export_lag(&self) -> Result<ExportLag, Error> {
        Ok(self.engine.store.backlog().await?.into())
    }

    /// Lists at most `limit` spans that the backend refused for good, the last first; the last 10,000 are known.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn refused_spans(&self, limit: u32) -> Result<Vec<RefusedSpan>, Error> {
        Ok(self.engine.store.refused_spans(limit.min(REFUSED_SPANS_KEPT)).await?)
    }
}
